"""Stage `ground` with the real scorer: likelihoods, bytes, and what is said of what is left out."""

import math
import shutil
from pathlib import Path

import polars as pl
import pytest

from conversations import CONVERSATIONS
from userturn.artifacts import files, provenance, schemas
from userturn.artifacts.turns import read_turns
from userturn.base import paths
from userturn.base.errors import ArtifactError
from userturn.chat.chat import Chat
from userturn.engines.kinds.transformers import TransformersEngine
from userturn.models import weights
from userturn.stages.ground import run
from userturn.study.loading import load_study
from userturn.study.models import EngineParams

STUDY = Path(__file__).parents[2] / "studies/laptop.yaml"
SLUG = "smollm2_135m"


def write_inputs(folder: Path, chat: Chat) -> None:
    """Artifacts of one dataset with two turns per prompt and a `swap` control."""

    def put(kind: str, slug: str, rows: list[dict]) -> None:
        full = [{**dict.fromkeys(schemas.columns(kind)), **entry} for entry in rows]
        files.write(folder / paths.artifact(kind, slug), kind, full, {})

    def said(item: str, condition: str, text: str, sample: int) -> dict:
        ids = list(chat.encode_content(text))
        common = {"dataset": "mt_bench", "item": item, "condition": condition, "temperature": 0.7}
        done = {"request_id": "0", "text": text, "token_ids": ids, "end": "eos"}
        return {**common, "sample": sample, **done}

    prompts, answers, turns, controls = [], [], [], []
    items = list(CONVERSATIONS)
    for at, (item, (query, answer, follow_up)) in enumerate(CONVERSATIONS.items()):
        other = items[(at + 1) % len(items)]
        key = {"dataset": "mt_bench", "item": item}
        prompts.append({**key, "order": at, "text": query})
        answers.append({**key, "text": answer})
        turns += [said(item, "base", follow_up, 0), said(item, "base", CONVERSATIONS[other][2], 1)]
        shown = CONVERSATIONS[other][1]
        controls.append({**said(item, "swap", CONVERSATIONS[other][2], 0), "answer": shown})
    empty = said("0", "base", "", 2)
    nothing = dict.fromkeys(("request_id", "text", "token_ids", "end"))
    skipped = {**said("0", "base", "", 3), **nothing, "skipped": "too long"}
    put("prompts", "mt_bench", prompts)
    put("answers", SLUG, answers)
    put("user_turns", SLUG, [*turns, empty, skipped])
    put("controls", SLUG, controls)


@pytest.fixture
def laptop(tmp_path, monkeypatch, smollm2_dir):
    study = load_study(STUDY)
    study = study.model_copy(
        update={
            "prompts": study.prompts.model_copy(update={"datasets": ["mt_bench"]}),
        }
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(weights, "materialise", lambda study, slug: smollm2_dir)
    monkeypatch.setattr(weights, "identity", lambda study, slug: "smollm2/float32")
    write_inputs(tmp_path, Chat.load(smollm2_dir, study.model[SLUG].chat))
    return study


@pytest.mark.slow
def test_measures_agree_with_full_forward_passes(laptop, smollm2_dir):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    run(laptop, SLUG)
    frame = files.read(paths.artifact("grounding", SLUG), "grounding")
    rows = {(r["item"], r["condition"], r["sample"], r["against"]): r for r in frame.to_dicts()}

    tokenizer = AutoTokenizer.from_pretrained(smollm2_dir)
    model = AutoModelForCausalLM.from_pretrained(smollm2_dir, dtype=torch.float32).eval()

    def log_p(messages: list[tuple[str, str]], role: str, said: str) -> list[float]:
        """Per token of the turn, ChatML written out, one forward pass over everything."""
        spoken = [{"role": who, "content": text} for who, text in messages]
        # The template adds a system turn to what begins with a user turn.
        head = tokenizer.apply_chat_template(
            spoken or [{"role": "user", "content": "@"}], tokenize=False
        )
        head = head + f"<|im_start|>{role}\n" if spoken else head.partition("@")[0]
        context = tokenizer(head)["input_ids"]
        target = tokenizer(said)["input_ids"]
        with torch.inference_mode():
            logits = model(torch.tensor([context + target])).logits[0].log_softmax(-1)
        places = range(len(context) - 1, len(context) + len(target) - 1)
        return [float(logits[at, token]) for at, token in zip(places, target, strict=True)]

    items = list(CONVERSATIONS)
    assert len(rows) == 8 + 2 * 4 + 2
    for (item, condition, sample, against), measured in rows.items():
        if sample > 1:
            assert measured["uptake"] is measured["log_p"] is None
            continue
        query, answer, _ = CONVERSATIONS[item]
        other = items[(items.index(item) + 1) % len(items)]
        said = CONVERSATIONS[item if (condition, sample) == ("base", 0) else other][2]
        if (condition, against) == ("swap", "shown"):
            answer = CONVERSATIONS[other][1]
        assert "".join(measured["token_texts"]) == said
        asked = ("user", query)
        behind = {
            "log_p": log_p([asked, ("assistant", answer)], "user", said),
            "log_p_neutral": log_p([asked, ("assistant", "Okay.")], "user", said),
            "log_p_alone": log_p([], "user", said),
            "log_p_assistant": log_p([asked, ("assistant", answer)], "assistant", said),
        }
        for name, tokens in behind.items():
            assert measured[name] == pytest.approx(tokens, abs=2e-3)
        size = measured["tokens"]
        for name, left, right in (
            ("uptake", "log_p", "log_p_neutral"),
            ("relevance", "log_p_neutral", "log_p_alone"),
            ("role_voice", "log_p", "log_p_assistant"),
        ):
            gain = math.fsum(behind[left]) - math.fsum(behind[right])
            assert measured[name] == pytest.approx(gain / size, abs=1e-3)


@pytest.mark.slow
def test_a_turn_takes_from_the_answer_it_saw_and_from_no_other(laptop):
    run(laptop, SLUG)
    frame = files.read(paths.artifact("grounding", SLUG), "grounding")
    scored = frame.filter(pl.col("uptake").is_not_null())
    uptake = {
        key: part["uptake"].to_list()
        for key, part in scored.group_by("condition", "sample", "against")
    }
    assert min(uptake["base", 0, "shown"]) > max(uptake["base", 1, "shown"])
    assert sum(uptake["swap", 0, "shown"]) / 4 > 0.2
    assert sum(uptake["swap", 0, "own"]) / 4 < 0.1


@pytest.mark.slow
def test_the_stage_writes_the_same_bytes_twice(laptop, monkeypatch):
    path = paths.artifact("grounding", SLUG)
    run(laptop, SLUG)
    first = path.read_bytes()
    shutil.rmtree(paths.completion_store("any").parent)
    run(laptop, SLUG)
    assert path.read_bytes() == first
    monkeypatch.setattr(TransformersEngine, "load", lambda _: pytest.fail("everything is stored"))
    run(laptop, SLUG)
    assert path.read_bytes() == first
    assert provenance.read(path)["engine"]["engine"] == "transformers"


@pytest.mark.slow
def test_contexts_longer_than_the_scorer_takes_are_counted(laptop, capsys):
    short = EngineParams(name="transformers", max_model_len=24)
    laptop.model[SLUG] = laptop.model[SLUG].model_copy(update={"engine": short})
    run(laptop, SLUG)
    assert "16 of 18 turns have a context longer" in capsys.readouterr().err
    frame = files.read(paths.artifact("grounding", SLUG), "grounding")
    assert frame["uptake"].null_count() == len(frame) == 18
    assert frame["restatement"].null_count() == 2


def test_a_turn_of_another_study_is_an_error(laptop):
    path = paths.artifact("prompts", "mt_bench")
    kept = [found for found in files.read(path, "prompts").to_dicts() if found["item"] != "3"]
    files.write(path, "prompts", kept, {})
    with pytest.raises(ArtifactError, match=r"item 3.*another study"):
        read_turns(laptop, SLUG)
