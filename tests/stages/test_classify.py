import re
from pathlib import Path

import pytest

from judge_server import serve
from userturn.artifacts import files, provenance, schemas
from userturn.base import paths
from userturn.base.errors import ArtifactError
from userturn.judges.kinds.likelihood import rubric_of
from userturn.judges.likelihood import calibration
from userturn.judges.llm import reply as llm
from userturn.stages import classify
from userturn.study.judges import ServerJudge
from userturn.study.loading import load_study

SLUG = "smollm2_135m"
QUERY = "How do I keep basil alive on a balcony?"
ANSWER = "Give it six hours of sun, and pinch off the flowers."
OTHER = "You should often pinch off the flowers of a rose."

# Condition, sample, text, gain of each token, and what is to become of it.
TURNS = [
    ("base", 0, "How often should I pinch off the flowers?", 3.0, "followup"),
    ("base", 1, "What is the capital of France?", 0.0, "unrelated"),
    ("base", 2, "", None, "empty"),
    ("base", 3, None, None, None),
    ("base", 4, "Why six hours?", None, None),
    ("ask", 0, "Thanks, bye!", 0.0, "generic"),
    ("ask", 1, "Yes, please.", 0.0, "followup"),
    ("swap", 0, "How often should I pinch off the flowers?", 3.0, "followup"),
]


def key(condition, sample):
    common = {"dataset": "mt_bench", "item": "0", "condition": condition}
    return {**common, "temperature": 0.7, "sample": sample}


SHIPPED = calibration.read(calibration.SHIPPED)
SCORER = SHIPPED.origin["scorer"]


def tokens(text, gain):
    """Columns of likelihoods: a token per word, each likelier by `gain` behind the answer."""
    if gain is None:
        return {"tokens": 0}
    pieces = re.findall(r"\s*\S+", text)
    behind = {"log_p": -3.0, "log_p_neutral": -3.0 - gain, "log_p_alone": -4.0 - gain}
    behind["log_p_assistant"] = -4.0
    columns = {name: [value] * len(pieces) for name, value in behind.items()}
    return {"tokens": len(pieces), "token_texts": pieces, **columns}


def put(kind, slug, rows, weights="w"):
    full = [{**dict.fromkeys(schemas.columns(kind)), **row} for row in rows]
    files.write(paths.artifact(kind, slug), kind, full, {"weights": weights})


@pytest.fixture
def study(tmp_path, monkeypatch):
    study = load_study(Path(__file__).parents[2] / "studies/laptop.yaml")
    monkeypatch.chdir(tmp_path)
    place = {"dataset": "mt_bench", "item": "0"}
    put("prompts", "mt_bench", [{**place, "text": QUERY}])
    put("answers", SLUG, [{**place, "text": ANSWER}])
    turns, controls, measures = [], [], []
    for condition, sample, text, gain, _ in TURNS:
        done = {"request_id": "0", "text": text, "token_ids": [1], "end": "eos"}
        turn = {**key(condition, sample), **({"skipped": "too long"} if text is None else done)}
        if condition == "base":
            turns.append(turn)
        else:
            shown = {"ask": ANSWER + " Shall I go on?", "swap": OTHER}[condition]
            controls.append({**turn, "answer": shown})
        for against in ("shown", "own") if condition == "swap" else ("shown",):
            measures.append({**key(condition, sample), "against": against, **tokens(text, gain)})
    put("user_turns", SLUG, turns)
    put("controls", SLUG, controls)
    put("grounding", SLUG, measures, SCORER)
    prompts = study.prompts.model_copy(update={"datasets": ["mt_bench"]})
    return study.model_copy(update={"prompts": prompts})


def test_every_turn_gets_one_row_and_skipped_ones_no_label(study):
    classify.run(study, SLUG)
    rows = files.read(paths.artifact("labels", SLUG), "labels").to_dicts()
    found = {(row["condition"], row["sample"]): row for row in rows if row["against"] == "shown"}
    assert {place: row["label"] for place, row in found.items()} == {
        (condition, sample): label for condition, sample, *_, label in TURNS
    }
    assert found["base", 0]["reason"].endswith("the answer explains: how, often, should")
    assert found["base", 3]["invalid"] == "too long"
    assert "not scored" in found["base", 4]["invalid"]
    assert [row["against"] for row in rows if row["condition"] == "swap"] == ["own", "shown"]
    for row in rows:
        assert (row["label"] is None) == (row["invalid"] is not None) == (row["reason"] is None)
        assert (row["label"] is None) == (row["probability"] is None)
        assert row["judge"] == "likelihood"
        assert row["rubric"] == rubric_of(SHIPPED)
    assert found["ask", 1]["probability"] == 1
    assert found["ask", 0]["probability"] == 0


def test_the_rubric_is_every_number_that_decides_and_not_their_origin():
    rubric = rubric_of(SHIPPED)
    assert rubric == rubric_of(SHIPPED.model_copy(update={"origin": {}, "held_out": []}))
    assert rubric != rubric_of(SHIPPED.model_copy(update={"least": 0.9}))
    assert rubric != rubric_of(SHIPPED.model_copy(update={"start": {}}))


def test_likelihoods_of_another_scorer_are_named_with_the_mend(study, capsys):
    classify.run(study, SLUG)
    assert "not calibrated" not in capsys.readouterr().err
    fitted = provenance.read(paths.artifact("labels", SLUG))["judges"]["likelihood"]
    assert fitted["fits_scorer"] is True
    rows = files.read(paths.artifact("grounding", SLUG), "grounding").to_dicts()
    ground = study.ground.model_copy(update={"neutral": ["Sure."]})
    for scorer, other in (
        ("sha256:0/float32", study),
        (SCORER, study.model_copy(update={"ground": ground})),
    ):
        put("grounding", SLUG, rows, scorer)
        classify.run(other, SLUG)
        assert "set classify.likelihood.calibration to data/calibration" in capsys.readouterr().err
        fitted = provenance.read(paths.artifact("labels", SLUG))["judges"]["likelihood"]
        assert fitted["fits_scorer"] is False


def test_a_turn_without_measures_is_an_error_that_names_it(study):
    put("grounding", SLUG, [])
    with pytest.raises(ArtifactError, match=r"grounding.*sample=0.*dvc repro"):
        classify.run(study, SLUG)


def test_every_judge_has_a_row_per_turn_and_llm_judges_show_their_evidence(study, monkeypatch):
    judge = {"remote": ServerJudge(type="server", model="m", base_url="${URL}", key_env=None)}
    classify_params = study.classify.model_copy(update={"judges": ["likelihood", "remote"]})
    study = study.model_copy(update={"judge": judge, "classify": classify_params})
    path = paths.artifact("labels", SLUG)
    with serve() as server:
        monkeypatch.setenv("URL", server.url)
        classify.run(study, SLUG)
        made = path.read_bytes()
        classify.run(study, SLUG)
        assert len(server.prompts) == 6  # five turns, and one of them against another answer too
    assert path.read_bytes() == made
    assert server.url.encode() not in made
    rows = files.read(path, "labels").filter(judge="remote").to_dicts()
    found = {(row["condition"], row["sample"]): row for row in rows if row["against"] == "shown"}
    assert len(rows) == len(TURNS) + 1
    asked = found["base", 0]
    assert (asked["label"], asked["evidence_turn"]) == ("followup", "How")
    assert asked["evidence_answer"] == "Give"
    assert len(asked["request_ids"]) == len(asked["responses"]) == 1
    assert (found["base", 2]["label"], found["base", 2]["request_ids"]) == ("empty", [])
    assert (found["base", 3]["label"], found["base", 3]["invalid"]) == (None, "too long")
    assert {row["rubric"] for row in rows} == {llm.read_rubric("v2")[1]}
    facts = provenance.read(path)["judges"]["remote"]
    assert facts == {"type": "server", "model": "m", "rubric": "v2", "max_tokens": 256}
