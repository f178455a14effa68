"""Rows of user turns, made of completions."""

from __future__ import annotations

from chat_documented import documented
from userturn.engines.requests import Completion, Request, Sampling
from userturn.turns.grid import TurnKey
from userturn.turns.planner import Draft
from userturn.turns.rows import turn_row


def test_a_turn_ends_where_the_model_writes_the_next_header_in_plain_text() -> None:
    chat = documented("olmo2")
    sampling = Sampling(0.0, 1.0, 64, chat.user_stop.ids)
    request = Request("w", chat.user_context("Q", "A", "history"), sampling, 0)
    draft = Draft(TurnKey("d", "0", "own", 0.0, 0), 0, request, None, "A")
    for text, kept, end, stop in (
        ("And then?\n<|assistant|>\nThis.", "And then?", "stop_token", "<|assistant|>"),
        ("<|assistant|>\nThis.", "", "empty", None),
        ("And then?", "And then?", "length", None),
    ):
        done = Completion(chat.encode_content(text), "length", None)
        row = turn_row(draft, {request.id: done}, chat)
        assert (row["text"], row["end"], row["stop_token"]) == (kept, end, stop)
        assert row["token_ids"] == list(done.token_ids)
