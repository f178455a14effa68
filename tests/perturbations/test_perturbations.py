"""Perturbations: pure, seeded, and never an answer's own text for a swap."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from userturn import perturbations
from userturn.artifacts import schemas
from userturn.base import registry
from userturn.perturbations import ask, close, truncate
from userturn.study.study import Study
from userturn.turns import controls


def encode(text: str) -> list[int]:
    return list(text.encode())


def decode(ids: Any) -> str:
    return bytes(ids).decode(errors="replace")


def material(draw: int = 0, other: str | None = "another answer") -> perturbations.Material:
    return perturbations.Material(encode, decode, draw, other)


@given(st.text())
def test_truncate_keeps_a_prefix_of_half_the_tokens(answer: str) -> None:
    half = truncate.truncate(answer, material())
    if "\N{REPLACEMENT CHARACTER}" not in answer:
        assert answer.startswith(half)
    # At most three bytes of a cut character are given up.
    assert len(encode(answer)) // 2 - 3 <= len(encode(half)) <= len(encode(answer)) // 2 + 3


@given(st.text(), st.integers(0, 2**63))
def test_ask_and_close_append_a_listed_line(answer: str, draw: int) -> None:
    asked, closed = (f(answer, material(draw)) for f in (ask.ask, close.close))
    assert asked.startswith(answer.rstrip())
    assert asked.endswith(ask.QUESTIONS)
    assert closed.endswith(close.CLOSINGS)


def answer_row(**cells) -> dict:
    return {**dict.fromkeys(schemas.ANSWERS), **cells}


rows = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 30).map(str), st.none() | st.text()),
    unique_by=lambda row: row[:2],
).map(lambda drawn: [answer_row(dataset=d, item=i, text=t) for d, i, t in drawn])


@given(rows, st.integers(0, 5))
def test_swaps_never_give_a_prompt_its_own_answer(answers: list[dict], seed: int) -> None:
    marked = [{**r, "text": r["text"] and f"{r['dataset']}/{r['item']}"} for r in answers]
    marked = [{**r, "text": r["text"] or None} for r in marked]
    found = controls.swaps(marked, seed)
    answered = {(r["dataset"], r["item"]) for r in marked if r["text"] is not None}
    assert set(found) == (answered if len(answered) > 1 else set())
    for (dataset, item), other in found.items():
        assert other["text"] != f"{dataset}/{item}"
        same = [key for key in answered if key[0] == dataset]
        if len(same) > 1:
            assert other["text"].startswith(f"{dataset}/")


def test_every_condition_of_the_study_is_registered() -> None:
    names = Study.model_fields["perturb"].annotation.model_fields["conditions"].default_factory()
    assert set(registry.names("perturbations")) == set(names)
    assert {perturbations.named(name).expected for name in names} == {"up", "down", "open"}


def test_skipped_answers_are_counted_not_dropped(laptop: Study) -> None:
    answers = [
        answer_row(dataset="d", item="1", skipped="empty prompt"),
        answer_row(dataset="d", item="2", text="an answer"),
    ]
    chat = SimpleNamespace(encode_content=encode, decode=decode)
    shown = controls.perturbed(SimpleNamespace(study=laptop, chat=chat), answers)
    assert len(shown) == 2 * len(laptop.perturb.conditions)
    assert shown["d", "1", "ask"].skipped == "empty prompt"
    assert shown["d", "2", "swap"].skipped == controls.NO_OTHER_PROMPT


def test_a_perturbed_answer_keeps_its_reasoning_and_a_swapped_one_brings_its_own(
    laptop: Study,
) -> None:
    answers = [
        answer_row(dataset="d", item=item, text=f"answer {item}", reasoning=f"thought {item}",
                   token_ids=[int(item)])
        for item in "12"
    ]  # fmt: skip
    chat = SimpleNamespace(encode_content=encode, decode=decode)
    shown = controls.perturbed(SimpleNamespace(study=laptop, chat=chat), answers)
    asked, swapped = shown["d", "1", "ask"], shown["d", "1", "swap"]
    assert asked.text.startswith("answer 1\n\n")
    assert (asked.reasoning, asked.token_ids, asked.perturbed) == ("thought 1", (1,), True)
    assert (swapped.text, swapped.reasoning) == ("answer 2", "thought 2")
    assert (swapped.token_ids, swapped.perturbed) == ((2,), False)
