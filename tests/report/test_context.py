"""A kept context taken apart: what is left stands around every other turn."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthetic import make_study, write_artifacts
from userturn.base import paths
from userturn.base.errors import ArtifactError
from userturn.report._context import around, cut

WORDS = st.text("abc \n", min_size=1, max_size=20).filter(lambda text: text.strip())
PLAIN = st.text("xyz\n", max_size=8)


def tokens_of(pieces, sizes):
    """Tokens of pieces of (text, control): plain text in tokens of some sizes, across pieces."""
    tokens, run = [], ""
    for text, control in [*pieces, ("", True)]:
        if not control:
            run += text
            continue
        while run:
            size = next(sizes)
            tokens.append([0, run[:size], False])
            run = run[size:]
        if text:
            tokens.append([1, text, True])
    return tokens


@given(WORDS, WORDS, st.lists(PLAIN, min_size=3, max_size=3), st.lists(st.integers(1, 5)))
def test_what_is_cut_out_and_what_is_left_make_the_context(query, answer, plain, sizes):
    head, middle, tail = plain
    pieces = [
        ("<|start|>", True), (f"user{head}", False), (query, False), (middle, False),
        ("<|end|>", True), (answer, False), (tail, False), ("<|end|>", True), ("user:", False),
    ]  # fmt: skip
    tokens = tokens_of(pieces, iter([*sizes, *[3] * 200]))
    left = cut(tokens, query, answer)
    assert left is not None
    texts = ["".join(text for text, _ in part) for part in left]
    whole = texts[0] + query.strip() + texts[1] + answer.strip() + texts[2]
    assert whole == "".join(text for text, _ in pieces)
    controls = [text for part in left for text, control in part if control]
    assert controls == ["<|start|>", "<|end|>", "<|end|>"]


@pytest.mark.parametrize(
    ("query", "answer"),
    [("Why?", "No"), ("What?", "Yes"), ("Yes", "Why?"), ("", "Yes"), ("Why?", "")],
)
def test_what_is_not_there_is_not_cut_out(query, answer):
    assert cut([[0, "Why?", False], [1, "<a>", True], [2, "Yes", False]], query, answer) is None


@pytest.mark.slow
def test_a_model_without_a_kept_context_has_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_artifacts(make_study(samples=1), items=2)
    assert around("smollm2_135m") is None
    file = paths.context("smollm2_135m")
    file.parent.mkdir()
    place = {"dataset": "gsm8k", "item": "0001"}
    tokens = [[0, "How many apples does person 1 have?", False], [1, "<a>", True],
              [2, "Person 1 has 1 apples. " * 12, False]]  # fmt: skip
    file.write_text(json.dumps({**place, "tokens": tokens}))
    assert around("smollm2_135m") == [[], [("<a>", True)], [(" ", False)]]
    file.write_text(json.dumps({**place, "item": "none", "tokens": tokens}))
    assert around("smollm2_135m") is None
    file.write_text(json.dumps({**place, "tokens": [["a"]]}))
    with pytest.raises(ArtifactError, match="contexts"):
        around("smollm2_135m")
