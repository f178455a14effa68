"""Part `turns`: the turns themselves, to filter, search and read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from userturn.artifacts.labels import MEANING
from userturn.report._block import block, head
from userturn.report._part import Part, Served, Source
from userturn.report._sample import RULE
from userturn.report._text import json_block


def view(source: Source) -> Mapping[str, Any]:
    """The sample as JSON, and what it is a sample of; of a served page, what filters offer."""
    ground = source.study.ground
    return {
        **(_served(source, source.served) if source.served else _sampled(source)),
        "rule": RULE,
        "neutral": " or ".join(f"“{text}”" for text in ground.neutral),
        "scorer": ground.scorer,
    }


def _sampled(source: Source) -> dict[str, Any]:
    sample = source.sample
    return {
        "data": json_block(block(source)),
        "held": sample.keys.height,
        "total": sample.total,
        "whole": sample.whole,
        "annotator": None,
    }


def _served(source: Source, served: Served) -> dict[str, Any]:
    shown = {"served": True, "total": served.total, "annotator": served.annotator}
    meanings = {label.value: meaning for label, meaning in MEANING.items()}
    nothing: dict[str, Any] = {"prompts": [], "answers": [], "turns": []}
    return {
        "data": json_block({**head(source), **shown, "meanings": meanings, **nothing}),
        "held": served.total,
        "total": served.total,
        "whole": True,
        "annotator": served.annotator,
    }


PART = Part("The turns", view)
