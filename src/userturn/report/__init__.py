"""The report: one page that opens from disk, with the result and the turns behind it.

Every number of the page comes from `reports/metrics.json`, `reports/tables/` and
`data/calibration/report.json`; nothing is worked out anew. The page loads nothing, sends nothing
and holds no time, so that the same inputs give the same bytes.

A module that defines PART is one more part of the page: a heading, and a function of `Source` that
gives its template what it shows. The template is `templates/<name>.html.j2`.
"""

from __future__ import annotations

from userturn.base import paths
from userturn.base.registry import load_all
from userturn.report._part import Part

PAGE = paths.REPORTS / "index.html"
ORDER = ("asked", "answer", "plots", "published", "contrasts", "checks", "turns", "provenance")
"""Parts in the order of the page; those that are added come behind these, by name."""


def all_parts() -> dict[str, Part]:
    """Every part by its name, in the order of the page."""
    return load_all("report", "PART", first=ORDER)
