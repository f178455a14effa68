"""What was said before a query, for a judge: whole where it fits, else cut in its middle."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from userturn.artifacts.messages import Message
from userturn.judges.llm import earlier

NOTE = re.compile(r"\[… ([\d,]+) characters left out …\]")
roles = st.sampled_from(["system", "user", "assistant"])
histories = st.lists(st.builds(Message, roles, st.text("abc \n", max_size=50)), max_size=6)


@given(histories, st.integers(0, 200))
def test_a_history_keeps_both_ends_and_says_what_it_lacks(
    history: list[Message], limit: int
) -> None:
    entries = json.loads(earlier.data(history, limit))
    whole = "".join(one.content for one in history)
    if len(whole) <= limit:
        assert entries == [{"role": one.role, "content": one.content} for one in history]
        return
    told = [one for one in entries if "content" in one]
    dropped = sum(int(one["left_out"].split()[0]) for one in entries if "left_out" in one)
    assert len(told) + dropped == len(history)
    kept = "".join(NOTE.sub("\0", one["content"]) for one in told)
    kept = kept.replace("\0", "")
    half = limit // 2
    assert kept == whole[:half] + whole[len(whole) - half :]
    cut = sum(int(n.replace(",", "")) for one in told for n in NOTE.findall(one["content"]))
    assert cut <= len(whole) - 2 * half
    assert dropped or cut == len(whole) - 2 * half


@given(histories)
def test_limits_go_down_to_nothing(history: list[Message]) -> None:
    tried = list(earlier.limits(history))
    assert tried == sorted(set(tried), reverse=True)
    assert tried[-1] == 0
    assert tried[0] == sum(len(one.content) for one in history)


def test_a_long_history_is_cut_for_every_judge() -> None:
    history = [Message("user", "x" * 100_000)]
    assert next(earlier.limits(history)) == earlier.MOST
    [entry] = json.loads(earlier.data(history, earlier.MOST))
    assert "[… 76,000 characters left out …]" in entry["content"]
