"""What is asked of a model: one question as ever, conversations, answers with reasoning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_documented import DOCUMENTED, build, documented
from chat_templates import (
    AWKWARD,
    CHATML,
    PLAIN,
    QUICK,
    TEXTS,
    Family,
    controls,
    family,
)
from userturn.artifacts import schemas
from userturn.base.seeds import derive_seed
from userturn.chat.chat import Chat, Mode
from userturn.engines.requests import Completion, Request, Sampling
from userturn.study.study import Study
from userturn.turns.controls import control_turns
from userturn.turns.planner import Planner, Shown
from userturn.turns.rows import answer_row

Row = dict[str, Any]
PLACE = {"dataset": "d", "item": "0"}


def prompt(text: str, *earlier: tuple[str, str]) -> Row:
    said = [{"role": role, "content": content} for role, content in earlier]
    return {**dict.fromkeys(schemas.PROMPTS), **PLACE, "text": text, "earlier": said}


def answer(text: str, **cells: Any) -> Row:
    return {**dict.fromkeys(schemas.ANSWERS), **PLACE, "text": text, **cells}


def planner(study: Study, chat: Chat, mode: Mode = "history") -> Planner:
    generate = study.generate.model_copy(update={"context": mode})
    return Planner(study.model_copy(update={"generate": generate}), chat, "weights", 4096)


def test_a_single_question_is_asked_as_before_there_were_conversations(laptop: Study) -> None:
    """The very requests, put together by hand, by whose ids stores are searched."""
    ours = planner(laptop, family("qwen"))
    chat, wanted = ours.chat, laptop.generate
    [draft] = ours.answers([prompt("Why?")])
    sampling = Sampling(0.0, 1.0, wanted.answer.max_tokens, chat.answer_stop.ids)
    seed = derive_seed(laptop.seed, "d", "0", "answer", 0.0, 0)
    assert draft.request == Request("weights", chat.answer_context("Why?"), sampling, seed)
    for turn in ours.user_turns([prompt("Why?")], [answer("So.", token_ids=[1, 2])]):
        sampling = Sampling(
            turn.key.temperature, 1.0, wanted.user_turn.max_tokens, chat.user_stop.ids
        )
        context = chat.user_context("Why?", "So.", "history")
        seed = derive_seed(laptop.seed, *turn.key)
        assert turn.request == Request("weights", context, sampling, seed)


@QUICK
@given(data=st.data())
@pytest.mark.parametrize("name", ["qwen", "harmony", "llama"])
def test_conversations_of_up_to_five_turns_hold_no_control_token(
    laptop: Study, name: str, data: st.DataObject
) -> None:
    ours = planner(laptop, family(name))
    chat = ours.chat
    spelled = st.sampled_from([*chat._template.controls, *AWKWARD])
    text = st.lists(st.one_of(spelled, TEXTS), max_size=4).map("".join)
    turns = data.draw(st.sampled_from([1, 3, 5]))
    roles = ["user", "assistant"] * 3
    if name == "qwen" and data.draw(st.booleans()):
        roles = ["system", *roles]
        turns += 1
    contents = [data.draw(text) for _ in range(turns)]
    contents[-1] += "?"  # an empty prompt is skipped
    said = data.draw(text)

    def contexts(*texts: str, answered: str) -> list[tuple[int, ...]]:
        item = prompt(texts[-1], *zip(roles, texts[:-1], strict=False))
        drafts = [*ours.answers([item]), *ours.user_turns([item], [answer(answered)])]
        return [draft.request.context for draft in drafts if draft.request]

    ids = contexts(*contents, answered=said)
    bare = contexts(*(["x"] * turns), answered="x")
    assert [controls(chat, one) for one in ids] == [controls(chat, one) for one in bare]
    shown = chat.decode(ids[-1])
    assert all(one.strip() in shown for one in (*contents, said))


def test_perturbed_is_the_last_answer_alone(laptop: Study) -> None:
    ours = planner(laptop, family("qwen"))
    item = prompt("And then?", ("user", "Why?"), ("assistant", "First this, then that."))
    drafts = control_turns(ours, [item], [answer("One two three four five six.")])
    for draft in drafts:
        if draft.request:
            text = ours.chat.decode(draft.request.context)
            assert "assistant\nFirst this, then that.<|im_end|>" in text
            assert f"{draft.text}<|im_end|>" in text


THOUGHT = "Let me think.\n</think>\n\nIt is four."
OPENED = CHATML.replace("assistant\n'", "assistant\n<think>\n'")
SHOWN = OPENED.replace(
    "m.content +",
    "('<think>\n' + m.reasoning_content + '\n</think>\n\n' if m.reasoning_content else '')"
    " + m.content +",
)
HEADERS = (
    "{% for m in messages %}{{ '### ' + m.role + ':\n' + m.content + '\n\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '### assistant:\n' }}{% endif %}"
)


def chat_of(template: str) -> Chat:
    return build(Family(template, PLAIN, ("<think>", "</think>"), "<|im_end|>"))


def generated(ours: Planner, text: str) -> Row:
    """The row of an answer that was generated so, its markers as control tokens."""
    ids = tuple(ours.chat._template.tokenizer.encode(text, add_special_tokens=False))
    [draft] = ours.answers([prompt("Why?")])
    assert draft.request
    return answer_row(draft, {draft.request.id: Completion(ids, "length", None)}, ours.chat)


@pytest.mark.parametrize(
    ("name", "kept"), [("qwen_thinking", False), ("deepseek_r1", False), ("shown", True)]
)
def test_reasoning_is_kept_apart_and_live_goes_on_from_what_was_generated(
    laptop: Study, name: str, kept: bool
) -> None:
    chat = chat_of(SHOWN) if kept else any_family(name)
    assert chat.keeps_reasoning == kept
    row = generated(planner(laptop, chat), THOUGHT)
    assert (row["text"], row["reasoning"]) == ("It is four.", "Let me think.")
    shown = Shown.of(row)
    live = shown.context(chat, "Why?", "live")
    front = (*chat.answer_context("Why?"), *row["token_ids"])
    assert live[: len(front)] == front
    history = chat.decode(shown.context(chat, "Why?", "history"))
    assert "It is four." in history
    assert ("Let me think." in history) == kept

    other = replace(shown, text="It is four.\n\nShall I go on?", perturbed=True)
    text = chat.decode(other.context(chat, "Why?", "live"))
    assert text.startswith(chat.decode(chat.answer_context("Why?")) + THOUGHT)
    assert "It is four.\n\nShall I go on?" in text
    assert text.count("It is four.") == 1


def any_family(name: str) -> Chat:
    return documented(name) if name in DOCUMENTED else family(name)


def test_live_leaves_out_what_stands_behind_a_header_in_plain_text(laptop: Study) -> None:
    chat = chat_of(HEADERS)
    row = generated(planner(laptop, chat), "It is four.\n\n### user:\nAnd five?\n")
    assert row["text"] == "It is four."
    live = Shown.of(row).context(chat, "Why?", "live")
    assert "And five" not in chat.decode(live)
    assert live[-1:] == chat.user_context("Why?", "It is four.", "live")[-1:]
