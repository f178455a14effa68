"""Stage `tables`: every rate with its counts and interval, for machines, paper and headline."""

from __future__ import annotations

import json

from userturn import tables
from userturn.artifacts import csv_file
from userturn.base.files import write_text
from userturn.study.study import Study
from userturn.tables import paper
from userturn.tables._headline import headline, in_short
from userturn.tables._results import read_results
from userturn.tables.paper._form import read_source
from userturn.tables.paper._formats import FORMATS


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
    source = read_source(results)
    for name, form in paper.all_forms().items():
        caption, cells = form.caption(source), form.rows(source)
        for kind, formatted in FORMATS.items():
            write_text(paper.path_of(name, kind), formatted(name, caption, cells))
    write_text(tables.METRICS, json.dumps(numbers, indent=2) + "\n")
    for slug, of_model in numbers["model"].items():
        file = tables.HEADLINE / f"{slug}.json"
        write_text(file, json.dumps(in_short(of_model), indent=2) + "\n")
