"""Tables in the paper's form: one source, three formats, the numbers of the tables."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostile import HOSTILE
from synthetic import ELEVEN, held_out, make_study, write_artifacts
from userturn import tables
from userturn.stages import tables as stage
from userturn.tables import _adjusted, paper
from userturn.tables.paper._formats import FORMATS, as_csv, as_latex, as_markdown

CELL = st.text(max_size=12) | st.sampled_from(HOSTILE[:8])
ROWS = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.lists(CELL, min_size=width, max_size=width).map(
            lambda cells: {f"h_{nth}%": cell for nth, cell in enumerate(cells)}
        ),
        min_size=1, max_size=4,
    )
)  # fmt: skip


@given(ROWS)
def test_markdown_has_a_line_per_row_and_no_cell_breaks_out(rows):
    text = as_markdown("name", "a caption", rows)
    body = text.split("\n\n", 1)[1].rstrip("\n").split("\n")
    assert len(body) == 2 + len(rows)
    for line in body:
        unescaped = re.sub(r"\\.", "", line)
        assert unescaped.count("|") == len(rows[0]) + 1
        assert "<" not in unescaped


@given(ROWS)
def test_latex_has_a_line_per_row_and_no_cell_is_a_command(rows):
    text = as_latex("name", "100 % of a_b", rows)
    assert r"\caption{100 \% of a\_b}\label{tab:name}" in text
    body = text.split("\\midrule\n")[1].split("\n\\bottomrule")[0].split("\n")
    assert len(body) == len(rows)
    allowed = (
        r"\\(textbackslash|textasciitilde|textasciicircum)\{\}|\\[&%$#_{}]|\$(-|<|>|\\rightarrow)\$"
    )
    for line in body:
        assert line.endswith(r" \\")
        bare = re.sub(allowed, "", line.removesuffix(r" \\"))
        assert bare.count("&") == len(rows[0]) - 1
        assert not re.search(r"[\\%$#_{}~^]", bare)


@given(ROWS)
def test_csv_holds_no_formula(rows):
    lines = list(csv.reader(io.StringIO(as_csv("name", "", rows))))
    assert len(lines) == 1 + len(rows)
    assert not any(cell[:1] in tuple("=+-@") for line in lines for cell in line if cell)


def test_a_table_of_more_than_a_page_is_long():
    rows = [{"a": str(nth), "b": "x"} for nth in range(46)]
    assert r"\begin{longtable}{lr}" in as_latex("name", "c", rows)
    assert r"\begin{tabular}{lr}" in as_latex("name", "c", rows[:45])
    for formatted in FORMATS.values():
        assert "no data" in formatted("name", "c", [])


@pytest.fixture
def made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    held = held_out()
    monkeypatch.setattr(_adjusted.calibration, "of_study", lambda study: held)
    study = make_study(dict(list(ELEVEN.items())[:2]), samples=2)
    write_artifacts(study, items=6)
    stage.run(study)
    return {
        name: list(
            csv.DictReader(io.StringIO(paper.path_of(name, "csv").read_text(encoding="utf-8")))
        )
        for name in paper.all_forms()
    }


def numbers(text):
    return [float(one) for one in re.findall(r"-?\d+\.\d", text.replace("−", "-"))]


@pytest.mark.slow
def test_forms_say_what_the_tables_say(made):
    assert {path.suffix for path in paper.FOLDER.iterdir()} == {".csv", ".md", ".tex"}
    pooled = {
        (row["model"], row["condition"], row["temperature"]): row
        for row in tables.read("controls")
        if row["dataset"] == "all"
    }
    slugs = {"Qwen3.5 0.8B": "qwen3_5_0_8b", "Qwen3.5 2B": "qwen3_5_2b"}
    for row in made["perturbations"]:
        for condition in ("truncate", "ask", "swap", "close"):
            wanted = pooled[slugs[row["Model"]], condition, 0.0]
            shown = [round(100 * wanted[name], 1) for name in ("difference", "low", "high")]
            assert numbers(row[condition]) == pytest.approx(shown, abs=0.051)
            assert row[condition].endswith("*") == (wanted["p_holm"] < 0.05)
    assert len(made["full"]) == len(tables.read("rates"))
    assert len(made["power"]) == sum(row["dataset"] == "all" for row in tables.read("power"))
    greedy = {
        row["model"]: row
        for row in tables.read("rates")
        if (row["dataset"], row["condition"], row["temperature"]) == ("all", "base", 0)
    }
    for row in made["models"]:
        rate = greedy[slugs[row["Model"]]]
        shown = [round(100 * rate[name], 1) for name in ("rate", "low", "high")]
        assert numbers(row["Strict"]) == pytest.approx(shown, abs=0.051)
        assert row["Prompts"] == str(rate["prompts"])


@pytest.mark.slow
def test_a_study_without_controls_says_that_there_are_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = make_study(conditions=(), temperatures=(0.7,), samples=1)
    write_artifacts(study, items=2)
    stage.run(study)
    for kind in FORMATS:
        assert "no data" in paper.path_of("perturbations", kind).read_text(encoding="utf-8")
