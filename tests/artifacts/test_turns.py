"""The one reader of user turns: what a turn reacts to under each condition, and strays."""

from __future__ import annotations

import polars as pl
import pytest

from synthetic import make_study, write_artifacts
from userturn.artifacts import files, schemas
from userturn.artifacts.turns import compared, frame, measured, read_turns
from userturn.base.errors import ArtifactError
from userturn.base.paths import artifact

MODEL = "smollm2_135m"
STUDY = make_study(datasets=["a", "b"], temperatures=[0.0], conditions=["ask", "swap"])


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def skip_a_swap(kind, slug, row):
    nothing = dict.fromkeys(("request_id", "text", "token_ids", "end", "stop_token", "answer"))
    if kind == "controls" and (row["condition"], row["item"]) == ("swap", "0001"):
        return {**row, **nothing, "skipped": "no other answer"}
    return row


def test_what_a_turn_was_shown_and_what_is_its_own():
    write_artifacts(STUDY, items=2, edit=skip_a_swap)
    turns = read_turns(STUDY, MODEL)
    assert list(turns[0]) == [*schemas.columns("user_turns"), "earlier", "query", "own", "shown"]
    conditions = [turn["condition"] for turn in turns]
    assert conditions == ["base"] * 4 + ["ask", "swap"] * 4, "unperturbed turns come first"
    for turn in turns:
        number = int(turn["item"])
        answer = f"Person {number} has {number} apples. " * 12
        perturbed = f"{turn['condition']} of {number}"
        shown = {"base": answer}.get(turn["condition"], perturbed)
        assert turn["shown"] == (None if turn["skipped"] else shown)
        assert turn["own"] == {"ask": perturbed}.get(turn["condition"], answer)
        assert turn["query"].startswith("How many apples")


def test_measures_stand_beside_their_turn():
    def edit(kind, slug, row):
        return None if kind == "grounding" and row["item"] == "0000" else row

    write_artifacts(STUDY, items=2, edit=edit)
    turns = measured(STUDY, MODEL)
    plain = frame(STUDY, MODEL)
    assert turns.select(plain.columns).equals(plain)
    grounding = files.read(artifact("grounding", MODEL), "grounding")
    shown = grounding.filter(against="shown")
    assert turns["uptake"].drop_nulls().sort().equals(shown["uptake"].drop_nulls().sort())
    assert turns.filter(pl.col("item") == "0000")["uptake"].null_count() == len(turns) / 2
    unseen = measured(STUDY, MODEL, "own")
    assert set(unseen["condition"]) == {"swap"}
    own = grounding.filter(against="own")
    assert unseen["uptake"].drop_nulls().sort().equals(own["uptake"].drop_nulls().sort())


def test_a_swapped_turn_is_compared_with_both_answers():
    write_artifacts(STUDY, items=2, edit=skip_a_swap)
    rows = compared(STUDY, MODEL)
    assert [row["against"] for row in rows if row["condition"] == "swap"] == ["shown", "own"] * 4
    assert {row["against"] for row in rows if row["condition"] != "swap"} == {"shown"}
    assert all(row["answer"] == row[row["against"]] for row in rows)
    assert len(rows) == len(read_turns(STUDY, MODEL)) + 4


@pytest.mark.parametrize("kind", ["user_turns", "controls"])
def test_a_turn_of_another_study_is_named(kind):
    def edit(at, slug, row):
        return {**row, "item": "x9"} if at == kind and row["item"] == "0001" else row

    write_artifacts(STUDY, items=2, edit=edit)
    with pytest.raises(ArtifactError, match=rf"{kind}/.*: holds a turn of a, item x9"):
        frame(STUDY, MODEL)
