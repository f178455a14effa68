"""`userturn repeatability`: a model generated twice and compared, for a terminal or as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import TypeAdapter
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from userturn.study.study import Study
from userturn.workflow.repeatability import Repeated, repeat
from userturn.workflow.runs import Same

SCHEMA = TypeAdapter(Repeated)
"""Of the JSON that `--json` prints."""


def run_repeatability(study: Study, model: str, items: int, as_json: bool) -> None:
    """Generate twice, compare, and print. Raises as `repeat`."""
    repeated = repeat(study, model, items)
    if as_json:
        print(SCHEMA.dump_json(repeated, indent=2).decode())
    else:
        Console().print(shown(repeated))


def shown(repeated: Repeated) -> RenderableType:
    """What came out, for a terminal."""
    return Group(*_parts(repeated))


def _parts(repeated: Repeated) -> Iterator[RenderableType]:
    first, second = repeated.batches
    yield Text(
        f"{repeated.model}: {repeated.prompts} prompts, generated with {first} and with {second} "
        "sequences in a batch",
        "bold",
    )
    yield Text(", ".join(f"{name}: {value}" for name, value in repeated.engine.items()))
    rows = Table(
        "generated",
        *(Column(name, justify="right") for name in ("rows", "identical", "first difference")),
        box=None,
        pad_edge=False,
    )
    for one in repeated.same:
        rows.add_row(one.kind, str(one.rows), str(one.identical), _where(one))
    yield Padding(rows, (1, 0, 0, 0))
    rates = Table(
        "by",
        "rate",
        *(Column(name, justify="right") for name in ("temperature", "first", "second", "shift")),
        box=None,
        pad_edge=False,
    )
    for shift in repeated.shifts:
        rates.add_row(
            shift.by,
            shift.rate,
            f"{shift.temperature:g}",
            f"{shift.first:.3f}",
            f"{shift.second:.3f}",
            f"{shift.shift:+.3f}" if shift.shift else "0",
        )
    yield Padding(rates, (1, 0, 0, 0))
    for note in repeated.notes:
        yield Padding(Text(note), (1, 0, 0, 0))


def _where(one: Same) -> str:
    """Where rows differ first."""
    if one.median_difference is None:
        return "none"
    return f"token {one.first_difference[0]}, in the median {one.median_difference:g}"
