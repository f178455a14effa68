"""`userturn export`: a finished study's turns for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from userturn import export as formats


def export(
    name: Annotated[
        str, typer.Argument(metavar="FORMAT", help=f"One of: {', '.join(formats.names())}.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is not there yet.")],
) -> None:
    """Write all turns, measures and labels in the format of another tool."""
    from userturn.study.loading import load_study

    print(formats.write(load_study(), name, folder))
