"""`userturn compare`: two finished studies or probes side by side.

One study named twice has its models compared. Rates stand beside each other, each over its own
prompts. Differences are paired: they are of the
prompts whose text is in both, whatever dataset and id they have there.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from userturn import tables
from userturn.artifacts import provenance
from userturn.artifacts.csv_file import Row, rounded
from userturn.artifacts.schemas import BASE, TURN_KEY
from userturn.artifacts.turns import frame, labels_of
from userturn.base import paths
from userturn.base.errors import UserturnError
from userturn.commands.show import visible
from userturn.stats.intervals import holm
from userturn.study.loading import load_study
from userturn.study.report import ALL
from userturn.study.study import Study
from userturn.tables._groups import by_prompt
from userturn.tables._intervals import contrast_row

if TYPE_CHECKING:
    import polars as pl

    from userturn.tables._groups import Groups

Setting = tuple[str, float]
"""Condition, temperature."""


@dataclass(frozen=True)
class Side:
    """One of the two studies, with the labels of its primary judge.

    Attributes:
        name: Its folder, as it was named.
        study: The study.
        rates: Rows of its table `rates`, of the primary judge and all prompts pooled.
        groups: By model its turns counted by the text of their prompt, see `by_prompt`.
        facts: What rates of two studies must share to be comparable, in words.
    """

    name: str
    study: Study
    rates: list[Row]
    groups: Mapping[str, Groups]
    facts: Mapping[str, str]


def run_compare(first: Path, second: Path, as_json: bool) -> None:
    """Print rates and paired contrasts of two studies.

    Raises:
        UserturnError: A folder is no finished study.
    """
    a, b = read(first), read(second)
    rates, contrasts = side_by_side(a, b), paired(a, b)
    notes = differences(a, b)
    if as_json:
        made = {"a": a.name, "b": b.name, "notes": notes, "rates": rates}
        print(json.dumps({**made, "contrasts": [*map(rounded, contrasts)]}, indent=2))
        return
    Console(highlight=False).print(
        Text(f"a: {visible(a.name)}\nb: {visible(b.name)}"),
        *(Text(f"note: {visible(note)}", "yellow") for note in notes),
        page(rates, contrasts),
        sep="\n",
    )


def read(folder: Path) -> Side:
    """A finished study.

    Raises:
        UserturnError: The folder holds none; the message names folder and file.
    """
    if not folder.is_dir():
        raise UserturnError(f"{folder}: is no folder; name that of a study or a probe")
    try:
        with contextlib.chdir(folder):
            return _read_here(str(folder))
    except UserturnError as error:
        raise UserturnError(f"in {folder}: {error}") from None


def _read_here(name: str) -> Side:

    study = load_study()
    primary = study.classify.primary
    groups: dict[str, Groups] = {}
    rubrics: set[str] = set()
    scorers: set[str] = set()
    for slug in study.models.probe:
        ours = labels_of(slug).filter(judge=primary)
        rubrics |= set(ours["rubric"].drop_nulls())
        scorers.add(str(provenance.read(paths.artifact("grounding", slug)).get("weights")))
        turns = frame(study, slug).join(ours, on=TURN_KEY, how="left")
        groups[slug] = by_text(turns)
    rates = [row for row in tables.read("rates") if row["primary"] and row["dataset"] == ALL]
    facts = {
        "judge": primary,
        "rubric or fit": ", ".join(sorted(rubrics)),
        "scorer": ", ".join(sorted(scorers)),
        "context": study.generate.context,
        "answers": study.generate.own_source,
    }
    return Side(name, study, rates, groups, facts)


def by_text(labelled: pl.DataFrame) -> Groups:
    """Turns counted by the text of their prompt: prompts with one text are one prompt.

    Args:
        labelled: User turns with `query` and one judge's `label`.
    """
    import polars as pl

    return by_prompt(labelled.with_columns(dataset=pl.lit(""), item=pl.col("query")))


def differences(a: Side, b: Side) -> list[str]:
    """Why the rates of two studies may differ beside their models and prompts."""
    return [
        f"{name} differs, and so may rates: {a.facts[name]} / {b.facts[name]}"
        for name in a.facts
        if a.facts[name] != b.facts[name]
    ]


def models(a: Side, b: Side) -> list[tuple[str, str]]:
    """Models to compare: those that both have; where they share none, each with each.

    Of one study and itself, every two of its models.

    Raises:
        UserturnError: The study that is compared with itself has one model.
    """
    if Path(a.name).resolve() == Path(b.name).resolve():
        if len(a.groups) == 1:
            raise UserturnError(f"{a.name}: has one model, and nothing to compare it with")
        return list(combinations(a.groups, 2))
    both = [slug for slug in a.groups if slug in b.groups]
    return [(slug, slug) for slug in both] or list(product(a.groups, b.groups))


def side_by_side(a: Side, b: Side) -> list[Row]:
    """Strict rates of the models to compare in every setting that one of the studies has."""
    rows = []
    for one, other in models(a, b):
        settings = _settings(a.rates, one) | _settings(b.rates, other)
        for setting in sorted(settings, key=_place):
            rows.append(
                {
                    **_identity(one, other, setting),
                    "a": _shown(_settings(a.rates, one).get(setting)),
                    "b": _shown(_settings(b.rates, other).get(setting)),
                }
            )
    return rows


def paired(a: Side, b: Side) -> list[Row]:
    """Contrasts b - a over the prompts whose text is in both, Holm-corrected over all of them.

    Statistics are those of the first study. Settings without a common prompt have no row.
    """
    rows = []
    for one, other in models(a, b):
        settings = _settings(a.rates, one).keys() & _settings(b.rates, other).keys()
        for setting in sorted(settings, key=_place):
            groups = a.groups[one][ALL, *setting], b.groups[other][ALL, *setting]
            row = contrast_row(a.study, *groups)
            if row["prompts"]:
                rows.append({**_identity(one, other, setting), **row})
    for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = p
    return rows


def _settings(rates: Sequence[Row], model: str) -> dict[Setting, Row]:
    ours = [row for row in rates if row["model"] == model]
    return {(row["condition"], row["temperature"]): row for row in ours}


def _place(setting: Setting) -> tuple[bool, str, float]:
    condition, temperature = setting
    return condition != BASE, condition, temperature


def _identity(one: str, other: str, setting: Setting) -> Row:
    condition, temperature = setting
    return {"model_a": one, "model_b": other, "condition": condition, "temperature": temperature}


def _shown(row: Row | None) -> Row | None:
    names = ("rate", "low", "high", "method", "prompts", "samples", "invalid")
    return None if row is None else {name: row[name] for name in names}


def page(rates: Sequence[Row], contrasts: Sequence[Row]) -> Group:
    """Both tables of every pair of models, for 80 columns."""
    parts: list[RenderableType] = []
    for pair in dict.fromkeys((row["model_a"], row["model_b"]) for row in rates):
        one, other = map(visible, pair)
        title = one if one == other else f"a: {one}, b: {other}"
        ours = [row for row in contrasts if (row["model_a"], row["model_b"]) == pair]
        theirs = [row for row in rates if (row["model_a"], row["model_b"]) == pair]
        parts += [Text(f"\n{title}", "bold"), _rates_table(theirs), Text(), _contrasts_table(ours)]
    return Group(*parts)


def _rates_table(rows: Sequence[Row]) -> Table:
    table = _table("strict rate, %", "a", "prompts", "b", "prompts")
    for row in rows:
        cells = [_side(row["a"]), _side(row["b"])]
        table.add_row(_setting(row), *(cell for side in cells for cell in side))
    return table


def _contrasts_table(rows: Sequence[Row]) -> RenderableType:
    if not rows:
        return Text("no prompt is in both: nothing can be paired", "dim")
    table = _table("prompts of both", "prompts", "a", "b", "b - a", "p (Holm)")
    for row in rows:
        table.add_row(
            _setting(row),
            str(row["prompts"]),
            _percent(row["rate_base"]),
            _percent(row["rate"]),
            _interval(row["difference"], row["low"], row["high"]),
            f"{row['p_holm']:.3g}",
        )
    return table


def _table(first: str, *numbers: str) -> Table:
    columns = [Column(first, min_width=15), *(Column(name, justify="right") for name in numbers)]
    return Table(*columns, box=None, pad_edge=False, header_style="dim")


def _setting(row: Row) -> str:
    return f"{row['condition']} {row['temperature']:g}"


def _side(side: Row | None) -> tuple[str, str]:
    if side is None:
        return "not asked", ""
    return _interval(side["rate"], side["low"], side["high"]), str(side["prompts"])


def _interval(estimate: float | None, low: float | None, high: float | None) -> str:
    if estimate is None or low is None or high is None:
        return "no data"
    return f"{_percent(estimate)} ({_percent(low)} to {_percent(high)})"


def _percent(share: float) -> str:
    return f"{100 * share + 0.0:.1f}"
