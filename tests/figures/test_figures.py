"""The figures: every shape of study is drawn, legibly, from the tables alone, to the same bytes."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from itertools import combinations
from unittest.mock import patch

import pytest
from matplotlib.text import Text

from synthetic import ELEVEN, ONE, held_out, make_study, write_artifacts
from userturn import figures, tables
from userturn.artifacts.labels import Label
from userturn.base.errors import ArtifactError
from userturn.figures._colours import LABEL_COLOURS, model_looks
from userturn.figures._labels import overlap
from userturn.stages import figures as stage
from userturn.stages import tables as tables_stage
from userturn.tables import _adjusted

TWO_JUDGES = {
    "classify": {"judges": ["likelihood", "a_judge_with_a_long_name"]},
    "judge": {"a_judge_with_a_long_name": {"type": "local"}},
}
FIVE = ("gsm8k", "math_500", "ifbench", "healthbench", "coval")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _calibrated(monkeypatch):
    given = held_out()
    monkeypatch.setattr(_adjusted.calibration, "of_study", lambda study: given)


@pytest.fixture
def drawings(monkeypatch):
    """Drawings by name, as the stage makes them."""
    seen = {}

    def keeping(name, plot):
        def kept(source):
            seen[name] = plot.draw(source)
            return seen[name]

        return replace(plot, draw=kept)

    watched = {name: keeping(name, plot) for name, plot in figures.all_figures().items()}
    monkeypatch.setattr(figures, "all_figures", lambda: watched)
    return seen


def draw(study, **made):
    write_artifacts(study, **made)
    tables_stage.run(study)
    stage.run(study)


def disagreeing(kind, slug, row):
    """The second judge takes no question on the subject for a follow-up."""
    if kind == "labels" and row["judge"] != "likelihood" and row["item"] < "0003":
        return {**row, "label": "on_topic", "probability": None}
    return row


def load(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def texts(figure):
    """Every text that is drawn, with its box in pixels (ticks beyond an axis are not drawn)."""
    drawn = []
    draw_text = Text.draw

    def record(text, renderer):
        drawn.append(text)
        draw_text(text, renderer)

    with patch.object(Text, "draw", record):
        figure.draw_without_rendering()
    return [
        (text.get_text(), Text.get_window_extent(text)) for text in drawn if text.get_text().strip()
    ]


@pytest.mark.slow
def test_every_figure_in_every_format_with_its_data():
    study = make_study(figures={"formats": ["svg", "png", "pdf"]})
    draw(study)
    shutil.rmtree("data")
    stage.run(study)  # the tables are all that it needs
    for name in figures.all_figures():
        assert (figures.FOLDER / f"{name}.svg").read_bytes().startswith(b"<?xml")
        assert (figures.FOLDER / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (figures.FOLDER / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    assert len(list(figures.FOLDER.iterdir())) == 4 * len(figures.all_figures())


@pytest.mark.slow
def test_the_same_tables_give_the_same_bytes():
    study = make_study(figures={"formats": ["svg", "png", "pdf"]})
    draw(study)
    first = {path: path.read_bytes() for path in figures.FOLDER.iterdir()}
    stage.run(study)
    assert {path: path.read_bytes() for path in figures.FOLDER.iterdir()} == first


@pytest.mark.slow
def test_a_figure_shows_the_numbers_of_its_table():
    draw(make_study(figures={"formats": ["svg"]}))
    rates = {
        (row["dataset"], row["temperature"]): row
        for row in load(tables.path_of("rates"))
        if row["condition"] == "base"
    }
    shown = load(figures.data_of("rate_vs_temperature"))
    assert len(shown) == len(rates)
    for row in shown:
        table = rates[row["dataset"], row["temperature"]]
        assert {name: row[name] for name in ("rate", "low", "high", "prompts")} == {
            name: table[name] for name in ("rate", "low", "high", "prompts")
        }
    points = load(figures.data_of("accuracy_vs_rate"))
    assert [row["dataset"] for row in points] == ["gsm8k", "ifbench"]
    strict = {row["dataset"]: row["strict"] for row in load(tables.path_of("accuracy"))}
    assert all(row["accuracy"] == strict[row["dataset"]] for row in points)
    assert all(row["rate"] == rates[row["dataset"], "0"]["rate"] for row in points)


@pytest.mark.parametrize(
    ("models", "datasets", "width"),
    [
        (ONE, ("gsm8k", "ifbench", "mt_bench"), 6.4),
        (ONE, ("gsm8k", "ifbench", "mt_bench"), 3.5),
        (ELEVEN, FIVE, 6.4),
        (ELEVEN, FIVE, 3.5),  # a single column
    ],
)
@pytest.mark.slow
def test_no_text_leaves_the_page_or_covers_another(drawings, models, datasets, width):
    look = {"formats": ["png"], "width": width}
    study = make_study(models, datasets, samples=2, figures=look, **TWO_JUDGES)
    draw(study, items=8, edit=disagreeing)
    assert set(drawings) == set(figures.all_figures())
    for name, drawing in drawings.items():
        page = drawing.figure.bbox.padded(1)
        drawn = texts(drawing.figure)
        assert len(drawn) > 8
        for text, box in drawn:
            corners = (box.x0, box.y0), (box.x1, box.y1)
            assert all(page.contains(*corner) for corner in corners), f"{name}: {text!r}"
        for (one, box), (other, there) in combinations(drawn, 2):
            area = overlap(box.padded(-1), there.padded(-1))
            assert area == 0, f"{name}: {one!r} and {other!r}"


@pytest.mark.slow
def test_footers_tell_counts_and_judge(drawings):
    draw(make_study(figures={"formats": ["png"]}), items=7)
    without = {"schematic", "agreement", "uptake"}  # no numbers; no second judge; no labels at all
    for drawing in (one for name, one in drawings.items() if name not in without):
        footer = " ".join(text for text, _ in texts(drawing.figure) if text.startswith("n = "))
        assert "judge: likelihood" in footer
        assert "7" in footer or "21" in footer


def test_the_adjusted_rate_is_hollow_beside_the_raw_one_and_the_footer_says_so(
    drawings, monkeypatch
):
    study = make_study(figures={"formats": ["png"]})
    for held, hollow in ((held_out(), 3), (held_out(0), 0)):
        monkeypatch.setattr(_adjusted.calibration, "of_study", lambda study, held=held: held)
        draw(study)
        drawing = drawings["rate_vs_temperature"]
        lines = drawing.figure.axes[0].lines
        assert sum(line.get_markerfacecolor() == "white" for line in lines) == hollow
        told = any("held-out turns" in text for text, _ in texts(drawing.figure))
        assert told == bool(hollow)
        adjusted = [row["adjusted"] for row in drawing.rows]
        assert all((value is not None) == bool(hollow) for value in adjusted)


@pytest.mark.parametrize(
    ("shape", "empty"),
    [
        ({"temperatures": [0]}, set()),
        ({"temperatures": [0.7]}, {"controls"}),
        ({"conditions": []}, {"controls"}),
        ({"datasets": ["mt_bench"]}, {"accuracy_vs_rate"}),
        ({"models": {"a": ("x", 2.0), "b": ("x", 2.0), "c": ("y", None)}}, set()),
        ({"perturb": {"conditions": ["ask"], "temperatures": [0.0, 0.7, 1.0]}}, set()),
        ({"figures": {"formats": ["png"], "width": 2}}, set()),
    ],
)
@pytest.mark.slow
def test_any_shape_of_study_is_drawn(drawings, shape, empty):
    draw(make_study(**{"figures": {"formats": ["png"]}, **shape}), items=2)
    for name, drawing in drawings.items():
        told = any(text.startswith("no data: ") for text, _ in texts(drawing.figure))
        assert told == (name in {*empty, "agreement"})
        assert (not drawing.rows) == (name in {*empty, "agreement"})


def test_nothing_valid_gives_figures_that_say_so(drawings):
    def edit(kind, slug, row):
        return {**row, "label": None, "invalid": "unreadable"} if kind == "labels" else row

    draw(make_study(figures={"formats": ["svg"]}), items=2, edit=edit)
    for name, drawing in drawings.items():
        told = any(text.startswith("no data: ") for text, _ in texts(drawing.figure))
        assert told == (name not in ("schematic", "uptake")), "these show no label"


@pytest.mark.slow
def test_bars_of_label_shares_are_full(drawings):
    draw(make_study(figures={"formats": ["png"]}))
    (axes,) = drawings["label_shares"].figure.axes
    for y in range(3):
        widths = [bar.get_width() for bar in axes.patches if round(bar.get_y() + 0.37) == y]
        assert len(widths) == len(Label)
        assert sum(widths) == pytest.approx(100, abs=0.01)


@pytest.mark.slow
def test_no_file_of_a_figure_has_the_name_of_a_table(drawings):
    draw(make_study(figures={"formats": ["svg"]}), items=2)
    names = {path.name for path in figures.FOLDER.iterdir()}
    assert names.isdisjoint(path.name for path in tables.FOLDER.iterdir())
    assert len(names) == 2 * len(drawings)


def test_every_label_has_a_colour_of_its_own():
    assert list(LABEL_COLOURS) == list(Label)
    assert len(set(LABEL_COLOURS.values())) == len(Label)


@pytest.mark.slow
def test_eleven_models_have_eleven_colours(drawings):
    draw(make_study(ELEVEN, ("gsm8k",), [0], conditions=[]), items=1)
    looks = model_looks(tables.read("models"))
    assert len({look.colour for look in looks}) == len({look.name for look in looks}) == 11
    assert looks[0].name == "Qwen3.5 0.8B"


def test_a_missing_or_foreign_table_is_named():
    study = make_study()
    with pytest.raises(ArtifactError, match=r"models\.csv: cannot be read .*dvc repro tables"):
        stage.run(study)
    write_artifacts(study)
    tables_stage.run(study)
    tables.path_of("rates").write_text("a,b\n1,2\n")
    with pytest.raises(ArtifactError, match=r"rates\.csv: has other columns"):
        stage.run(study)
    assert not figures.FOLDER.exists()


def test_a_name_that_would_be_a_formula_is_text():
    draw(make_study({"one": ("a$\\frac{$", 1), "two": ("$x^{$_\\", 2)}, ["gsm8k"]), items=2)


@pytest.mark.parametrize("models", [ONE, ELEVEN])
def test_people_are_a_line_and_a_bar_beside_the_models(drawings, models):
    sets = ["gsm8k", "ifbench"]
    talked = {"datasets": sets, "items": None, "human": ["gsm8k"]}
    draw(make_study(models, sets, prompts=talked))
    people = {row["dataset"]: row for row in tables.read("human")}
    assert people.keys() == {"gsm8k", "all"}

    def dotted(name):
        return [
            [
                round(float(line.get_ydata()[0]), 4)
                for line in axes.lines
                if line.get_gid() == "people"
            ]
            for axes in drawings[name].figure.axes
        ]

    rates = {name: round(100 * row["rate"], 4) for name, row in people.items()}
    assert dotted("rate_vs_temperature") == [[rates["all"]], [rates["gsm8k"]], []]
    alone = models is ONE
    assert dotted("accuracy_vs_rate") == ([[rates["all"]]] if alone else [[rates["gsm8k"]], []])
    for name in ("rate_vs_temperature", "accuracy_vs_rate", "label_shares"):
        shown = load(figures.data_of(name))
        assert [row["temperature"] for row in shown if row["model"] == "human"] != []
        assert {row["temperature"] for row in shown if row["model"] == "human"} == {""}
    bars = drawings["label_shares"].figure.axes[0].get_yticklabels()
    assert [bar.get_text() for bar in bars][-1] == "people"
