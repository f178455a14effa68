"""Stage `figures`: the figures, each with the data that it shows."""

from __future__ import annotations

import io
from typing import Any

from userturn import figures
from userturn.artifacts import csv_file
from userturn.base import files
from userturn.figures._figure import read_source
from userturn.study.study import Study

METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None},
}
"""What matplotlib would write of the time and of itself, left out: same content, same bytes."""


def run(study: Study) -> None:
    """Write `reports/figures/<name>.<format>` and `<name>.data.csv` for every figure.

    Raises:
        ArtifactError: A table is missing, or of another version.
    """
    from matplotlib import style

    source, plots = read_source(study), figures.all_figures()
    with style.context(figures.STYLE):
        drawings = {name: plot.draw(source) for name, plot in plots.items()}
        for name, drawing in drawings.items():
            for form in study.figures.formats:
                content = io.BytesIO()
                drawing.figure.savefig(
                    content, format=form, dpi=study.figures.dpi, metadata=METADATA[form]
                )
                files.write_bytes(figures.path_of(name, form), content.getvalue())
            csv_file.write(figures.data_of(name), plots[name].columns, drawing.rows)
