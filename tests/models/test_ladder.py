"""Studies of the hub: a transcript as the template of base models, and what their entries say."""

from pathlib import Path

import pytest

from chat_templates import tokenizer
from userturn.chat.chat import Chat
from userturn.study.loading import load_study

ROOT = Path(__file__).resolve().parents[2]
LADDER = load_study(ROOT / "studies/ladder.yaml")
PAPER = load_study(ROOT / "studies/paper.yaml")
BASES = ("tulu3_8b_base", "olmo2_1b_base")


@pytest.mark.parametrize("slug", BASES)
def test_a_base_model_is_given_a_transcript(slug, tmp_path):
    """Its folder has a tokenizer without a template, as the hub's have."""
    tok = tokenizer("", ("<|begin|>",), eos="<|endoftext|>", bos="<|begin|>")
    tok.save_pretrained(tmp_path)
    (tmp_path / "chat_template.jinja").unlink(missing_ok=True)
    (tmp_path / "generation_config.json").write_text("{}")
    chat = Chat.load(tmp_path, LADDER.model[slug].chat)
    chat.self_check()
    context = chat.user_context("What is 2?", "It is 2.", "history")
    assert chat.decode(context) == ("<|begin|>User: What is 2?\n\nAssistant: It is 2.\n\nUser:")
    asked = chat.decode(chat.answer_context("What is 2?"))
    assert asked == "<|begin|>User: What is 2?\n\nAssistant:"
    ids = chat.encode_content("Why is that?\n\nAssistant: Because it is.\n\nUser: Thanks.")
    assert chat.user_text(ids) == "Why is that?"
    ids = chat.encode_content("It is 2.\n\nUser: Thanks.")
    assert chat.answer_text(ids).strip() == "It is 2."


def test_every_stage_of_the_ladder_is_told_apart_by_its_weights_alone():
    for base in BASES:
        stages = [slug for slug in LADDER.models.probe if slug[:5] == base[:5]]
        assert [slug.rpartition("_")[2] for slug in stages] == ["base", "sft", "dpo", "rlvr"]
        entries = [LADDER.model[slug] for slug in stages]
        assert len({entry.source.repo for entry in entries}) == 4
        for one in ("engine", "family", "parameters", "license"):
            assert len({repr(getattr(entry, one)) for entry in entries}) == 1
        assert [entry.chat.template is not None for entry in entries] == [True, False, False, False]


@pytest.mark.parametrize("study", [PAPER, LADDER], ids=["paper", "ladder"])
def test_an_open_judge_is_primary_and_the_papers_is_optional(study):
    assert study.classify.judges == ["gpt_oss_120b", "gpt_5_4_mini", "likelihood"]
    primary, paid = study.judge["gpt_oss_120b"], study.judge["gpt_5_4_mini"]
    assert study.classify.primary == study.classify.judge_model == "gpt_oss_120b"
    assert primary.serves_judge_model
    assert not primary.optional
    assert (paid.model, paid.optional, paid.key_env) == ("gpt-5.4-mini", True, "OPENAI_API_KEY")
    assert "gpt_oss_120b" in study.models.pretrained
