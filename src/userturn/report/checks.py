"""Part `checks`: what the measure must give if it means what it says, and what a label is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from userturn.report._part import Part, Source, link
from userturn.study.judges import LIKELIHOOD
from userturn.study.report import ALL

MEANING = {
    "moved": "Turns moved here from another conversation that are called follow-ups",
    "spam": "Questions that fit any answer that are called follow-ups",
    "closing": "Thanks and goodbyes that are called follow-ups",
    "loop": "Words said over and over that are called follow-ups",
    "uptake": "Mean uptake of the model's own turns, nats per token",
    "uptake_swap": "Mean uptake behind another prompt's answer, of that answer",
    "uptake_unseen": "Mean uptake of the prompt's own answer, which those turns never saw",
    "unseen": "Those turns called follow-ups to the answer that they never saw",
    "memorised": "Turns that the model writes word for word for another prompt too",
}
"""What is checked, in plain words; of others their name."""
IN_NATS = ("uptake", "uptake_swap", "uptake_unseen")
WRITERS = {"written": "turns that models wrote", "real": "turns that people wrote"}


def view(source: Source) -> Mapping[str, Any]:
    """Checks, the test with unseen answers by dataset, and the judge on held-out turns."""
    ours = source.study.classify.primary == LIKELIHOOD
    return {
        "checks": [
            {
                **row,
                "what": MEANING.get(row["check"], row["check"]),
                "nats": row["check"] in IN_NATS,
                "name": source.name(row["model"]) if row["model"] else "every model",
            }
            for row in source.table("checks")
        ],
        "unseen": [
            {**row, "turns": link(row)} for row in source.primary("unseen") if row["dataset"] != ALL
        ],
        "held_out": {
            WRITERS.get(name, name): numbers
            for name, numbers in source.metrics.get("calibration", {}).items()
        },
        "judge": source.study.classify.primary,
        "ours": ours,
        "confidence": source.study.statistics.confidence,
    }


PART = Part("Checks on the measure", view)
