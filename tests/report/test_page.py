"""The page: the numbers of the metrics, texts as text, the same bytes, and why parts are empty."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hostile import HOSTILE
from synthetic import ELEVEN, ONE, held_out, make_study, write_artifacts
from userturn import figures, report, tables
from userturn.artifacts.schemas import TURN_KEY
from userturn.base import paths
from userturn.base.errors import ArtifactError
from userturn.report._block import words
from userturn.report._part import link
from userturn.report._sample import STRATUM, draw
from userturn.stages import figures as figures_stage
from userturn.stages import report as stage
from userturn.stages import tables as tables_stage
from userturn.tables import METRICS, _adjusted

pytestmark = pytest.mark.slow

HELD_OUT = {
    "turns": 180, "precision": 0.81, "precision_low": 0.7, "precision_high": 0.9, "recall": 0.62,
    "recall_low": 0.5, "recall_high": 0.73, "f1": 0.7, "f1_low": 0.6, "f1_high": 0.8,
    "read_rate": 0.26, "judged_rate": 0.2,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = held_out()
    monkeypatch.setattr(_adjusted.calibration, "of_study", lambda study: given)


class Page(HTMLParser):
    """What a browser would make of the page: elements, numbers, texts of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.tags, self.ids = text, Counter(), Counter()
        self.handlers, self.values, self.links = [], set(), []
        self.raw: list[tuple[str, dict[str, str | None], str]] = []
        self.words: list[str] = []
        self._open: tuple[str, dict[str, str | None]] | None = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags[tag] += 1
        self.ids.update([given["id"]] if "id" in given else [])
        self.handlers += [name for name in given if name.startswith("on") or name == "style"]
        if tag == "data":
            self.values.add(float(given["value"]))
        if "href" in given and tag != "use":
            self.links.append(given["href"])
        self._open = (tag, given) if tag in ("script", "style") else None

    def handle_endtag(self, tag):
        self._open = None

    def handle_data(self, data):
        if self._open:
            self.raw.append((*self._open, data))
        else:
            self.words.append(data)

    @property
    def prose(self):
        return " ".join(" ".join(self.words).split())

    @property
    def block(self):
        (text,) = (data for _, given, data in self.raw if given.get("id") == "data")
        return json.loads(text)


def made(study, **artifacts):
    write_artifacts(study, **artifacts)
    tables_stage.run(study)
    figures_stage.run(study)
    return page(study)


def page(study):
    stage.run(study)
    return Page(report.PAGE.read_text(encoding="utf-8"))


def numbers(tree):
    """Numbers at the leaves."""
    values = tree.values() if isinstance(tree, dict) else [tree]
    for value in values:
        if isinstance(value, dict):
            yield from numbers(value)
        elif isinstance(value, int | float):
            yield value


def calibrate():
    paths.CALIBRATION.mkdir(parents=True)
    report_file = paths.CALIBRATION / "report.json"
    report_file.write_text(json.dumps({"held_out": {"written": HELD_OUT}}))


@pytest.mark.parametrize("models", [ONE, dict(list(ELEVEN.items())[:3])], ids=["one", "three"])
def test_the_page_holds_every_number_of_the_metrics(models):
    calibrate()
    ours = made(make_study(models, samples=2), items=6)
    metrics = json.loads(METRICS.read_text())
    for facts in metrics["model"].values():
        del facts["highest_rate"]["temperature"]  # a setting, not a result
    shown = {*numbers(metrics["model"]), *numbers(metrics["calibration"])}
    assert len(shown) > 20
    assert shown - ours.values == set()


def test_the_page_holds_no_number_of_its_own():
    calibrate()
    ours = made(make_study(samples=2), items=6)
    cells = {
        float(cell)
        for folder in (tables.FOLDER, figures.FOLDER)
        for path in folder.glob("*.csv")
        for row in csv.reader(path.read_text(encoding="utf-8").splitlines())
        for cell in row
        if re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", cell)
    }
    told = set(numbers(json.loads(METRICS.read_text())))
    tested = Counter(row["judge"] for row in tables.read("controls"))
    warmer = Counter(row["judge"] for row in tables.read("temperature"))
    counted = {*tested.values(), *warmer.values(), 18, len(ours.block["turns"])}
    assert len(ours.values) > 100
    assert ours.values - cells - told - counted == set()


def test_the_same_inputs_give_the_same_bytes():
    study = make_study(samples=2)
    made(study, items=6)
    first = report.PAGE.read_bytes()
    report.PAGE.unlink()
    stage.run(study)
    assert report.PAGE.read_bytes() == first


def test_nothing_comes_from_outside_and_the_policy_allows_only_what_is_there():
    ours = made(make_study(samples=1), items=4)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', ours.text)[1]
    policy = policy.replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; ")
    hashes = {
        tag: f"'sha256-{base64.b64encode(hashlib.sha256(data.encode()).digest()).decode()}'"
        for tag, given, data in ours.raw
        if "type" not in given
    }
    assert f"script-src {hashes['script']};" in policy
    assert f"style-src {hashes['style']};" in policy
    assert "unsafe" not in policy
    assert ours.handlers == []
    assert {href for href in ours.links if not href.startswith("#")} == set()
    assert not re.search(r"\b(src|srcset|action|background)=", ours.text.split("<script")[0])
    assert max(ours.ids.values()) == 1, "ids of figures differ too"
    assert ours.tags["svg"] >= len(figures.all_figures())


def test_links_of_the_parts_lead_to_something():
    ours = made(make_study(samples=1), items=4)
    anchors = {href[1:] for href in ours.links if re.fullmatch(r"#[\w-]+", href)}
    assert anchors
    assert anchors <= set(ours.ids)
    assert list(report.all_parts()) == list(report.ORDER)
    shown = re.findall(r'<figure id="figure-(\w+)"', ours.text)
    assert shown == list(figures.all_figures()), "in the order of the figures"


def hostile(kind, slug, row):
    number = int(row["item"])
    if kind in ("prompts", "answers", "user_turns", "controls") and row["text"]:
        row = {**row, "text": f"{HOSTILE[number % len(HOSTILE)]} {kind} {number}"}
    if kind == "prompts":
        told = [{"role": "system", "content": HOSTILE[number % len(HOSTILE)]}]
        row = {**row, "earlier": told}
    if kind == "controls":
        row = {**row, "answer": HOSTILE[-1 - number % len(HOSTILE)]}
    if kind == "labels":
        row = {**row, "reason": HOSTILE[number % len(HOSTILE)]}
    if kind == "scores" and row["unscored"]:
        row = {**row, "unscored": HOSTILE[number % 5]}
    return row


def test_hostile_texts_stay_text():
    study = make_study(samples=1, datasets=("gsm8k", "mt_bench"))
    plain = made(study, items=len(HOSTILE))
    shutil.rmtree("data")
    ours = made(study, items=len(HOSTILE), edit=hostile)
    assert ours.tags == plain.tags
    assert ours.handlers == []
    assert not re.search(
        "[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]", ours.text
    )
    block = ours.block
    assert {f"{text} prompts {n}" for n, text in enumerate(HOSTILE)} == {
        query for _, _, query, *_ in block["prompts"]
    }
    before = [said for _, _, _, *said in block["prompts"]]
    assert {one for said in before for one in said[::2]} == {"system"}
    assert {one for said in before for one in said[1::2]} == set(HOSTILE)
    texts = {row[6] for row in block["turns"] if row[6]}
    assert {text.rsplit(" ", 2)[0] for text in texts} == set(HOSTILE)
    assert set(HOSTILE) <= set(block["answers"])
    hidden = re.compile(block["hidden"])
    assert hidden.findall("a\u202e\x00\u2028\u200b\r") == list("\u202e\x00\u2028\u200b\r")
    assert not hidden.search("a\tb\nc 👩‍👩‍👧 هل")


def test_the_block_holds_turns_as_they_are():
    study = make_study(samples=2)
    ours = made(study, items=4)
    block = ours.block
    assert len(block["turns"]) == 3 * 4 * (1 + 2 + 2 + 4)
    for model, prompt, condition, temperature, sample, answer, text, *_, judged in block["turns"]:
        assert model == "smollm2_135m"
        _, item, query = block["prompts"][prompt]
        assert query == f"How many apples does person {int(item)} have?"
        shown = block["answers"][answer]
        assert shown.startswith("Person" if condition == "base" else condition)
        label, probability, reason = judged[0]
        assert (block["labels"][label] == "empty") == (text == "")
        assert 0 <= probability <= 1
        assert reason == "made up"
        assert sample == 0 or temperature > 0
    assert block["judges"] == ["likelihood"]


def test_every_judge_says_what_it_thinks():
    judged = {"judges": ["likelihood", "reader"], "primary": "likelihood"}
    study = make_study(samples=1, classify=judged, judge={"reader": {"type": "local"}})

    def quoting(kind, slug, row):
        if kind == "labels" and row["judge"] == "reader":
            if row["item"] == "0001":
                return {**row, "label": None, "invalid": "no JSON"}
            return {**row, "evidence_turn": "subtract", "evidence_answer": ""}
        return row

    ours = made(study, items=4, edit=quoting)
    block = ours.block
    assert block["judges"] == ["likelihood", "reader"]
    assert block["primary"] == 0
    for _, prompt, *_, (first, second) in block["turns"]:
        assert len(first) == 3
        if block["prompts"][prompt][1] == "0001":
            assert second == [-1, None, "no JSON"]
        else:
            assert second[1:] == [None, "made up", "subtract"]
    assert "By the other judges" in ours.prose
    assert any("judge=reader" in href for href in ours.links)


def test_words_have_the_gains_of_their_tokens():
    turn = {
        "text": "Why 𝕏pinch\noff?",
        "token_texts": ["Why", " 𝕏", "pinch", "\n", "off", "?"],
        "log_p": [-3.0, -4.0, -1.0, -1.0, -0.5, -0.25],
        "log_p_neutral": [-2.5, -12.0, -2.0, -1.0, -0.5, -0.5],
    }
    flat = words(turn)
    lengths, gains = flat[::2], flat[1::2]
    assert gains == [-5, 90, 0, 2]
    units = turn["text"].encode("utf-16-le")
    spans, start = [], 0
    for length in lengths:
        spans.append(units[2 * start : 2 * (start + length)].decode("utf-16-le"))
        start += length
    assert spans == ["Why", " 𝕏pinch", "\n", "off?"]
    assert words({**turn, "log_p": None}) is None
    assert words({**turn, "text": "Why"}) is None, "stripped: the tokens are of another text"


def test_every_stratum_gives_as_many_turns_until_it_has_no_more():
    study = make_study(samples=4)
    write_artifacts(study, items=12)
    everything = draw(study)
    assert everything.whole
    assert everything.total == 3 * 12 * (1 + 4 + 4 + 4)
    some = draw(study, most=200)
    assert (some.keys.height, some.total, some.whole) == (200, everything.total, False)
    labels = _labels(study)
    there, taken = (
        Counter((row[0], row[1], *row[3:5], labels[row[1:]]) for row in sample.keys.iter_rows())
        for sample in (everything, some)
    )
    full = max(taken.values())
    assert len(STRATUM) == len(next(iter(there)))
    for stratum, count in there.items():
        assert min(count, full - 1) <= taken[stratum] <= min(count, full)
    fewer = draw(study, most=100)
    assert set(fewer.keys.iter_rows()) < set(some.keys.iter_rows()), "more room only adds"
    assert 0 < draw(study, most_bytes=5000).keys.height < 100


def _labels(study):
    from userturn.artifacts import files

    rows = files.read(paths.artifact("labels", "smollm2_135m"), "labels").filter(against="shown")
    return {row[:-1]: row[-1] for row in rows.select(*TURN_KEY, "label").iter_rows()}


def test_a_sample_is_said_to_be_one(monkeypatch):
    monkeypatch.setattr("userturn.report._part.draw", lambda study: draw(study, most=50))
    ours = made(make_study(samples=1), items=6)
    assert len(ours.block["turns"]) == 50
    assert "50 of 126 turns. A stratum is what shares" in ours.prose


def test_empty_parts_say_why():
    study = make_study(
        temperatures=(0.0,), conditions=(), samples=1, datasets=("mt_bench",),
        figures={"formats": ["png"]},
    )  # fmt: skip
    prose = made(study, items=4).prose
    for reason in (
        "No example: data/contexts/smollm2_135m.json is missing",
        "No figures: `figures.formats` of this study has no svg",
        "No contrasts: the study has neither perturbations nor temperatures above 0",
        "The study has no condition swap",
        "No labelled turns were judged",
        "no git commit holds these parameters",
        "not scored: no published verifier",
    ):
        assert reason in prose, reason


def test_a_study_without_greedy_turns_shows_its_other_rates():
    ours = made(make_study(temperatures=(0.7,), samples=2), items=4)
    assert "no greedy turn has a label" in ours.prose


def test_the_example_shows_tokens_and_turn():
    study = make_study(samples=1)
    write_artifacts(study, items=4)
    context = paths.context("smollm2_135m")
    tokens = [[1, "<|im_start|>", True], [2, "user\n", False], [3, "<b>\u202e", False]]
    context.parent.mkdir()
    context.write_text(json.dumps({"dataset": "gsm8k", "item": "0001", "tokens": tokens}))
    tables_stage.run(study)
    figures_stage.run(study)
    ours = page(study)
    assert '<span class="control">&lt;|im_start|&gt;</span>user⏎' in ours.text
    assert '&lt;b&gt;<span class="hidden">U+202E</span>' in ours.text
    assert "#turn=smollm2_135m/gsm8k/0001/base/0/0" in ours.links
    context.write_text("{}\n")
    assert "no first prompt of a dataset has a turn" in page(study).prose
    context.write_text("[1")
    with pytest.raises(ArtifactError, match="contexts"):
        page(study)


def test_what_is_missing_is_named():
    study = make_study(samples=1)
    made(study, items=4)
    Path("reports/figures/controls.svg").write_text("<svg")
    with pytest.raises(ArtifactError, match=r"controls\.svg: cannot be read"):
        stage.run(study)
    METRICS.unlink()
    with pytest.raises(ArtifactError, match="dvc repro tables"):
        stage.run(study)


def test_links_name_the_group_of_a_row():
    row = {"model": "m", "dataset": "all", "condition": "base", "temperature": 0.0, "rate": 1.0}
    assert link(row, label="followup") == (
        "#turns?model=m&condition=base&temperature=0&label=followup"
    )
    assert link({**row, "dataset": "a b&c"}).endswith(
        "dataset=a+b%26c&condition=base&temperature=0"
    )
