from pathlib import Path

import pytest

from userturn import artifacts, classify, paths
from userturn.errors import ArtifactError
from userturn.params import LikelihoodThresholds, load_study

SLUG = "smollm2_135m"
QUERY = "How do I keep basil alive on a balcony?"
ANSWER = "Give it six hours of sun, and pinch off the flowers."

# Condition, sample, text, G, V, and what is to become of it.
TURNS = [
    ("base", 0, "How often should I pinch off the flowers?", 0.8, 0.5, "followup"),
    ("base", 1, "What is the capital of France?", 0.0, 0.5, "unrelated"),
    ("base", 2, "", None, None, "empty"),
    ("base", 3, None, None, None, None),
    ("base", 4, "Why six hours?", None, None, None),
    ("ask", 0, "Thanks, bye!", 0.0, 0.5, "generic"),
    ("ask", 1, "Yes, please.", 0.0, 0.5, "followup"),
]


def key(condition, sample):
    common = {"dataset": "mt_bench", "item": "0", "condition": condition}
    return {**common, "temperature": 0.7, "sample": sample}


def put(kind, slug, rows):
    full = [{**dict.fromkeys(artifacts.SCHEMAS[kind]), **row} for row in rows]
    artifacts.write(paths.artifact(kind, slug), kind, full, {})


@pytest.fixture
def study(tmp_path, monkeypatch):
    study = load_study(Path(__file__).parents[1] / "studies/laptop.yaml")
    monkeypatch.chdir(tmp_path)
    place = {"dataset": "mt_bench", "item": "0"}
    put("prompts", "mt_bench", [{**place, "text": QUERY}])
    put("answers", SLUG, [{**place, "text": ANSWER}])
    turns, controls, measures = [], [], []
    for condition, sample, text, grounding, voice, _ in TURNS:
        done = {"request_id": "0", "text": text, "token_ids": [1], "end": "eos"}
        turn = {**key(condition, sample), **({"skipped": "too long"} if text is None else done)}
        if condition == "base":
            turns.append(turn)
        else:
            controls.append({**turn, "answer": ANSWER + " Shall I go on?"})
        measures.append(
            {
                **key(condition, sample),
                "grounding": grounding,
                "role_voice": voice,
                "relevance": 20.0 * grounding if grounding else grounding,
            }
        )
    put("user_turns", SLUG, turns)
    put("controls", SLUG, controls)
    put("grounding", SLUG, measures)
    prompts = study.prompts.model_copy(update={"datasets": ["mt_bench"]})
    return study.model_copy(update={"prompts": prompts})


def test_every_turn_gets_one_row_and_skipped_ones_no_label(study):
    classify.run(study, SLUG)
    rows = artifacts.read(paths.artifact("labels", SLUG), "labels").to_dicts()
    found = {(row["condition"], row["sample"]): row for row in rows}
    assert {place: row["label"] for place, row in found.items()} == {
        (condition, sample): label for condition, sample, *_, label in TURNS
    }
    assert found["base", 3]["invalid"] == "too long"
    assert "not scored" in found["base", 4]["invalid"]
    for row in rows:
        assert (row["label"] is None) == (row["invalid"] is not None) == (row["reason"] is None)
        assert row["judge"] == "likelihood"
        assert row["rubric"] == classify.rubric_of(study.classify.likelihood)


def test_the_rubric_is_the_thresholds_and_not_their_origin():
    base = LikelihoodThresholds(grounding=0.1)
    assert classify.rubric_of(base) == classify.rubric_of(base.model_copy(update={"origin": "x"}))
    assert classify.rubric_of(base) != classify.rubric_of(LikelihoodThresholds(grounding=0.2))


def test_a_turn_without_measures_is_an_error_that_names_it(study):
    put("grounding", SLUG, [])
    with pytest.raises(ArtifactError, match=r"grounding.*sample=0.*dvc repro"):
        classify.run(study, SLUG)
