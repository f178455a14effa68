"""Part `turns`: the turns themselves, to filter, search and read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from userturn.report._block import block
from userturn.report._part import Part, Source
from userturn.report._sample import RULE
from userturn.report._text import json_block


def view(source: Source) -> Mapping[str, Any]:
    """The sample as JSON, and what it is a sample of."""
    sample, ground = source.sample, source.study.ground
    return {
        "data": json_block(block(source)),
        "held": sample.keys.height,
        "total": sample.total,
        "whole": sample.whole,
        "rule": RULE,
        "neutral": " or ".join(f"“{text}”" for text in ground.neutral),
        "scorer": ground.scorer,
    }


PART = Part("The turns", view)
