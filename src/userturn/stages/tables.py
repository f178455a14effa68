"""Stage `tables`: every rate with its counts and interval as CSV, and the headline as JSON."""

from __future__ import annotations

import json

from userturn import tables
from userturn.artifacts import csv_file
from userturn.base.files import write_text
from userturn.study.study import Study
from userturn.tables._headline import headline, in_short
from userturn.tables._results import read_results


def run(study: Study) -> None:
    """Write tables, `reports/metrics.json` and `reports/headline/` from the artifacts of a study.

    Raises:
        ArtifactError: An artifact is missing, corrupt or does not belong to the others.
    """
    results = read_results(study)
    made = {name: results.table(name) for name in tables.all_tables()}
    numbers = csv_file.rounded(headline(results))
    for name, table in tables.all_tables().items():
        csv_file.write(tables.path_of(name), table.columns, made[name])
    write_text(tables.METRICS, json.dumps(numbers, indent=2) + "\n")
    for slug, of_model in numbers["model"].items():
        file = tables.HEADLINE / f"{slug}.json"
        write_text(file, json.dumps(in_short(of_model), indent=2) + "\n")
