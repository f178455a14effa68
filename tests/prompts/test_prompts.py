"""The seeded order, and the stage that writes a dataset's prompts."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from userturn.artifacts import messages, provenance
from userturn.artifacts.messages import Message
from userturn.artifacts.prompts import read_prompts
from userturn.base import paths
from userturn.base.errors import ArtifactError, PromptError, SourceError
from userturn.prompts.collect import select
from userturn.prompts.records import Prompt
from userturn.stages import prompts as prompts_stage
from userturn.study.loading import load_study

LAPTOP = load_study(Path(__file__).resolve().parents[2] / "studies/laptop.yaml")
ITEMS = st.lists(st.text(max_size=8), unique=True, max_size=30)


def named(items):
    return [Prompt(item=item, text=f"text of {item}") for item in items]


@given(ITEMS, st.integers(0, 40), st.integers(0, 40), st.integers())
def test_a_larger_draw_starts_with_the_smaller(items, n, m, seed):
    few, many = sorted((n, m))
    drawn = select(named(items), many, seed, "x")
    assert select(named(items), few, seed, "x") == drawn[:few]
    assert len(drawn) == min(many, len(items))
    assert sorted(prompt.item for prompt in select(named(items), None, seed, "x")) == sorted(items)


@given(ITEMS, st.randoms(), st.integers())
def test_the_order_does_not_depend_on_the_file_nor_on_other_items(items, shuffler, seed):
    whole = select(named(items), None, seed, "x")
    shuffled = list(items)
    shuffler.shuffle(shuffled)
    assert select(named(shuffled), None, seed, "x") == whole
    kept = set(shuffled[: len(shuffled) // 2])
    part = [prompt for prompt in whole if prompt.item in kept]
    assert select(named(kept), None, seed, "x") == part


def test_another_seed_or_dataset_draws_others():
    items = named(str(number) for number in range(200))
    draws = [select(items, 20, seed, name) for seed, name in ((0, "x"), (1, "x"), (0, "y"))]
    assert len({tuple(prompt.item for prompt in draw) for draw in draws}) == 3


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study of one prompt file of five prompts, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    lines = [json.dumps({"prompt": text}) for text in ("a", "", "<|im_end|>", "é", "e")]
    Path("mine.jsonl").write_text("\n".join(lines), encoding="utf-8")

    def make(items, seed=0, **source):
        raw = LAPTOP.model_dump()
        raw["seed"] = seed
        raw["prompts"] = {"datasets": ["mine"], "items": items}
        raw["dataset"]["mine"] = {
            "kind": "jsonl",
            "source": {"type": "file", "path": "mine.jsonl", **source},
        }
        return type(LAPTOP).model_validate(raw)

    return make


def test_the_stage_writes_the_same_bytes_again(study):
    path = paths.artifact("prompts", "mine")
    prompts_stage.run(study(3), "mine")
    once = path.read_bytes()
    prompts_stage.run(study(3), "mine")
    assert path.read_bytes() == once
    prompts_stage.run(study(3, seed=1), "mine")
    assert path.read_bytes() != once


def test_the_stage_keeps_the_order_and_says_what_it_took(study, capsys):
    prompts_stage.run(study(3), "mine")
    assert capsys.readouterr().err == ""
    few = read_prompts(["mine"]).sort("order")
    prompts_stage.run(study(9), "mine")
    assert capsys.readouterr().err == "dataset 'mine' has 5 items, 9 asked for: all 5 taken\n"
    all_of_them = read_prompts(["mine"]).sort("order")
    assert all_of_them["order"].to_list() == [0, 1, 2, 3, 4]
    assert all_of_them.head(3).equals(few)
    assert sorted(all_of_them["text"]) == ["", "<|im_end|>", "a", "e", "é"]
    assert all_of_them["verifier"].null_count() == 5

    facts = provenance.read(paths.artifact("prompts", "mine"))
    assert facts["dataset"].startswith("sha256:")
    assert facts["available"] == 5
    assert facts["params"]["prompts.items"] == 9


def test_a_conversation_comes_back_as_it_was_written(study):
    said = [("system", "Be kind."), ("user", "<|im_end|>"), ("assistant", ""), ("user", "é")]
    line = {"messages": [{"role": role, "content": text} for role, text in said]}
    line |= {"answer": "Hello", "next_turn": "Why?"}
    Path("mine.jsonl").write_text(json.dumps(line), encoding="utf-8")
    prompts_stage.run(study(None), "mine")
    [row] = read_prompts(["mine"]).to_dicts()
    assert messages.asked(row) == tuple(Message(role, text) for role, text in said)
    assert (row["text"], row["reference_answer"], row["next_turn"]) == ("é", "Hello", "Why?")


def test_one_question_is_nothing_but_its_text(study):
    prompts_stage.run(study(None), "mine")
    rows = read_prompts(["mine"]).to_dicts()
    assert [messages.asked(row) for row in rows] == [row["text"] for row in rows]


def test_a_dataset_that_cannot_be_read_leaves_the_old_prompts(study):
    prompts_stage.run(study(3), "mine")
    before = paths.artifact("prompts", "mine").read_bytes()
    with pytest.raises(SourceError, match="sha256 differs"):
        prompts_stage.run(study(3, sha256="0" * 64), "mine")
    with Path("mine.jsonl").open("a") as file:
        file.write("\n{broken")
    with pytest.raises(PromptError, match=r"mine\.jsonl, line 6"):
        prompts_stage.run(study(3), "mine")
    assert paths.artifact("prompts", "mine").read_bytes() == before


def test_prompts_that_are_not_there_name_the_mend(study):
    with pytest.raises(ArtifactError, match="dvc repro"):
        read_prompts(["mine"])


def test_only_generated_kinds_are_generated(study):
    raw = study(3).model_dump()
    raw["dataset"]["mine"]["kind"] = "gsm_symbolic"
    with pytest.raises(PromptError, match=r"dataset\.mine\.source\.type: kind 'gsm_symbolic'"):
        prompts_stage.run(type(LAPTOP).model_validate(raw), "mine")


def test_an_id_that_no_artifact_can_hold_is_named(study):
    Path("mine.jsonl").write_text('{"id": "\\ud800", "prompt": "x"}\n')
    with pytest.raises(PromptError, match=r"mine\.jsonl, line 1: 'id' is not valid Unicode"):
        prompts_stage.run(study(3), "mine")
