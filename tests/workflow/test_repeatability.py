"""Two runs compared: where rows differ first, how rates shift, and that each run starts empty."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from userturn import __version__, stages
from userturn.base import paths
from userturn.base.errors import StudyError
from userturn.commands.repeatability import SCHEMA, run_repeatability
from userturn.engines.kinds import fake
from userturn.engines.requests import Completion
from userturn.study.study import Study
from userturn.workflow.repeatability import repeat
from userturn.workflow.runs import (
    Run,
    compare,
    first_difference,
    mean_shifts,
    other_batch,
    same,
    share_shifts,
)

ids = st.lists(st.integers(0, 5), max_size=8)
labels = st.dictionaries(
    st.tuples(st.sampled_from([0.0, 0.7]), st.integers(0, 9)),
    st.sampled_from(["followup", "empty", "generic"]),
)


def row(tokens: Sequence[int], end: str = "eos", **keys: Any) -> dict[str, Any]:
    return {"token_ids": list(tokens), "end": end, "request_id": "r", "text": str(tokens), **keys}


# --- pure -----------------------------------------------------------------------------------------


@given(ids, ids)
def test_the_first_difference_is_where_prefixes_part(one: list[int], other: list[int]) -> None:
    place = first_difference(row(one), row(other))
    assert place == first_difference(row(other), row(one))
    if one == other:
        assert place is None
    else:
        assert place is not None
        assert one[:place] == other[:place]
        assert one[place : place + 1] != other[place : place + 1]


@given(ids)
def test_another_end_is_a_difference_behind_the_last_token(tokens: list[int]) -> None:
    assert first_difference(row(tokens), row(tokens, end="length")) == len(tokens)


@given(st.lists(st.tuples(ids, ids), min_size=1))
def test_rows_are_counted_once(pairs: list[tuple[list[int], list[int]]]) -> None:
    first = {(n,): row(one) for n, (one, _) in enumerate(pairs)}
    second = {(n,): row(other) for n, (_, other) in enumerate(pairs)}
    counted = same("turns", first, second)
    assert counted.rows == len(pairs)
    assert counted.identical + len(counted.first_difference) == counted.rows
    assert counted.identical == sum(one == other for one, other in pairs)
    assert same("turns", first, first).identical == len(pairs)


@given(labels, labels)
def test_shares_are_of_the_turns_at_that_temperature(
    first: Mapping[Any, str], second: Mapping[Any, str]
) -> None:
    for shift in share_shifts("rules", first, second):
        ours = [
            label for (temperature, _), label in first.items() if temperature == shift.temperature
        ]
        assert shift.first == pytest.approx(ours.count(shift.rate) / len(ours))
        assert -1 <= shift.shift <= 1
    assert not any(shift.shift for shift in share_shifts("rules", first, first))


def test_means_are_side_by_side() -> None:
    (shift,) = mean_shifts("text", "echo", {(0.0, 1): 0.5, (0.0, 2): 1.0}, {(0.0, 1): 0.25})
    assert (shift.first, shift.second, shift.shift) == (0.75, 0.25, -0.5)


@given(st.integers(1, 500), st.integers(0, 500))
def test_the_other_batch_is_another_one(usual: int, prompts: int) -> None:
    other = other_batch(usual, prompts)
    assert other >= 1
    assert other != min(usual, max(1, prompts))


def test_turns_behind_other_answers_are_told_apart() -> None:
    place = {"dataset": "d", "item": "1"}
    turn = {**place, "condition": "base", "temperature": 0.0, "sample": 0}
    one = Run((row([1], **place),), (row([1], **turn),))
    other = Run((row([2], **place),), (row([2], **turn),))
    counts = {each.kind: (each.rows, each.identical) for each in compare(one, other)}
    assert counts == {
        "answers": (1, 0),
        "user turns": (1, 0),
        "user turns behind the same answers": (0, 0),
    }


# --- the fake engine ------------------------------------------------------------------------------


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(tmp_path)
    lines = [json.dumps({"prompt": f"Question number {n}?"}) for n in range(6)]
    Path("prompts.jsonl").write_text("\n".join(lines))
    model = {"type": "generator", "module": "userturn.engines.fake", "version": __version__}
    made = Study.model_validate(
        {
            "prompts": {"datasets": ["own"], "items": 4},
            "models": {"pretrained": ["fake"], "probe": ["fake"]},
            "model": {"fake": {"source": model, "engine": {"name": "fake"}, "parameters": 1}},
            "dataset": {
                "own": {"kind": "jsonl", "source": {"type": "file", "path": "prompts.jsonl"}}
            },
        }
    )
    stages.run(made, "weights", "fake")
    return made


def test_a_deterministic_engine_repeats_itself_from_empty_stores(
    study: Study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = tmp_path / "sent.log"
    monkeypatch.setenv("USERTURN_FAKE_LOG", str(log))
    repeated = repeat(study, "fake", 3)
    sent = log.read_text().splitlines()
    assert len(sent) == len(set(sent)) * 2, "each request was sent twice"
    assert repeated.batches == (64, 1)
    assert [(one.rows, one.identical) for one in repeated.same] == [(3, 3), (27, 27), (27, 27)]
    assert repeated.shifts
    assert not any(one.shift for one in repeated.shifts)
    assert {one.by for one in repeated.shifts} == {"rules", "text", "likelihood"}
    assert not paths.completion_store("fake").exists()
    assert "USERTURN_STORE" not in os.environ


def test_what_differs_is_told_and_printed(
    study: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An engine whose batch of one ends every completion a token early."""
    whole = fake.FakeEngine.generate

    def generate(self: Any, requests: Any) -> Any:
        for request, done in whole(self, requests):
            cut = done.token_ids[:-1] if self._params.max_num_seqs == 1 else done.token_ids
            yield request, Completion(cut, done.end, done.stop_id)

    monkeypatch.setattr(fake.FakeEngine, "generate", generate)
    run_repeatability(study, "fake", 3, as_json=True)
    made = json.loads(capsys.readouterr().out)
    jsonschema.validate(made, SCHEMA.json_schema(mode="serialization"))
    answers = made["same"][0]
    assert answers["identical"] == 0
    assert len(answers["first_difference"]) == answers["rows"] == 3
    assert answers["median_difference"] > 0
    assert all(one["shift"] == one["second"] - one["first"] for one in made["shifts"])
    run_repeatability(study, "fake", 3, as_json=False)
    shown = capsys.readouterr().out
    assert "generated with 64 and with 1 sequences" in " ".join(shown.split())
    assert ", in the median " in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_a_scorer_that_wants_a_gpu_is_not_asked(study: Study) -> None:
    raw = study.model_dump(mode="json")
    raw["model"]["big"] = {**raw["model"]["fake"], "resources": {"gpus": 1}}
    raw["models"]["pretrained"].append("big")
    raw["ground"]["scorer"] = "big"
    repeated = repeat(Study.model_validate(raw), "fake", 2)
    assert {one.by for one in repeated.shifts} == {"rules", "text"}
    assert "its scorer big wants a GPU" in repeated.notes[0]


def test_a_model_of_another_study_is_named(study: Study) -> None:
    with pytest.raises(StudyError, match="it probes: fake"):
        repeat(study, "other", 2)
