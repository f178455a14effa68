"""Figure: the probe. A model answers a prompt, and then writes the user's next turn."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from userturn.artifacts.csv_file import Columns, Kind, of
from userturn.figures._colours import FAINT, FAMILY_COLOURS, INK, MUTED, SHADE, mix
from userturn.figures._figure import Drawing, Plot, Source
from userturn.figures._page import Layout, lay_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "The probe: it is the user's turn, and the model writes it"
COLUMNS: Columns = of(Kind.NAME, "role writer step text")
MODEL = "the model"
STEPS = (
    ("user", "a dataset", "prompt", "A question or a task from a public dataset."),
    ("assistant", MODEL, "answer", "Its answer. A control cuts it, ends it in a question, or "
     "shows another prompt's instead."),
    ("user", MODEL, "turn", "Behind the header of the user's role the same model goes on. "
     "This turn is measured."),
    ("", "judges", "label", "Does it react to this answer? If so, it is a genuine follow-up."),
)  # fmt: skip
"""Role under which a text stands, who writes it, what it is, and what is to be said of it."""
INDENT = {"user": 0.0, "assistant": 0.1, "": 0.0}


def draw(source: Source) -> Drawing:
    """Draw a box per step, one below the other, as in a chat; what is measured is filled."""
    inches = source.width - 0.62 - 0.2
    wrapped = [textwrap.wrap(text, max(16, int(inches * 0.84 * 16))) for *_, text in STEPS]
    lines = [2 + len(text) for text in wrapped]
    layout = Layout(
        title=TITLE,
        subtitle="each box stands in the model's context behind the ones above it, with the "
        "control tokens of its chat template",
        height=0.13 * sum(lines),
    )
    page = lay_out(source, layout)
    (axes,) = page.axes
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(sum(lines), 0))
    top = 0.0
    for (role, writer, step, _), text, height in zip(STEPS, wrapped, lines, strict=True):
        _draw_step(axes, (role, writer, step), text, top, height - 0.5)
        top += height
    return Drawing(page.figure, [dict(zip(COLUMNS, step, strict=True)) for step in STEPS])


def _draw_step(
    axes: Axes, step: tuple[str, str, str], text: list[str], top: float, height: float
) -> None:
    """A box with a heading; the last of them, the label, is no part of the conversation."""
    from matplotlib.patches import FancyBboxPatch

    role, writer, name = step
    measured = name == "turn"
    blue = FAMILY_COLOURS[0]
    left, width = INDENT[role], 0.9
    axes.add_patch(
        FancyBboxPatch(
            (left, top),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.012",
            mutation_aspect=30,
            facecolor=mix(blue, "white", 0.82) if measured else SHADE if role else "white",
            edgecolor=blue if measured else FAINT,
            linestyle="-" if role else (0, (4, 3)),
            linewidth=1.2 if measured else 0.7,
        )
    )
    heading = f"{role}: {name}, by {writer}" if role else f"{name}, by {writer}"
    look: dict[str, Any] = {"va": "center", "ha": "left"}
    axes.text(left + 0.02, top + 0.8, heading, weight="bold", color=INK, **look)
    for nth, line in enumerate(text):
        axes.text(left + 0.02, top + 1.75 + nth * 0.95, line, color=MUTED, size=7, **look)


FIGURE = Plot(
    COLUMNS,
    draw,
    "The probe: who writes what, under whose role.",
)
