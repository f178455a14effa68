"""Agreement of people and judges: Cohen's kappa and Krippendorff's alpha, overall and per label.

Estimates are scikit-learn's and krippendorff's. Their intervals are a percentile bootstrap over
whole prompts, whose resamples are computed from counts per prompt: the libraries take labels, one
resample at a time, which for thousands of turns is minutes a row.

Turns that people label are a sample in which rare labels are over-represented, so agreement with
people is that on the sample. `reports/tables/corrected.csv` has sensitivity and specificity of
every judge with that undone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from userturn.artifacts.labels import Label
from userturn.base.errors import UserturnError
from userturn.judges.human import labels as human

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.table import Table

    from userturn.study.study import Study

    Floats = NDArray[np.floating[Any]]

Labels = Mapping[human.Turn, Label]
"""Valid labels of one rater."""

OVERALL = "all"
COLUMNS = (
    "kind", "raters", "label", "turns", "prompts", "agreement",
    "kappa", "kappa_low", "kappa_high", "alpha", "alpha_low", "alpha_high",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of raters on the turns that at least two of them labelled.

    Attributes:
        kind: `human-human`, `human-judge` or `judge-judge`.
        raters: Their names.
        label: `all`, or the label that is told from the rest.
        turns: Turns with two labels or more.
        prompts: Prompts of those turns.
        agreement: Share of pairs of labels that are the same.
        kappa: Cohen's kappa with its bounds; None for more than two raters, or without variation.
        alpha: Krippendorff's alpha with its bounds; None without variation.
    """

    kind: str
    raters: tuple[str, ...]
    label: str
    turns: int
    prompts: int
    agreement: float
    kappa: tuple[float, float, float] | None
    alpha: tuple[float, float, float] | None


def run(study: Study) -> list[Agreement]:
    """Every pair of raters of a study, and all annotators together where there are three or more.

    Raises:
        ArtifactError: A file of labels cannot be read.
        UserturnError: There are fewer than two raters with turns in common.
    """
    people, judges = read(study)
    raters = {**people, **judges}
    kinds = {
        ("human", "human"): "human-human",
        ("human", "judge"): "human-judge",
        ("judge", "judge"): "judge-judge",
    }
    groups: list[tuple[str, tuple[str, ...]]] = [
        (kinds["human" if a in people else "judge", "human" if b in people else "judge"], (a, b))
        for a, b in combinations(raters, 2)
    ]
    groups.sort(key=lambda group: list(kinds.values()).index(group[0]))
    if len(people) > 2:
        groups.insert(0, ("human-human", tuple(people)))
    settings = study.statistics.confidence, study.statistics.bootstrap, study.seed
    found = [
        row
        for kind, names in groups
        for row in compare(kind, {name: raters[name] for name in names}, *settings)
    ]
    if not found:
        there = ", ".join(raters) or "nobody"
        raise UserturnError(
            f"agreement needs two raters with turns in common; labels are there of: {there}. "
            "`userturn annotate --annotator NAME` adds a person, `classify.judges` a judge"
        )
    return found


def read(study: Study) -> tuple[Mapping[str, Labels], Mapping[str, Labels]]:
    """Labels on the texts as they are now: of every person, and of every judge.

    A person who has a judge's name is called `NAME (human)`.
    """
    import polars as pl

    from userturn import artifacts
    from userturn.base import paths

    judges: dict[str, dict[human.Turn, Label]] = {judge: {} for judge in study.classify.judges}
    people: dict[str, dict[human.Turn, Label]] = {}
    given = human.read_all()
    for slug in study.models.probe:
        labels = artifacts.read(paths.artifact("labels", slug), "labels")
        valid = labels.filter(pl.col("label").is_not_null()).select(
            "judge", "label", *artifacts.TURN_KEY
        )
        for judge, label, *key in valid.rows():
            if judge in judges:
                judges[judge][slug, *key] = Label(label)
        current = human.shown(study, slug) if given else {}
        for name, texts in given.items():
            called = f"{name} (human)" if name in judges else name
            people.setdefault(called, {}).update(
                {text.turn: label for text, label in texts.items() if text in current}
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
        row = _measure(these, place, confidence, resamples, seed)
        label = OVERALL if index is None else order[index].value
        rows.append(Agreement(kind, tuple(raters), label, place.size, len(names), *row))
    return rows


def _measure(
    codes: NDArray[np.int64],
    prompt: NDArray[np.int64],
    confidence: float,
    resamples: int,
    seed: int,
) -> tuple[float, tuple[float, float, float] | None, tuple[float, float, float] | None]:
    """Share of agreeing pairs, kappa and alpha, of codes (raters, turns) where -1 is none."""
    import krippendorff
    import numpy as np
    from sklearn.metrics import cohen_kappa_score

    values = np.unique(codes[codes >= 0])
    counts = (codes.T[:, :, None] == values).sum(axis=1)  # (turns, values)
    size, prompts = values.size, int(prompt.max()) + 1
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(size)
    coincidences = np.zeros((prompts, size, size))
    np.add.at(coincidences, prompt, pairs / (counts.sum(axis=1) - 1)[:, None, None])
    total = coincidences.sum(axis=0)
    agreement = float(np.trace(total) / total.sum())
    if size < 2:
        return agreement, None, None
    draws = np.random.default_rng(seed).multinomial(
        prompts, np.full(prompts, 1 / prompts), size=resamples
    )
    data = np.where(codes < 0, np.nan, codes)
    alpha = krippendorff.alpha(reliability_data=data, level_of_measurement="nominal")
    alphas = alpha_of(np.tensordot(draws, coincidences, 1))
    alpha_interval = float(alpha), *_bounds(alphas, confidence)
    if len(codes) != 2:
        return agreement, None, alpha_interval
    first, second = codes
    tables = np.zeros((prompts, size, size))
    cells = np.searchsorted(values, codes)
    np.add.at(tables, (prompt, cells[0], cells[1]), 1)
    kappas = kappa_of(np.tensordot(draws, tables, 1))
    kappa = float(cohen_kappa_score(first, second))
    return agreement, (kappa, *_bounds(kappas, confidence)), alpha_interval


def kappa_of(tables: Floats) -> Floats:
    """Cohen's kappa (1960) of contingency tables (..., labels, labels); NaN without variation."""
    import numpy as np

    total = tables.sum(axis=(-2, -1))
    observed = np.trace(tables, axis1=-2, axis2=-1) / total
    expected = (tables.sum(axis=-1) * tables.sum(axis=-2)).sum(axis=-1) / total**2
    with np.errstate(invalid="ignore"):
        kappa: Floats = (observed - expected) / (1 - expected)
    return kappa


def alpha_of(coincidences: Floats) -> Floats:
    """Krippendorff's nominal alpha of coincidence matrices (..., labels, labels).

    One less the ratio of observed to expected disagreement (Krippendorff 2011, Computing
    Krippendorff's Alpha-Reliability); NaN without variation.
    """
    import numpy as np

    given = coincidences.sum(axis=-1)
    total = given.sum(axis=-1)
    observed = total - np.trace(coincidences, axis1=-2, axis2=-1)
    expected = (total**2 - (given**2).sum(axis=-1)) / (total - 1)
    with np.errstate(invalid="ignore"):
        alpha: Floats = 1 - observed / expected
    return alpha


def _bounds(replicates: Floats, confidence: float) -> tuple[float, float]:
    """Percentile bounds; resamples in which no label varies say nothing and are left out."""
    import numpy as np

    tail = (1 - confidence) / 2
    low, high = np.nanquantile(replicates, [tail, 1 - tail])
    return float(low), float(high)


def write_csv(path: Path, rows: Sequence[Agreement]) -> None:
    """Write one row per comparison and label, columns as in COLUMNS."""
    from userturn import tables

    nothing = (None, None, None)
    tables.write_csv(
        path,
        COLUMNS,
        (
            {
                "kind": row.kind,
                "raters": " ".join(row.raters),
                "label": row.label,
                "turns": row.turns,
                "prompts": row.prompts,
                "agreement": row.agreement,
                **dict(zip(COLUMNS[6:9], row.kappa or nothing, strict=True)),
                **dict(zip(COLUMNS[9:], row.alpha or nothing, strict=True)),
            }
            for row in rows
        ),
    )


def show(rows: Sequence[Agreement], confidence: float) -> Table:
    """The rows for a terminal."""
    from rich.table import Column, Table

    def cell(interval: tuple[float, float, float] | None) -> str:
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
            f"{row.agreement:.1%}",
            cell(row.kappa),
            cell(row.alpha),
            style="bold" if overall else None,
        )
    return table
