"""Stage `score`: one row per answer, and what is not scored says why."""

import json

import pytest

from synthetic import make_study
from userturn.artifacts import files, schemas
from userturn.base import paths
from userturn.base.errors import ArtifactError
from userturn.stages import score

STUDY = make_study(datasets=("own",))
MODEL = "smollm2_135m"


def put(kind, slug, rows):
    full = [{**dict.fromkeys(schemas.columns(kind)), "dataset": "own", **row} for row in rows]
    files.write(paths.artifact(kind, slug), kind, full, {})


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    target = json.dumps("18")
    put(
        "prompts",
        "own",
        [
            {"item": "right", "verifier": "math", "target": target},
            {"item": "skipped", "verifier": "math", "target": target},
            {"item": "chat"},
        ],
    )
    done = {"request_id": "0", "token_ids": [1], "end": "eos"}
    put(
        "answers",
        MODEL,
        [
            {**done, "item": "right", "text": "It is 18."},
            {"item": "skipped", "skipped": "too long"},
            {**done, "item": "chat", "text": "Hello!"},
        ],
    )


def test_every_answer_has_a_row(inputs):
    score.run(STUDY, MODEL)
    rows = files.read(paths.artifact("scores", MODEL), "scores").to_dicts()
    got = {row.pop("item"): tuple(row.values())[1:] for row in rows}
    assert got == {
        "right": ("math", 1.0, 1.0, None),
        "skipped": ("math", None, None, "too long"),
        "chat": (None, None, None, "conversation: no published verifier"),
    }


def test_an_answer_of_another_study_is_an_error(inputs):
    put("prompts", "own", [{"item": "right"}])
    with pytest.raises(ArtifactError, match=r"answers/.*item chat.*another study"):
        score.run(STUDY, MODEL)
