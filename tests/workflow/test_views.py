"""What DVC and Snakemake show of a finished study: numbers, figures, and a report with captions."""

from __future__ import annotations

import json
import re
import zipfile

import pytest

from .conftest import Clone

pytestmark = pytest.mark.slow


def test_snakemake_reports_figures_and_tables_with_captions(copied: Clone) -> None:
    done = copied.snakemake("--report", "report.zip")
    assert done.status == 0, done.text
    with zipfile.ZipFile(copied.path / "report.zip") as archive:
        page = archive.read("report/report.html").decode()
        files = {name.rsplit("/", 1)[-1] for name in archive.namelist()}
    assert "What chat models write when it is the user" in page
    results = json.JSONDecoder().raw_decode(
        page[page.index('"results">\n    var results = ') :].partition(" = ")[2]
    )[0]
    reports = copied.path / "reports"
    expected = {
        *(str(path.relative_to(copied.path)) for path in (reports / "tables").rglob("*.csv")),
        *(f"reports/figures/{path.name}" for path in (reports / "figures").glob("*.svg")),
        "reports/metrics.json",
        "reports/index.html",
    }
    assert set(results) == expected
    for path, result in results.items():
        assert len(result["caption"]) > 100, path
        assert result["labels"]["shows"], path
        assert result["name"] in files
    assert "validly labelled turns" in results["reports/tables/rates.csv"]["caption"]
    for category in ("Figures", "Numbers", "Report"):
        assert f'"{category}"' in page


def test_dvc_shows_rates_and_what_an_edit_did_to_them(copied: Clone) -> None:
    shown = copied.dvc("metrics", "show", "--json").text
    file = "reports/headline/alpha.json"
    rates = json.loads(shown[shown.index("{") :])[""]["data"][file]["data"]
    assert {"rate", "rate_low", "rate_high", "lenient", "prompts"} <= set(rates)
    edited = {**rates, "rate": 0.5}
    (copied.path / file).unlink()  # a link into the cache, which is not to be written
    (copied.path / file).write_text(json.dumps(edited))
    diff = json.loads(copied.dvc("metrics", "diff", "--json").text.splitlines()[-1])
    assert diff[file]["rate"]["new"] == 0.5
    assert set(diff[file]) == {"rate"}
    page = copied.path / "dvc_plots" / "index.html"
    for command in (("plots", "show"), ("plots", "diff", "HEAD")):
        assert copied.dvc(*command).status == 0
        figures = {path.stem for path in (copied.path / "reports/figures").glob("*.svg")}
        text = page.read_text()
        assert all(re.search(rf'src="static/[^"]*{figure}\.svg"', text) for figure in figures)
        assert not re.search(r'(src|href)="(https?:)?//', text)
    experiments = copied.dvc("exp", "show", "--only-changed", "--csv")
    assert experiments.status == 0
    assert experiments.text.splitlines()[0] == "rev,Created,rate"  # what differs, and no more
