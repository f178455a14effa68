"""The tables against hand calculation, and every hole that a study can have."""

from __future__ import annotations

import csv
import json
import statistics
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from synthetic import ELEVEN, TURNS, held_out, make_study, write_artifacts
from userturn import stages, tables
from userturn.annotate import server
from userturn.artifacts.files import read
from userturn.artifacts.labels import Label
from userturn.base.errors import ArtifactError
from userturn.base.paths import artifact, context
from userturn.stages import tables as stage
from userturn.stats import power, quantify
from userturn.tables import _adjusted
from userturn.tables.examples import EXCERPT

pytestmark = pytest.mark.slow

ASKING = ("followup", "on_topic", "restatement")  # whose texts hold a question mark
SKIPPED = {
    "skipped": "too long",
    **dict.fromkeys(("request_id", "text", "token_ids", "end", "stop_token")),
}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def calibrated(monkeypatch):
    """Held-out turns of the likelihood judge."""
    given = held_out()
    monkeypatch.setattr(_adjusted.calibration, "of_study", lambda study: given)
    return given.held_out


def build(study, **made):
    write_artifacts(study, **made)
    stage.run(study)
    return {name: load(name) for name in tables.all_tables()}


def load(name):
    with tables.path_of(name).open(newline="") as handle:
        return list(csv.DictReader(handle))


def pick(rows, **wanted):
    """The rows whose cells read as wanted."""
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def only(rows, **wanted):
    (row,) = pick(rows, **wanted)
    return row


def metrics():
    return json.loads(tables.METRICS.read_text(), parse_constant=pytest.fail)


def relabel(labels):
    """An edit that gives the greedy base turns of dataset `a` these labels, item by item."""

    def edit(kind, slug, row):
        if kind == "labels" and row["dataset"] == "a" and row["item"] in labels:
            key = row["condition"], row["temperature"], row["sample"]
            label = labels[row["item"]].get(key, row["label"])
            return {**row, "label": label, "invalid": None if label else "unreadable"}
        return row

    return edit


@pytest.mark.slow
@pytest.mark.usefixtures("calibrated")
def test_every_table_has_its_columns_and_reads_as_numbers():
    got = build(make_study())
    assert {path.stem for path in tables.FOLDER.glob("*.csv")} == set(tables.all_tables())
    for name in ("corrected", "agreement"):
        assert got.pop(name) == [], "nobody labelled anything, and there is one judge"
    assert got.pop("published") == [], "no paper lies beside this folder"
    for name in ("cross", "expected", "human", "human_labels"):
        assert got.pop(name) == [], "the study asks for none"
    for name, table in tables.all_tables().items():
        if name not in got:
            continue
        frame = pl.read_csv(tables.path_of(name))
        assert frame.columns == list(table.columns)
        assert frame.height == len(got[name]) > 0
        text = tables.path_of(name).read_text()
        assert "nan" not in text.lower().replace("unrelated", "")
        assert "None" not in text
    # one model: (3 datasets + all) x (3 temperatures + 4 controls)
    assert len(got["rates"]) == 4 * 7
    assert len(got["labels"]) == 4 * 7 * len(Label)
    assert len(got["controls"]) == 4 * 4
    assert len(got["temperature"]) == 4 * 2
    assert len(got["unseen"]) == 4
    assert len(got["power"]) == 4 * 4 + 4 * 2
    assert len(got["adjusted"]) == 4 * 7
    assert len(got["uptake"]) == 3 + 4 + 1
    assert len(got["convergence"]) == 3 * 8 + 2 * 4


def test_a_model_has_few_numbers_beside_the_many():
    build(make_study(datasets=["a"], temperatures=[0.0, 0.7]), items=4)
    short = json.loads((tables.HEADLINE / "smollm2_135m.json").read_text())
    numbers = metrics()["model"]["smollm2_135m"]
    assert set(short) == {"rate", "rate_low", "rate_high", "lenient", "adjusted", "prompts"}
    assert short["rate_low"] == numbers["followup_rate"]["low"]
    assert short["lenient"] == numbers["lenient_rate"]["lenient"]


@pytest.mark.slow
def test_the_same_artifacts_give_the_same_bytes():
    study = make_study()
    build(study)
    folders = tables.FOLDER, tables.HEADLINE
    files = [tables.METRICS, *(path for folder in folders for path in sorted(folder.rglob("*.*")))]
    first = {path: path.read_bytes() for path in files}
    stage.run(study)
    assert {path: path.read_bytes() for path in files} == first


def test_rates_by_hand():
    """Greedy: 1 of 4 prompts. Sampled: 2/2, 0/2 (one turn of it invalid: 0/1), 1/2, 0/2."""
    follow, other = "followup", "unrelated"
    plan = {
        "0000": (follow, [follow, follow]),
        "0001": (other, [other, None]),
        "0002": (other, [follow, other]),
        "0003": (other, [other, other]),
    }
    labels = {
        item: {
            ("base", 0.0, 0): greedy,
            ("base", 1.0, 0): sampled[0],
            ("base", 1.0, 1): sampled[1],
        }
        for item, (greedy, sampled) in plan.items()
    }
    study = make_study(datasets=["a"], temperatures=[0, 1], samples=2, conditions=[])
    got = build(study, items=4, edit=relabel(labels))

    greedy = only(got["rates"], dataset="a", temperature="0")
    low, high = proportion_confint(1, 4, method="wilson")
    assert [greedy["rate"], greedy["method"], greedy["prompts"]] == ["0.25", "wilson", "4"]
    assert [greedy["low"], greedy["high"]] == [f"{low:.6g}", f"{high:.6g}"]

    sampled = only(got["rates"], dataset="a", temperature="1")
    assert float(sampled["rate"]) == (1 + 0 + 0.5 + 0) / 4
    assert [sampled[name] for name in ("samples", "followups", "invalid")] == ["8", "3", "1"]
    assert sampled["method"] == "bootstrap"
    pooled = only(got["rates"], dataset="all", temperature="1")
    assert {**pooled, "dataset": "a"} == sampled

    contrast = only(got["temperature"], dataset="a")
    assert float(contrast["difference"]) == pytest.approx(0.375 - 0.25)
    assert contrast["test"] == "sign-flip"
    share = only(got["labels"], dataset="a", temperature="0", label="unrelated")
    assert [share["share"], share["count"], share["valid"]] == ["0.75", "3", "4"]
    assert metrics()["model"]["smollm2_135m"]["highest_rate"]["temperature"] == 1


@pytest.mark.slow
def test_shares_add_up_and_agree_with_the_rates():
    got = build(make_study(ELEVEN, ("a", "b"), samples=3), items=3)
    keys = ("model", "dataset", "condition", "temperature")
    total = Counter()
    for row in got["labels"]:
        total[tuple(row[key] for key in keys)] += float(row["share"])
    assert list(total.values()) == pytest.approx([1] * len(total), abs=1e-5)
    for row in got["rates"]:
        same = {key: row[key] for key in keys}
        share = only(pick(got["labels"], **same), label="followup")
        assert (share["share"], share["count"]) == (row["rate"], row["followups"])


@pytest.mark.slow
def test_pooling_counts_every_prompt_the_same():
    got = build(make_study(datasets=["a", "b"]), items=6)
    for pooled in pick(got["rates"], dataset="all"):
        parts = [
            row
            for row in got["rates"]
            if row["dataset"] != "all"
            and (row["condition"], row["temperature"])
            == (pooled["condition"], pooled["temperature"])
        ]
        mean = sum(float(row["rate"]) for row in parts) / 2
        assert float(pooled["rate"]) == pytest.approx(mean, abs=1e-5)
        assert int(pooled["samples"]) == sum(int(row["samples"]) for row in parts)


def test_controls_by_hand():
    """Ten prompts: `ask` turns eight of them into follow-ups and takes none away."""
    labels = {
        f"{item:04d}": {
            ("base", 0.0, 0): "generic",
            ("ask", 0.0, 0): "followup" if item < 8 else "generic",
            ("swap", 0.0, 0): "followup" if item < 8 else "generic",
            ("close", 0.0, 0): "generic",
        }
        for item in range(10)
    }
    study = make_study(datasets=["a"], temperatures=[0], conditions=["ask", "swap", "close"])
    got = build(study, items=10, edit=relabel(labels))
    ask = only(got["controls"], dataset="a", condition="ask")
    p = mcnemar([[2, 8], [0, 0]], exact=True).pvalue
    assert [ask["rate_base"], ask["rate"], ask["difference"]] == ["0", "0.8", "0.8"]
    assert float(ask["p"]) == pytest.approx(p, rel=1e-5)
    assert float(ask["p_holm"]) == pytest.approx(6 * p, rel=1e-5)  # 3 controls, dataset and all
    assert [ask["expected"], ask["moved"]] == ["up", "up"]
    swap = only(got["controls"], dataset="a", condition="swap")
    assert [swap["expected"], swap["moved"]] == ["open", "up"]
    close = only(got["controls"], dataset="a", condition="close")
    assert [close["difference"], close["p"], close["moved"]] == ["0", "1", "undecided"]
    assert float(close["low"]) < 0 < float(close["high"])


def test_swapped_turns_are_asked_two_questions():
    """Eight of ten turns react to the answer they saw, one to the one that they did not see."""

    def edit(kind, slug, row):
        if kind != "labels" or row["condition"] != "swap":
            return row
        limit = 8 if row["against"] == "shown" else 1
        label = "followup" if int(row["item"]) < limit else "unrelated"
        return {**row, "label": label}

    study = make_study(datasets=["a"], temperatures=[0], conditions=["ask", "swap"])
    got = build(study, items=10, edit=edit)
    assert only(got["controls"], dataset="a", condition="swap")["rate"] == "0.8"
    row = only(got["unseen"], dataset="a")
    low, high = proportion_confint(1, 10, method="wilson")
    assert [row["rate"], row["low"], row["high"]] == ["0.1", f"{low:.6g}", f"{high:.6g}"]
    assert [row["shown"], row["condition"], row["expected"]] == ["0.8", "swap", "zero"]
    check = only(got["checks"], check="unseen")
    assert [check["value"], check["turns"], check["prompts"]] == ["0.1", "10", "10"]


def test_a_judge_that_is_not_asked_about_unseen_answers_has_no_rate_there():
    def edit(kind, slug, row):
        return None if kind == "labels" and row["against"] == "own" else row

    row = only(build(make_study(), edit=edit)["unseen"], dataset="all")
    assert [row["rate"], row["prompts"], row["samples"]] == ["", "0", "0"]


def test_the_lenient_rate_counts_on_topic_turns_too():
    """Of ten prompts two follow-ups and three on the topic; under `ask` five and four."""
    base = ["followup"] * 2 + ["on_topic"] * 3 + ["generic"] * 5
    ask = ["followup"] * 5 + ["on_topic"] * 4 + ["generic"]
    labels = {
        f"{item:04d}": {("base", 0.0, 0): base[item], ("ask", 0.0, 0): ask[item]}
        for item in range(10)
    }
    study = make_study(datasets=["a"], temperatures=[0], conditions=["ask"])
    got = build(study, items=10, edit=relabel(labels))
    row = only(got["rates"], dataset="a", condition="base")
    low, high = proportion_confint(5, 10, method="wilson")
    assert [row["rate"], row["lenient"]] == ["0.2", "0.5"]
    assert [row["lenient_low"], row["lenient_high"]] == [f"{low:.6g}", f"{high:.6g}"]
    assert [row["followups"], row["on_topic"]] == ["2", "3"]
    contrast = only(got["controls"], dataset="a", condition="ask")
    assert [contrast["difference"], contrast["lenient_difference"]] == ["0.3", "0.4"]
    assert metrics()["model"]["smollm2_135m"]["lenient_rate"]["lenient"] == 0.5


def test_the_adjusted_rate_is_the_expected_count(calibrated):
    study = make_study(datasets=["a"], temperatures=[0, 1], samples=2, conditions=[])
    got = build(study, items=30, seed=2)
    labels = read(artifact("labels", "smollm2_135m"), "labels")
    known = _adjusted.known(study)
    assert known.followup.size == sum(one.temperature is not None for one in calibrated)
    recalibrated = known.recalibration(labels["probability"].to_numpy())
    turns = labels.with_columns(p=pl.Series(recalibrated))
    for temperature, warm in (("0", 0.0), ("1", 1.0)):
        row = only(got["rates"], dataset="a", temperature=temperature)
        mean = turns.filter(pl.col("temperature") == warm)["p"].mean()
        assert float(row["adjusted"]) == pytest.approx(mean, rel=1e-5)
        assert float(row["adjusted_low"]) < mean < float(row["adjusted_high"])
        assert row["adjusted_method"] == quantify.RECOMMENDED
        every = only(got["adjusted"], dataset="a", temperature=temperature)
        assert [every[name] for name in ("expected", "rate")] == [row["adjusted"], row["rate"]]
        assert [every["held_out"], every["held_out_prompts"]] == ["120", "60"]
        assert every["rogan_gladen"] != every["probabilistic"] != ""
        assert every["prediction_powered"] == ""
    assert metrics()["model"]["smollm2_135m"]["adjusted_rate"].keys() == {
        "adjusted",
        "adjusted_low",
        "adjusted_high",
    }


def test_without_held_out_turns_or_probabilities_nothing_is_adjusted(monkeypatch):
    judge = {"type": "local", "rubric": "v1"}
    study = make_study(
        conditions=[], classify={"judges": ["likelihood", "other"]}, judge={"other": judge}
    )
    for held, adjusted in ((held_out(0), []), (held_out(), ["likelihood"])):
        monkeypatch.setattr(_adjusted.calibration, "of_study", lambda study, held=held: held)
        got = build(study, items=3)
        with_one = {row["judge"] for row in got["rates"] if row["adjusted"]}
        assert sorted(with_one) == adjusted
        assert {row["judge"] for row in got["adjusted"]} == set(adjusted)
        assert {row["judge"] for row in got["power"]} == {"likelihood", "other"}


def test_people_give_the_adjusted_table_an_estimate_that_trusts_no_judge(calibrated):
    study = make_study(datasets=["a"], temperatures=[0], conditions=["ask"])
    build(study, items=40)
    annotate(study, "ann", lambda text: "followup" if "?" in text else "generic")
    stage.run(study)
    for row in load("adjusted"):
        if row["condition"] != "base":
            assert row["prediction_powered"] == ""
            continue
        people = only(load("corrected"), dataset=row["dataset"])
        assert row["prediction_powered"] == people["prediction_powered"] != ""


def test_power_by_hand():
    """Of 40 prompts `ask` wins six and loses four; `close` changes none."""
    labels = {
        f"{item:04d}": {
            ("base", 0.0, 0): "followup" if item < 4 else "generic",
            ("ask", 0.0, 0): "followup" if 4 <= item < 10 else "generic",
            ("close", 0.0, 0): "followup" if item < 4 else "generic",
        }
        for item in range(40)
    }
    study = make_study(datasets=["a"], temperatures=[0], conditions=["ask", "close"])
    got = build(study, items=40, edit=relabel(labels))["power"]
    ask, close = (only(got, dataset="a", condition=name) for name in ("ask", "close"))
    psi = 11 / 42
    assert [float(ask["difference"]), float(ask["discordance"])] == pytest.approx([0.05, psi])
    assert ask["decided"] == close["decided"] == "no"
    assert float(ask["smallest_visible"]) == pytest.approx(
        power.smallest_visible(psi, 40, 0.95), rel=1e-5
    )
    assert int(ask["prompts_needed"]) == int(power.prompts_needed(0.05, psi, 0.95)) + 1
    assert [close["difference"], close["prompts_needed"]] == ["0", ""]
    assert 0 < float(close["smallest_visible"]) < float(ask["smallest_visible"])
    visible = metrics()["model"]["smollm2_135m"]["smallest_visible"]
    assert visible.keys() == {"ask", "close"}


def annotate(study, name, choose):
    """Label every base turn as a function of its text says, None for a skip."""
    with server.open_session(study, name, 10_000) as session:
        while turn := session.state()["turn"]:
            label = choose(turn["turn"]) or "skip"
            session.answer(server.Answer(turn=turn["id"], label=label, seconds=1))


@pytest.mark.slow
def test_corrected_rates_stand_beside_the_raw_ones_where_people_labelled():
    """People call every question a follow-up, the judge few; no sampling, no skips."""
    study = make_study(datasets=["a"], temperatures=[0, 1], samples=2)
    build(study, items=80)
    annotate(study, "ann", lambda text: "followup" if "?" in text else "generic")
    stage.run(study)
    got = load("corrected")
    assert [(row["dataset"], row["temperature"]) for row in got] == [
        (dataset, temperature) for dataset in ("a", "all") for temperature in ("0", "1")
    ]
    shares = {
        (row["temperature"], row["label"]): float(row["share"])
        for row in pick(load("labels"), dataset="a", condition="base")
    }
    for row in pick(got, dataset="a"):
        raw = only(load("rates"), dataset="a", condition="base", temperature=row["temperature"])
        assert [row[name] for name in ("rate", "low", "high")] == [
            raw[name] for name in ("rate", "low", "high")
        ]
        truth = sum(shares[row["temperature"], label] for label in ASKING)
        assert float(row["prediction_powered"]) == pytest.approx(truth, abs=1e-5)
        assert float(row["prediction_powered_low"]) < truth < float(row["prediction_powered_high"])
        assert [row["specificity"], row["annotators"], row["labelled_prompts"]] == ["1", "1", "80"]
        assert 0 < float(row["sensitivity"]) < 1
        assert float(row["rogan_gladen"]) > float(row["rate"])
    assert [row["labelled"] for row in got] == ["80", "160"] * 2


def test_people_who_disagree_count_by_halves_and_skips_do_not_count():
    study = make_study(datasets=["a"], temperatures=[0], conditions=[])
    build(study, items=60)
    annotate(study, "ann", lambda text: "followup")
    annotate(study, "bob", lambda text: None if text == "Thanks!" else "generic")
    stage.run(study)
    row = only(load("corrected"), dataset="a")
    thanks = only(load("labels"), dataset="a", label="generic")["share"]
    assert float(row["prediction_powered"]) == pytest.approx(0.5 + float(thanks) / 2, abs=1e-5)
    assert row["annotators"] == "2"


def test_accuracy_tells_why_an_answer_was_not_scored():
    def edit(kind, slug, row):
        if kind not in ("answers", "scores") or row["dataset"] != "gsm8k":
            return row
        number = int(row["item"])
        if kind == "answers":
            ended = {"end": "eos" if number < 3 else "length"}
            return {**row, **(SKIPPED if number == 3 else ended)}
        if number < 4:
            return {**row, "score": None, "score_loose": None, "unscored": "no tagger"}
        return {**row, "score": float(number < 6), "score_loose": 1.0}

    got = build(make_study(), items=10, edit=edit)
    gsm = only(got["accuracy"], dataset="gsm8k")
    low, high = proportion_confint(2, 6, method="wilson")
    assert float(gsm["strict"]) == pytest.approx(2 / 6, abs=1e-6)
    assert [gsm["strict_low"], gsm["strict_high"]] == [f"{low:.6g}", f"{high:.6g}"]
    assert gsm["loose"] == "1"
    counts = ("prompts", "scored", "not_scored", "skipped", "truncated")
    assert [gsm[name] for name in counts] == ["10", "6", "3", "1", "6"]
    assert gsm["reasons"] == "no tagger (3)"
    chat = only(got["accuracy"], dataset="mt_bench")
    assert [chat["verifier"], chat["strict"], chat["method"]] == ["none", "", "no data"]
    assert chat["reasons"] == "no published verifier"
    assert set(metrics()["model"]["smollm2_135m"]["accuracy"]) == {"gsm8k", "ifbench"}


def test_turns_by_hand():
    """Five greedy turns: two prompts share a text but for case and spacing, one is empty."""
    texts = ["Tell me more.", " tell  ME more.", "Why?", "Why not?", ""]

    def edit(kind, slug, row):
        if kind == "user_turns":
            text = texts[int(row["item"])]
            return {
                **row,
                "text": text,
                "token_ids": [7] * len(text.split()),
                "end": "eos" if text else "empty",
            }
        return row

    study = make_study(datasets=["a"], temperatures=[0], conditions=[])
    got = only(build(study, items=5, edit=edit)["turns"])
    assert [got["samples"], got["distinct_texts"], got["memorised"]] == ["5", "3", "0.5"]
    assert [got["eos"], got["empty"], got["length"]] == ["0.8", "0.2", "0"]
    assert float(got["mean_tokens"]) == (3 + 3 + 1 + 2 + 0) / 5


@pytest.mark.slow
def test_examples_are_real_turns_of_their_label():
    study = make_study()
    got = build(study, items=30)["examples"]
    shown = Counter(row["label"] for row in got)
    assert max(shown.values()) == 10
    labels = {
        tuple(str(part) for part in key): label
        for *key, label in read(artifact("labels", "smollm2_135m"), "labels")
        .select("dataset", "item", "condition", pl.col("temperature").cast(pl.String), "label")
        .rows()
        if key[3] == "0.0"
    }
    for row in got:
        assert row["turn"] == TURNS[Label(row["label"])].format(item=int(row["item"]))
        assert len(row["answer"]) <= EXCERPT + 5
        assert row["answer"].startswith(
            "Person" if row["condition"] == "base" else row["condition"]
        )
        if row["temperature"] == "0":
            assert labels[row["dataset"], row["item"], row["condition"], "0.0"] == row["label"]
    stage.run(make_study(seed=1))
    assert load("examples") != got


@pytest.mark.parametrize(
    "shape",
    [
        {"temperatures": [0]},
        {"temperatures": [0.7]},
        {"conditions": []},
        {"datasets": ["mt_bench"]},
        {"samples": 1},
        {"models": {"a": ("x", None), "b": ("x", 1.0)}},
        {"perturb": {"conditions": ["ask"], "temperatures": [0.7, 0.3]}},
    ],
)
@pytest.mark.parametrize("items", [1, 3])
@pytest.mark.slow
def test_any_shape_of_study_gives_tables(shape, items):
    got = build(make_study(**shape), items=items)
    assert len(got["rates"]) > 0
    assert set(metrics()["model"]) == {row["model"] for row in got["models"]}


@pytest.mark.slow
def test_a_model_without_size_comes_last_in_its_family():
    got = build(make_study({"a": ("x", None), "b": ("y", 1.0), "c": ("x", 7.0)}), items=1)
    assert [row["model"] for row in got["models"]] == ["c", "a", "b"]


def test_a_control_at_a_temperature_without_base_has_no_data():
    study = make_study(perturb={"conditions": ["ask"], "temperatures": [0.3]})
    row = only(build(study)["controls"], dataset="all")
    assert [row["prompts"], row["difference"], row["p"], row["p_holm"]] == ["0", "", "", ""]
    assert [row["method"], row["moved"]] == ["no data", ""]
    assert metrics()["model"]["smollm2_135m"]["controls"] == {}


@pytest.mark.parametrize("hole", ["invalid", "skipped", "absent"])
def test_a_model_with_nothing_valid_is_counted_and_not_rated(hole):
    def edit(kind, slug, row):
        if kind == "labels" and hole != "absent":
            return {**row, "label": None, "invalid": hole} if hole == "invalid" else None
        if kind in ("user_turns", "controls") and hole == "skipped":
            return {**row, **SKIPPED}
        if kind in ("user_turns", "controls", "labels", "grounding") and hole == "absent":
            return None
        return row

    got = build(make_study(), items=2, edit=edit)
    row = only(got["rates"], dataset="all", condition="base", temperature="0.7")
    expected = {"invalid": ("24", "24", "0"), "skipped": ("0", "0", "24"), "absent": ("0",) * 3}
    assert (row["samples"], row["invalid"], row["skipped"]) == expected[hole]
    assert [row["rate"], row["low"], row["prompts"], row["method"]] == ["", "", "0", "no data"]
    assert {row["share"] for row in got["labels"]} == {""}
    assert {row["p_holm"] for row in got["controls"]} == {""}
    assert got["examples"] == []
    assert metrics()["model"]["smollm2_135m"]["followup_rate"] == {}


def test_no_prompts_at_all():
    got = build(make_study(), items=0)
    assert {row["prompts"] for row in got["rates"]} == {"0"}
    assert {row["prompts"] for row in got["accuracy"]} == {"0"}


def test_a_turn_without_a_label_row_is_refused():
    def edit(kind, slug, row):
        return None if kind == "labels" and row["item"] == "0001" else row

    write_artifacts(make_study(), edit=edit)
    with pytest.raises(ArtifactError, match=r"smollm2_135m\.parquet: 39 user turns .*dvc repro"):
        stage.run(make_study())
    assert not Path("reports").exists()


def test_an_answer_without_its_score_is_refused():
    with pytest.raises(ArtifactError, match=r"scores/smollm2_135m\.parquet: lacks 3 answers"):
        build(
            make_study(),
            edit=lambda kind, _, row: None if kind == "scores" and row["item"] == "0001" else row,
        )


@pytest.mark.slow
def test_artifacts_of_models_that_left_the_study_are_pruned():
    write_artifacts(make_study({"old": ("x", 1.0), "new": ("x", 2.0)}))
    context("old").parent.mkdir(exist_ok=True)
    context("old").write_text("{}")
    stages.prune(make_study({"new": ("x", 2.0)}))
    assert not context("old").exists()
    stage.run(make_study({"new": ("x", 2.0)}))
    assert not artifact("labels", "old").exists()
    assert [row["model"] for row in load("models")] == ["new"]


def test_texts_of_models_are_no_formulas_and_hide_nothing():
    """A turn that begins with a sign is a text in the file, and itself again when read."""
    texts = ["=HYPERLINK(A1)", "a\x1b[2Jb", "abc\u202edef", "-1 apples?"]

    def edit(kind, slug, row):
        if kind == "user_turns":
            return {**row, "text": texts[int(row["item"])]}
        return row

    study = make_study(datasets=["a"], temperatures=[0], conditions=[])
    got = build(study, items=4, edit=edit)["examples"]
    assert sorted(row["turn"] for row in got) == sorted(
        ["'=HYPERLINK(A1)", "a\\u001b[2Jb", "abc\\u202edef", "'-1 apples?"]
    )
    again = {row["turn"] for row in tables.read("examples")}
    assert {"=HYPERLINK(A1)", "-1 apples?"} < again


def test_uptake_is_that_of_the_turns_and_of_answers_that_they_never_saw():
    study = make_study(datasets=["a"], temperatures=[0], samples=1, conditions=["swap"])
    values = {}

    def edit(kind, slug, row):
        if kind == "grounding" and row["tokens"]:
            key = row["condition"], row["against"]
            value = {"shown": 1.0, "own": -1.0}[row["against"]] + 0.01 * int(row["item"])
            values.setdefault(key, []).append(value)
            return {**row, "uptake": value}
        return row

    rows = build(study, items=12, edit=edit)["uptake"]
    assert {(row["condition"], row["against"]) for row in rows} == set(values)
    for row in rows:
        given = values[row["condition"], row["against"]]
        assert int(row["turns"]) == len(given)
        assert float(row["median"]) == pytest.approx(statistics.median(given), abs=1e-5)
        assert float(row["mean"]) == pytest.approx(statistics.mean(given), abs=1e-5)


def test_a_curve_ends_at_the_rate_of_the_study():
    got = build(make_study(samples=5), items=9)
    for over in ("prompts", "samples"):
        for temperature in ("0.7", "1"):
            curve = pick(got["convergence"], over=over, temperature=temperature)
            end = curve[-1]
            rate = only(got["rates"], dataset="all", condition="base", temperature=temperature)
            assert {name: end[name] for name in ("rate", "low", "high", "prompts", "samples")} == {
                name: rate[name] for name in ("rate", "low", "high", "prompts", "samples")
            }
            assert [int(row["n"]) for row in curve] == sorted({int(row["n"]) for row in curve})
    first = pick(got["convergence"], over="samples", temperature="1")[0]
    assert (first["n"], first["samples"]) == ("1", "27")


def test_agreement_of_judges_and_people_is_that_of_sklearn(tmp_path):
    from sklearn.metrics import cohen_kappa_score

    judged = {"judges": ["likelihood", "reader"], "primary": "likelihood"}
    study = make_study(samples=2, classify=judged, judge={"reader": {"type": "local"}})
    pairs = []

    def edit(kind, slug, row):
        if kind != "labels" or row["judge"] == "likelihood":
            return row
        new = (
            None if row["item"] == "0002" else "on_topic" if row["item"] < "0002" else row["label"]
        )
        if new and row["against"] == "shown":
            pairs.append((row["label"], new))
        return {**row, "label": new, "invalid": None if new else "unreadable"}

    (row,) = build(study, items=6, edit=edit)["agreement"]
    assert (row["first"], row["second"], row["turns"]) == ("likelihood", "reader", str(len(pairs)))
    assert float(row["kappa"]) == pytest.approx(
        cohen_kappa_score(*zip(*pairs, strict=True)), abs=1e-5
    )
    assert float(row["kappa_low"]) < float(row["kappa"]) < float(row["kappa_high"])
    with server.open_session(study, "ann", 60) as session:
        for _ in range(12):
            turn = session.state()["turn"]["id"]
            session.answer(server.Answer(turn=turn, label="unrelated", seconds=1))
    stage.run(study)
    rows = load("agreement")
    assert [(row["first"], row["second"]) for row in rows][1:] == [
        ("likelihood", "ann (human)"), ("reader", "ann (human)"),
    ]  # fmt: skip
    assert rows[1]["turns"] == "12"
