"""Colours, and how each model looks in every figure. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from userturn.artifacts.csv_file import Row
from userturn.artifacts.labels import Label
from userturn.tables._names import model_names

# Okabe and Ito's colours, which readers with any colour vision can tell apart.
FAMILY_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
LABEL_COLOURS = {
    Label.FOLLOWUP: "#0072B2",
    Label.ON_TOPIC: "#56B4E9",  # beside the blue of FOLLOWUP: together they are the lenient rate
    Label.RESTATEMENT: "#E69F00",
    Label.ASSISTANT_VOICE: "#D55E00",
    Label.UNRELATED: "#CC79A7",
    Label.GENERIC: "#009E73",
    Label.META: "#F0E442",
    Label.EMPTY: "#DDDDDD",
    Label.DEGENERATE: "#777777",
}
WHITE_TEXT = (Label.FOLLOWUP, Label.ASSISTANT_VOICE, Label.GENERIC, Label.DEGENERATE)
MARKER, SMALLEST, LARGEST = 4.5, 3.6, 6.6
"""Markers in points: of a model of unknown size, of the smallest, and of the largest of many."""
INK, AXIS, MUTED, FAINT, SHADE = "#222222", "#444444", "#666666", "#9a9a9a", "#f0f3f7"


@dataclass(frozen=True)
class ModelLook:
    """How a model looks in every figure.

    Attributes:
        slug: Its slug.
        name: Family and size where they tell it from the others, else the slug.
        short: Its size, else the slug.
        family: Model family.
        colour: The family's hue, darker for larger models.
        marker: Size of its marker in points, larger for larger models.
    """

    slug: str
    name: str
    short: str
    family: str
    colour: str
    marker: float = MARKER


def model_looks(rows: Sequence[Row]) -> list[ModelLook]:
    """Looks of the models, in the order of the table: families, each from small to large.

    Args:
        rows: Table `models`.
    """
    families = list(dict.fromkeys(row["family"] for row in rows))
    names = model_names(rows)
    looks = []
    for row in rows:
        slug, family = row["model"], row["family"]
        name = names[slug]
        kin = [other["model"] for other in rows if other["family"] == family]
        hue = FAMILY_COLOURS[families.index(family) % len(FAMILY_COLOURS)]
        looks.append(
            ModelLook(
                slug=slug,
                name=name,
                short=name.removeprefix(f"{family} "),
                family=family,
                colour=_tone(hue, kin.index(slug), len(kin)),
                marker=_marker(row["parameters"], rows),
            )
        )
    return looks


def mix(colour: str, other: str, share: float) -> str:
    """A colour mixed with a share of another."""
    from matplotlib.colors import to_hex, to_rgb

    red, green, blue = (
        (1 - share) * one + share * two
        for one, two in zip(to_rgb(colour), to_rgb(other), strict=True)
    )
    return to_hex((red, green, blue))


def _marker(parameters: float | None, rows: Sequence[Row]) -> float:
    """Between SMALLEST and LARGEST by the logarithm of a model's parameters."""
    known = [row["parameters"] for row in rows if row["parameters"]]
    if not parameters or max(known) == min(known):
        return MARKER
    low, high = math.log(min(known)), math.log(max(known))
    return SMALLEST + (LARGEST - SMALLEST) * (math.log(parameters) - low) / (high - low)


def _tone(hue: str, place: int, count: int) -> str:
    """A family's hue for its model number `place` of `count`: light for small, dark for large."""
    if count == 1:
        return hue
    spread = (2 * place / (count - 1) - 1) * (1 - 1 / count)  # below 0 lighter, above 0 darker
    return mix(hue, "white", -0.7 * spread) if spread < 0 else mix(hue, "black", 0.55 * spread)
