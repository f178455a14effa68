"""A table is one new file, and so is a figure: nothing else has to know of it."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import userturn
from synthetic import make_study, write_artifacts

TABLE = '''
"""Table `longest`: the longest turn of each model."""

from userturn.artifacts.csv_file import Kind
from userturn.tables._table import Table


def rows(results):
    return [
        {"model": model.slug, "turn": max(model.turns["text"], key=len)}
        for model in results.models
    ]


TABLE = Table({"model": Kind.NAME, "turn": Kind.TEXT}, rows)
'''
FIGURE = '''
"""Figure: how long the longest turns are."""

from userturn.artifacts.csv_file import Kind
from userturn.figures._figure import Drawing, Plot
from userturn.figures._page import Layout, lay_out


def draw(source):
    rows = [
        {"model": row["model"], "characters": len(row["turn"])} for row in source.table("longest")
    ]
    page = lay_out(source, Layout(title="Length", subtitle="of the longest turn"))
    page.axes[0].barh([row["model"] for row in rows], [row["characters"] for row in rows])
    return Drawing(page.figure, rows)


FIGURE = Plot({"model": Kind.NAME, "characters": Kind.COUNT}, draw)
'''
STAGES = """
import sys
from userturn.stages import figures, tables
from userturn.study.study import Study

study = Study.model_validate_json(sys.stdin.read())
tables.run(study)
figures.run(study)
"""


@pytest.mark.slow
def test_a_table_and_a_figure_are_one_new_file_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    package = source / "userturn"
    shutil.copytree(Path(userturn.__file__).parent, package)
    (package / "tables/longest.py").write_text(TABLE)
    (package / "figures/lengths.py").write_text(FIGURE)
    monkeypatch.chdir(tmp_path)
    study = make_study(figures={"formats": ["svg"]})
    write_artifacts(study, items=2)
    environment = {**os.environ, "PYTHONPATH": str(source)}
    done = subprocess.run(
        [sys.executable, "-c", STAGES],
        input=study.model_dump_json(),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with (tmp_path / "reports/tables/longest.csv").open(newline="") as handle:
        (longest,) = csv.DictReader(handle)
    with (tmp_path / "reports/figures/lengths.data.csv").open(newline="") as handle:
        (length,) = csv.DictReader(handle)
    assert int(length["characters"]) == len(longest["turn"])
    assert (tmp_path / "reports/figures/lengths.svg").exists()
    assert (tmp_path / "reports/tables/rates.csv").exists()
