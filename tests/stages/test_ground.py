"""Stage `ground` with the real scorer: likelihoods, bytes, and what is said of what is left out."""

import math
import shutil
from pathlib import Path

import pytest

from conversations import CONVERSATIONS
from userturn.artifacts import files, provenance, schemas
from userturn.artifacts.turns import read_turns
from userturn.base import paths
from userturn.base.errors import ArtifactError
from userturn.chat.chat import Chat
from userturn.engines.kinds.transformers import TransformersEngine
from userturn.measures.pool import Pool
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
            "ground": study.ground.model_copy(update={"swaps": 2}),
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
    rows = {(r["item"], r["condition"], r["sample"]): r for r in frame.iter_rows(named=True)}

    tokenizer = AutoTokenizer.from_pretrained(smollm2_dir)
    model = AutoModelForCausalLM.from_pretrained(smollm2_dir, dtype=torch.float32).eval()

    def log_p(query: str, answer: str, role: str, said: str) -> float:
        """Sum over the turn's tokens, ChatML written out, one forward pass over everything."""
        messages = [
            {"role": "user", "content": query},
            {"role": "assistant", "content": answer},
        ]
        head = tokenizer.apply_chat_template(messages, tokenize=False) + f"<|im_start|>{role}\n"
        context = tokenizer(head)["input_ids"]
        target = tokenizer(said)["input_ids"]
        with torch.inference_mode():
            logits = model(torch.tensor([context + target])).logits[0].log_softmax(-1)
        places = range(len(context) - 1, len(context) + len(target) - 1)
        return math.fsum(float(logits[at, token]) for at, token in zip(places, target, strict=True))

    pool = {("mt_bench", item): CONVERSATIONS[item][1] for item in CONVERSATIONS}
    stand_ins, others = Pool(pool, laptop.seed), laptop.ground.others
    items = list(CONVERSATIONS)
    for (item, condition, sample), found in rows.items():
        if sample > 1:
            assert found["grounding"] is None
            continue
        query, answer, _ = CONVERSATIONS[item]
        other = items[(items.index(item) + 1) % len(items)]
        said = CONVERSATIONS[item if (condition, sample) == ("base", 0) else other][2]
        shown = CONVERSATIONS[other][1] if condition == "swap" else answer
        near = list(stand_ins.others(("mt_bench", item), (answer, shown)))
        swaps = [text for _, text in near[:2]]
        size = found["tokens"]
        own = log_p(query, answer, "user", said)
        behind = [log_p(query, swap, "user", said) for swap in swaps]
        assert len(behind) == 2
        assert found["log_p"] / size == pytest.approx(own / size, abs=1e-3)
        grounding = (own - sum(behind) / len(behind)) / size
        assert found["grounding"] == pytest.approx(grounding, abs=1e-3)
        elsewhere = [
            log_p(*CONVERSATIONS[other][:2], "user", said) for (_, other), _ in near[:others]
        ]
        assert len(elsewhere) >= 2
        relevance = own - sum(elsewhere) / len(elsewhere)
        assert found["relevance"] / size == pytest.approx(relevance / size, abs=1e-3)
        voice = (own - log_p(query, answer, "assistant", said)) / size
        assert found["role_voice"] == pytest.approx(voice, abs=1e-3)


@pytest.mark.slow
def test_a_turn_is_grounded_in_its_own_answer_and_not_in_another(laptop):
    run(laptop, SLUG)
    frame = files.read(paths.artifact("grounding", SLUG), "grounding")
    by_kind: dict[tuple[str, int], list[float]] = {}
    relevance: dict[tuple[str, int], list[float]] = {}
    for found in frame.iter_rows(named=True):
        if found["grounding"] is not None:
            kind = found["condition"], found["sample"]
            by_kind.setdefault(kind, []).append(found["grounding"])
            relevance.setdefault(kind, []).append(found["relevance"])
    assert min(by_kind["base", 0]) > max(by_kind["base", 1])
    assert min(relevance["base", 0]) > max(relevance["base", 1])
    assert sum(by_kind["base", 0]) / 4 > 0.2
    # What follows the shown answer owes nothing to the prompt's own.
    assert sum(by_kind["swap", 0]) / 4 < 0.1


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
    assert "12 of 14 turns have a context longer" in capsys.readouterr().err
    frame = files.read(paths.artifact("grounding", SLUG), "grounding")
    assert frame["grounding"].null_count() == len(frame) == 14
    assert frame["restatement"].null_count() == 2


def test_a_turn_of_another_study_is_an_error(laptop):
    path = paths.artifact("prompts", "mt_bench")
    kept = [found for found in files.read(path, "prompts").to_dicts() if found["item"] != "3"]
    files.write(path, "prompts", kept, {})
    with pytest.raises(ArtifactError, match=r"item 3.*another study"):
        read_turns(laptop, SLUG)
