"""Two tiny models with templates of their own, cross-probed: each behind the other's answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chat_templates import FAMILIES, reference, tokenizer
from userturn import stages
from userturn.artifacts import files
from userturn.base import paths
from userturn.chat.loading import load_chat
from userturn.engines.requests import Request
from userturn.study.study import Study
from userturn.turns import completer

pytestmark = pytest.mark.slow

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 1024,
    "initializer_range": 0.3,
}
KINDS = {"one": ("llama", "llama"), "two": ("instruct", "mistral")}  # template, architecture
LIMIT = 12


def save(folder: Path, family: str, architecture: str) -> None:
    """A checkpoint with random weights, and a family's template and tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    made = FAMILIES[family]
    words = tokenizer(made.template, made.special, made.plain, made.eos, made.bos)
    words.save_pretrained(folder)
    torch.manual_seed(len(family))
    config = AutoConfig.for_model(
        architecture, **SMALL, vocab_size=len(words), eos_token_id=words.eos_token_id
    )
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)


def make_study(folder: Path) -> Study:
    models = {
        slug: {
            "source": {"type": "file", "path": str(folder / slug)},
            "chat": {"template_kwargs": FAMILIES[family].kwargs},
            "engine": {"name": "transformers", "max_model_len": 1024},
        }
        for slug, (family, _) in KINDS.items()
    }
    source = {"type": "file", "path": str(folder / "own.jsonl")}
    return Study.model_validate(
        {
            "prompts": {"datasets": ["own"], "items": None},
            "models": {"pretrained": list(models), "probe": list(models), "cross": list(models)},
            "generate": {
                "answer_source": ["self", "one", "two"],
                "answer": {"max_tokens": LIMIT},
                "user_turn": {"temperatures": [0.0], "samples": 1, "max_tokens": LIMIT},
            },
            "model": models,
            "dataset": {"own": {"kind": "jsonl", "source": source}},
        }
    )


def test_contexts_are_the_writers_template_around_the_others_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    prompts = {str(n): f"How many apples are left, if there are {n}?" for n in range(3)}
    rows = [{"id": item, "prompt": text} for item, text in prompts.items()]
    Path("own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for slug, (family, architecture) in KINDS.items():
        save(tmp_path / slug, family, architecture)
    study = make_study(tmp_path)
    sent: dict[str, Request] = {}
    stage = ""
    by_stage: dict[str, set[str]] = {}
    complete = completer.Completer.complete

    def watched(self, requests, what):
        by_stage.setdefault(stage, set()).update(request.id for request in requests)
        sent.update({request.id: request for request in requests})
        return complete(self, requests, what)

    monkeypatch.setattr(completer.Completer, "complete", watched)
    for name, slug in stages.instances(study):
        if name in ("prompts", "weights", "generate", "cross"):
            stage = stages.full_name(name, slug)
            stages.run(study, name, slug)
    answers = {
        slug: dict(
            files.read(paths.artifact("answers", slug), "answers").select("item", "text").rows()
        )
        for slug in KINDS
    }
    assert answers["one"] != answers["two"]
    for writer, source in (("one", "two"), ("two", "one")):
        crossed = files.read(paths.artifact("cross", writer), "cross")
        assert crossed["answer_source"].to_list() == [source] * len(prompts)
        own = files.read(paths.artifact("user_turns", writer), "user_turns")
        chat = load_chat(study, writer)
        for row in crossed.iter_rows(named=True):
            assert row["skipped"] is None, row
            context = sent[row["request_id"]].context
            assert len(context) == row["context_tokens"]
            query, answer = prompts[row["item"]], answers[source][row["item"]]
            assert row["answer"] == answer
            # By transformers itself: the conversation up to where the next user turn begins.
            whole = reference(chat, [query, answer, "apples"])
            assert context == whole[: len(context)]
            assert chat.decode(whole[len(context) :]).startswith("apples")
            theirs = own.filter(item=row["item"])["request_id"].item()
            assert sent[theirs].context != context, "behind its own answer it is another context"
        asked = set(crossed["request_id"])
        assert by_stage[f"cross@{writer}"] == asked, "no answer is asked for again"
