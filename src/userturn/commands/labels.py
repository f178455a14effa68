"""`userturn labels`: labels of people that were given elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Labels of people.",
    rich_markup_mode=None,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _group() -> None:
    """Labels of people."""


@app.command("import")
def import_labels(
    file: Annotated[
        Path, typer.Argument(help="CSV with a header, or JSONL: one label per row, see the docs.")
    ],
    annotator: Annotated[
        str | None, typer.Option(help="Whose labels they are, where a row does not say.")
    ] = None,
) -> None:
    """Take labels by people from a file: all of them, or where a row is wrong none.

    Columns `item` and `label`, and as many of `model`, `dataset`, `condition`, `temperature` and
    `sample` as it takes to mean one turn. Optional: `annotator`, `turn` (its text, compared with
    the one that is there), `sha256`, `seconds`, `time`. Other columns are passed over.
    """
    from userturn.annotate import importing
    from userturn.study.loading import load_study

    for taken in importing.take(load_study(), file, annotator):
        print(f"{taken.path}: {taken.new} labels added, {taken.same} were there already; commit it")
