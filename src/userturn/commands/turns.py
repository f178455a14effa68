"""`userturn turns`: user turns for a terminal, chosen by what they are and how they are labelled.

Turns come in a seeded order: the first ten of any choice are a fair look at it, and the same ones
tomorrow.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from userturn.artifacts.labels import Label
from userturn.artifacts.schemas import TURN_KEY
from userturn.artifacts.turns import labels_of
from userturn.base import paths
from userturn.base.errors import StudyError
from userturn.base.seeds import rank
from userturn.commands.show import visible
from userturn.judges.human import labels as human
from userturn.study.study import Study
from userturn.tables._groups import crossed, settings
from userturn.tables.examples import excerpt

INVALID = "invalid"
"""Stands for a label where a judge was asked and gave none."""
FEW = 10
"""Turns that a terminal shows where nobody says how many."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one judge or annotator says of a turn.

    Attributes:
        label: A label, or INVALID.
        probability: Of a follow-up, by a judge that gives one.
        reason: The rule that fired, the judge's rationale, or why there is no label.
    """

    label: str
    probability: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One user turn.

    Attributes:
        model: Slug of the model that wrote it.
        row: Its row of `artifacts.turns.frame`.
        said: What is said of it, by judge or annotator.
    """

    model: str
    row: dict[str, Any]
    said: dict[str, Said]

    @property
    def key(self) -> tuple[Any, ...]:
        """What names it in a study."""
        return self.model, *(self.row[name] for name in TURN_KEY)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which turns to show; None is no matter.

    Attributes:
        model: Slug of the model that wrote it.
        dataset: Slug of its prompt's dataset.
        condition: `base`, a perturbation, or `behind_<source>`.
        temperature: Of the turn.
        judge: Who has to have labelled it; the label is this one's.
        label: Its label.
        disagreement: Only turns to which two judges or annotators give different labels.
        word: What the turn has to contain, in any case.
    """

    model: str | None = None
    dataset: str | None = None
    condition: str | None = None
    temperature: float | None = None
    judge: str | None = None
    label: str | None = None
    disagreement: bool = False
    word: str | None = None


def run_turns(study: Study, wanted: Wanted, limit: int | None, as_json: bool) -> None:
    """Print the turns of a study that are wanted.

    Args:
        study: The study.
        wanted: Which ones.
        limit: At most how many; None for FEW in a terminal, and for all as JSON.
        as_json: Print one JSON object per line, with all texts whole.

    Raises:
        StudyError: The study has no such model, dataset, condition, temperature, judge or label.
        ArtifactError: Turns or labels are missing or corrupt.
    """
    people = human.read_all()
    check(study, wanted, list(people))
    models = [wanted.model] if wanted.model else study.models.probe
    every = [turn for slug in models for turn in _read(study, slug, people)]
    chosen = ordered(select(every, wanted, study.classify.primary), study.seed)
    if as_json:
        for turn in chosen[:limit]:
            print(json.dumps(as_record(turn)))
        return
    shown = chosen[: FEW if limit is None else limit]
    console = Console(highlight=False)
    for turn in shown:
        console.print(_page(turn))
    more = f"; --limit {len(chosen)} shows all" if len(shown) < len(chosen) else ""
    console.print(f"{len(shown)} of {len(chosen)} turns{more}")


def check(study: Study, wanted: Wanted, annotators: Sequence[str]) -> None:
    """Refuse what no turn of the study can be.

    Raises:
        StudyError: Names the option and what it may be.
    """
    cells = [*settings(study), *crossed(study)]
    judges = [*study.classify.judges, *annotators]
    known: dict[str, Sequence[Any]] = {
        "model": study.models.probe,
        "dataset": study.prompts.datasets,
        "condition": list(dict.fromkeys(condition for condition, _ in cells)),
        "temperature": sorted({temperature for _, temperature in cells}),
        "judge": judges,
        "label": [*(label.value for label in Label), INVALID],
    }
    for name, values in known.items():
        value = getattr(wanted, name)
        if value is not None and value not in values:
            raise StudyError(f"--{name} {value}: the study has: {', '.join(map(str, values))}")
    if wanted.disagreement and len(judges) == 1:
        raise StudyError(
            f"--disagreement: the study has one judge, {judges[0]}, and no person labelled turns"
        )


def select(turns: Iterable[Turn], wanted: Wanted, primary: str) -> list[Turn]:
    """The turns that are wanted, in their order.

    Args:
        turns: Turns of the study.
        wanted: Which ones.
        primary: Judge whose label counts where none is named.
    """
    same = {
        name: value
        for name in ("dataset", "condition", "temperature")
        if (value := getattr(wanted, name)) is not None
    }
    word = (wanted.word or "").casefold()

    def fits(turn: Turn) -> bool:
        said = turn.said.get(wanted.judge or primary)
        return (
            wanted.model in (None, turn.model)
            and all(turn.row[name] == value for name, value in same.items())
            and (wanted.judge is None or said is not None)
            and (wanted.label is None or (said is not None and said.label == wanted.label))
            and (not wanted.disagreement or disagree(turn))
            and word in turn.row["text"].casefold()
        )

    return [turn for turn in turns if fits(turn)]


def disagree(turn: Turn) -> bool:
    """Whether two judges or annotators give a turn different labels; having none is no label."""
    return len({said.label for said in turn.said.values()} - {INVALID}) > 1


def ordered(turns: Iterable[Turn], seed: int) -> list[Turn]:
    """Turns in a seeded order: whatever others there are, two keep their order."""
    return sorted(turns, key=lambda turn: rank(seed, *turn.key))


def as_record(turn: Turn) -> dict[str, Any]:
    """A turn for programs: every text whole, what everybody says of it by name."""
    names = ("model", *TURN_KEY)
    return {
        **dict(zip(names, turn.key, strict=True)),
        "earlier": turn.row["earlier"] or [],
        "query": turn.row["query"],
        "answer": turn.row["shown"],
        "turn": turn.row["text"],
        "end": turn.row["end"],
        "labels": {
            name: {"label": said.label, "probability": said.probability, "reason": said.reason}
            for name, said in turn.said.items()
        },
    }


def judgement(said: Said) -> str:
    """One line of what is said.

    >>> judgement(Said("followup", 0.8312, "fit"))
    'followup, p 0.83: fit'
    """
    probability = "" if said.probability is None else f", p {said.probability:.2f}"
    return f"{said.label}{probability}" + (f": {said.reason}" if said.reason else "")


def _page(turn: Turn) -> Group:
    """A turn for a reader: query and answer clipped in the middle, the turn whole."""
    row = turn.row
    title = (
        f"{turn.model} · {row['dataset']} {row['item']} · {row['condition']} · "
        f"temperature {row['temperature']:g} · sample {row['sample']}"
    )
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for one in row["earlier"] or ():
        table.add_row(one["role"], Text(visible(excerpt(one["content"]) or ""), "dim"))
    table.add_row("query", Text(visible(excerpt(row["query"]) or "")))
    table.add_row("answer", Text(visible(excerpt(row["shown"]) or "")))
    table.add_row("turn", _whole(row["text"]))
    if not turn.said:
        table.add_row("label", Text("not labelled yet", "dim"))
    for name, said in turn.said.items():
        table.add_row(name, Text(visible(judgement(said)), "bold"))
    return Group(Rule(Text(visible(title)), align="left", style="dim"), table, Text())


def _whole(text: str) -> Text:
    if not text:
        return Text("(no text)", "dim")
    return Text("\n".join(visible(line) for line in text.split("\n")), "green")


def _read(study: Study, slug: str, people: dict[str, dict[human.Text, Label]]) -> Iterator[Turn]:
    """Generated turns of one model with all that is said of them."""
    judged = _judged(slug)
    for text, row in human.shown(study, slug).items():
        key = tuple(row[name] for name in TURN_KEY)
        of_people = {name: Said(labels[text]) for name, labels in people.items() if text in labels}
        yield Turn(slug, row, {**judged.get(key, {}), **of_people})


def _judged(slug: str) -> dict[tuple[Any, ...], dict[str, Said]]:
    """What the judges say of a model's turns; nothing where stage `classify` has not run."""
    if not paths.artifact("labels", slug).exists():
        return {}
    judged: dict[tuple[Any, ...], dict[str, Said]] = {}
    for row in labels_of(slug).iter_rows(named=True):
        key = tuple(row[name] for name in TURN_KEY)
        reason = row["invalid"] if row["label"] is None else row["reason"]
        judged.setdefault(key, {})[row["judge"]] = Said(
            row["label"] or INVALID, row["probability"], reason
        )
    return judged
