"""Stage `report`: the page on which people see the result and read the turns."""

from __future__ import annotations

from userturn import report
from userturn.base.files import write_text
from userturn.report._page import render
from userturn.report._part import read_source
from userturn.study.study import Study


def run(study: Study) -> None:
    """Write `reports/index.html` from the tables, the figures and the turns.

    Raises:
        ArtifactError: An artifact is missing, unreadable, or from another study.
    """
    write_text(report.PAGE, render(read_source(study)))
