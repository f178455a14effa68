"""What a plan takes for granted: every number that is no fact of the study, with its reason.

Each can be set by its name (`userturn plan --assume gpu_flops=312e12`); all stand in the output.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

from userturn.base.errors import UserturnError


def _assume(default: float, unit: str, why: str, least: float = 0.0, most: float = math.inf) -> Any:
    return field(default=default, metadata={"unit": unit, "why": why, "range": (least, most)})


@dataclass(frozen=True)
class Assumptions:
    """The numbers, by name; units and reasons are in `stated`."""

    gpu_flops: float = _assume(989e12, "FLOP/s", "dense bfloat16 of one H100 SXM, data sheet")
    gpu_bandwidth: float = _assume(3.35e12, "byte/s", "memory of one H100 SXM, data sheet")
    gpu_memory_gb: float = _assume(80, "GB", "of one GPU, as registry.yaml assumes")
    prefill_utilisation: float = _assume(0.4, "share", "of gpu_flops while contexts are read", 0, 1)
    decode_utilisation: float = _assume(
        0.5,
        "share",
        "of gpu_bandwidth while tokens are written; the cache is read in the rest",
        0,
        1,
    )
    score_utilisation: float = _assume(
        0.1, "share", "of gpu_flops while the scorer reads, one context at a time", 0, 1
    )
    cpu_decode_flops: float = _assume(
        33e9, "FLOP/s", "two cores: 122 tokens/s of 0.135e9 parameters (benchmarks/README.md)"
    )
    cpu_prefill_flops: float = _assume(
        137e9, "FLOP/s", "two cores: 5280 tokens in 10.4 s, the same (benchmarks/README.md)"
    )
    load_gb_per_s: float = _assume(1.0, "GB/s", "weights from disk into memory")
    load_seconds: float = _assume(60, "s", "start of an engine on GPUs beside that, for each job")
    cpu_load_seconds: float = _assume(15, "s", "the same on a CPU")
    prompt_tokens: float = _assume(150, "tokens", "mean of datasets that nothing is known of")
    characters_per_token: float = _assume(4, "characters", "English text")
    answer_tokens: float = _assume(500, "tokens", "mean of answers not generated yet, or the limit")
    turn_tokens: float = _assume(40, "tokens", "mean of user turns not generated yet, or the limit")
    template_tokens: float = _assume(30, "tokens", "headers and system text around a conversation")
    reply_tokens: float = _assume(130, "tokens", "mean of an LLM judge's reply, or its limit")
    asked_again: float = _assume(0.05, "share", "of a judge's replies rejected, asked again", 0, 1)
    read_turns: float = _assume(150, "turns", "with labels by reading in one set of calibrate.sets")
    made_turns: float = _assume(10, "turns", "made of one conversation by judges/calibration/made")
    set_conversations: float = _assume(100, "conversations", "in a set where per_set takes all")
    reference_tokens: float = _assume(200, "tokens", "longest mean of answers in those sets")
    discordance: float = _assume(
        0.1, "share", "of prompts whose turns differ between two settings (stats/power.py)", 0, 1
    )
    row_bytes: float = _assume(1500, "bytes", "a stored completion with its rows of artifacts")
    likelihood_bytes: float = _assume(400, "bytes", "a stored likelihood with its share of a row")

    def stated(self) -> Iterator[tuple[str, float, str, str]]:
        """Name, value, unit and reason of each."""
        for one in fields(self):
            yield one.name, getattr(self, one.name), one.metadata["unit"], one.metadata["why"]


def assume(settings: Iterable[str]) -> Assumptions:
    """The assumptions with some set anew.

    >>> assume(["turn_tokens=20"]).turn_tokens
    20.0

    Args:
        settings: Each `name=number`.

    Raises:
        UserturnError: A name is unknown, or a value is no number in its range.
    """
    known = {one.name: one for one in fields(Assumptions)}
    changed: dict[str, float] = {}
    for setting in settings:
        name, _, text = setting.partition("=")
        if name not in known:
            raise UserturnError(f"--assume {setting}: unknown name; there are: {', '.join(known)}")
        least, most = known[name].metadata["range"]
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (least < value <= most and math.isfinite(value)):
            limit = f" and at most {most:g}" if math.isfinite(most) else ""
            raise UserturnError(f"--assume {setting}: write a number above {least:g}{limit}")
        changed[name] = value
    return replace(Assumptions(), **changed)
