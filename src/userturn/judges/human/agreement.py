"""How far people and judges agree: every pair of raters, overall and per label.

Turns that people label are a sample in which rare labels are over-represented, so agreement with
people is that on the sample. `reports/tables/corrected.csv` has sensitivity and specificity of
every judge with that undone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from userturn.artifacts import csv_file, schemas
from userturn.artifacts.csv_file import Columns, Kind, Row, of
from userturn.artifacts.labels import Label
from userturn.artifacts.turns import labels_of
from userturn.base.errors import UserturnError
from userturn.judges.human import labels as human
from userturn.stats.agreement import Bounded, Measured, measure

if TYPE_CHECKING:
    from rich.table import Table

    from userturn.study.study import Study

Labels = Mapping[human.TurnId, Label]
"""Valid labels of one rater."""

OVERALL = "all"
KINDS = {
    ("human", "human"): "human-human",
    ("human", "judge"): "human-judge",
    ("judge", "judge"): "judge-judge",
}
COLUMNS: Columns = {
    **of(Kind.NAME, "kind raters label"),
    **of(Kind.COUNT, "turns prompts"),
    **of(Kind.NUMBER, "agreement kappa kappa_low kappa_high alpha alpha_low alpha_high"),
}


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of raters on the turns that at least two of them labelled.

    Attributes:
        kind: A value of KINDS.
        raters: Their names.
        label: `all`, or the label that is told from the rest.
        turns: Turns with two labels or more.
        prompts: Prompts of those turns.
        measured: Share of agreeing pairs, kappa and alpha.
    """

    kind: str
    raters: tuple[str, ...]
    label: str
    turns: int
    prompts: int
    measured: Measured


def run(study: Study) -> list[Agreement]:
    """`pairs`, where there are any.

    Raises:
        ArtifactError: A file of labels cannot be read.
        UserturnError: There are fewer than two raters with turns in common.
    """
    rows = pairs(study)
    if not rows:
        people, judges = read(study)
        there = ", ".join({**people, **judges}) or "nobody"
        raise UserturnError(
            f"agreement needs two raters with turns in common; labels are there of: {there}. "
            "`userturn annotate --annotator NAME` adds a person, `classify.judges` a judge"
        )
    return rows


def pairs(study: Study) -> list[Agreement]:
    """Every pair of raters of a study, and all annotators together where there are three or more.

    Raises:
        ArtifactError: A file of labels cannot be read.
    """
    people, judges = read(study)
    raters = {**people, **judges}
    groups: list[tuple[str, tuple[str, ...]]] = [
        (KINDS["human" if a in people else "judge", "human" if b in people else "judge"], (a, b))
        for a, b in combinations(raters, 2)
    ]
    groups.sort(key=lambda group: list(KINDS.values()).index(group[0]))
    if len(people) > 2:
        groups.insert(0, ("human-human", tuple(people)))
    settings = study.statistics.confidence, study.statistics.bootstrap, study.seed
    return [
        row
        for kind, names in groups
        for row in compare(kind, {name: raters[name] for name in names}, *settings)
    ]


def read(study: Study) -> tuple[Mapping[str, Labels], Mapping[str, Labels]]:
    """Labels on the texts as they are now: of every person, and of every judge.

    A person who has a judge's name is called `NAME (human)`.
    """
    import polars as pl

    judges: dict[str, dict[human.TurnId, Label]] = {judge: {} for judge in study.classify.judges}
    people: dict[str, dict[human.TurnId, Label]] = {}
    given = human.read_all()
    for slug in study.models.probe:
        valid = (
            labels_of(slug)
            .filter(pl.col("label").is_not_null())
            .select("judge", "label", *schemas.TURN_KEY)
        )
        for judge, label, *key in valid.rows():
            if judge in judges:
                judges[judge][slug, *key] = Label(label)
        current = human.shown(study, slug) if given else {}
        for name, texts in given.items():
            called = f"{name} (human)" if name in judges else name
            people.setdefault(called, {}).update(
                {text.turn_id: label for text, label in texts.items() if text in current}
            )
    return people, {judge: labels for judge, labels in judges.items() if labels}


def compare(
    kind: str, raters: Mapping[str, Labels], confidence: float, resamples: int, seed: int
) -> list[Agreement]:
    """Agreement overall, then of every label that a rater used, against the rest.

    Args:
        kind: What to call the comparison.
        raters: Labels by rater, two or more.
        confidence: Coverage of the intervals.
        resamples: Bootstrap resamples.
        seed: Seed of the resampling.
    """
    import numpy as np

    order = list(Label)
    turns = sorted({turn for labels in raters.values() for turn in labels})
    codes = np.array(
        [
            [order.index(given[turn]) if turn in given else -1 for turn in turns]
            for given in raters.values()
        ]
    )
    pairable = (codes >= 0).sum(axis=0) > 1
    codes = codes[:, pairable]
    if not codes.shape[1]:
        return []
    prompts = [turn[1:3] for turn, kept in zip(turns, pairable, strict=True) if kept]
    names = {prompt: index for index, prompt in enumerate(sorted(set(prompts)))}
    place = np.array([names[prompt] for prompt in prompts])
    used = [index for index in range(len(order)) if (codes == index).any()]
    rows = []
    for index in (None, *used):
        these = codes if index is None else np.where(codes < 0, -1, codes == index)
        measured = measure(these, place, confidence, resamples, seed)
        label = OVERALL if index is None else order[index].value
        rows.append(Agreement(kind, tuple(raters), label, place.size, len(names), measured))
    return rows


def write_csv(path: Path, rows: Sequence[Agreement]) -> None:
    """Write one row per comparison and label, columns as in COLUMNS."""
    csv_file.write(path, COLUMNS, map(row_of, rows))


def row_of(one: Agreement) -> Row:
    """A row with the columns of COLUMNS."""
    nothing = (None, None, None)
    values = (
        one.kind,
        " ".join(one.raters),
        one.label,
        one.turns,
        one.prompts,
        one.measured.agreement,
        *(one.measured.kappa or nothing),
        *(one.measured.alpha or nothing),
    )
    return dict(zip(COLUMNS, values, strict=True))


def show(rows: Sequence[Agreement], confidence: float) -> Table:
    """The rows for a terminal."""
    from rich.table import Column, Table

    def cell(interval: Bounded | None) -> str:
        if interval is None:
            return "-"
        return "{:.2f} ({:.2f} to {:.2f})".format(*interval)

    numbers = [Column(name, justify="right") for name in ("turns", "prompts", "agreement")]
    intervals = [Column(name, justify="right", no_wrap=True) for name in ("kappa", "alpha")]
    table = Table(
        "raters",
        "label",
        *numbers,
        *intervals,
        box=None,
        pad_edge=False,
        title=f"agreement, with {confidence:.0%} intervals by prompt",
        caption="human labels: on the sample, which over-represents rare labels",
    )
    for row in rows:
        overall = row.label == OVERALL
        if overall and table.row_count:
            table.add_section()
        table.add_row(
            " and ".join(row.raters) if overall else "",
            row.label,
            *(f"{n:,}" if overall else "" for n in (row.turns, row.prompts)),
            f"{row.measured.agreement:.1%}",
            cell(row.measured.kappa),
            cell(row.measured.alpha),
            style="bold" if overall else None,
        )
    return table
