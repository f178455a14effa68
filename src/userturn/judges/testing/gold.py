"""Gold turns: user turns with labels by careful reading, one JSON object per line.

    {"dataset": ..., "item": ..., "condition": ..., "temperature": ..., "query": ..., "answer": ...,
     "turn": ..., "end": ..., "labels": [{"annotator": ..., "label": ..., ...}, ...]}

`answer` is the answer that the turn's context showed. A turn's label is that of the annotator
`agreed`, where readers settled a difference, else the first. Without `query` its text is joined
from the dataset. `dataset`, `item`, `condition`, `temperature` and `end` may be left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from userturn.artifacts.labels import Label
from userturn.artifacts.schemas import BASE
from userturn.base.errors import PromptError, UserturnError
from userturn.base.seeds import rank
from userturn.judges.calibration.labelled import settled
from userturn.prompts.collect import load
from userturn.prompts.records import Row, read_rows
from userturn.study.sources import FileSource
from userturn.study.study import Study


@dataclass(frozen=True, slots=True)
class GoldTurn:
    """A turn with its label by reading.

    Attributes:
        prompt: Dataset and item, or the query where the file names none.
        condition: `base`, or a perturbation.
        temperature: At which it was sampled; None: unknown, or people wrote it.
        query: The prompt's text.
        answer: The answer that its context showed.
        text: The turn.
        end: `eos`, `stop_token`, `length` or `empty`.
        label: What readers say it is.
    """

    prompt: tuple[str, str]
    condition: str
    temperature: float | None
    query: str
    answer: str
    text: str
    end: str
    label: Label


@dataclass(frozen=True, slots=True)
class Gold:
    """The gold turns of a file.

    Attributes:
        turns: Those whose query is at hand, in the order of the file.
        absent: Number of turns left out, by dataset.
    """

    turns: tuple[GoldTurn, ...]
    absent: dict[str, int]


def read(path: Path, study: Study) -> Gold:
    """Read gold turns, their queries from the study's registry where the file has none.

    Raises:
        UserturnError: The file does not exist, a line is no gold turn, or no query is at hand.
    """
    if not path.is_file():
        raise UserturnError(f"{path}: does not exist; name a file of labelled turns with --gold")
    queries: dict[str, dict[str, str]] = {}
    turns: list[GoldTurn] = []
    absent: Counter[str] = Counter()
    for line in read_rows(path):
        query = line.optional_text("query")
        if query is None:
            dataset, item = line.text("dataset"), line.text("item")
            if dataset not in queries:
                queries[dataset] = _at_hand(study, dataset)
            query = queries[dataset].get(item)
        turn = _turn(line, query or "")  # a mistake is named whether or not the query is at hand
        if query is None:
            absent[dataset] += 1
        else:
            turns.append(turn)
    if not turns:
        why = f"the texts of {', '.join(absent)} are not at hand" if absent else "it has no lines"
        mend = "; set USERTURN_DATA to the folder that holds them" if absent else ""
        raise UserturnError(f"{path}: holds no turn to judge: {why}{mend}")
    return Gold(tuple(turns), dict(absent))


def sample(turns: tuple[GoldTurn, ...], count: int | None, seed: int) -> tuple[GoldTurn, ...]:
    """The first `count` of a seeded order (None: all), in the order of the file."""

    def place(at: int) -> bytes:
        return rank(seed, turns[at].query, turns[at].answer, turns[at].text, at)

    return tuple(turns[at] for at in sorted(sorted(range(len(turns)), key=place)[:count]))


def _turn(line: Row, query: str) -> GoldTurn:
    text, label = line.text("turn"), _label(line)
    temperature = line.values.get("temperature")
    if temperature is not None and type(temperature) not in (int, float):
        raise PromptError(f"{line.origin}: 'temperature' must be a number, not {temperature!r:.40}")
    return GoldTurn(
        prompt=(
            line.optional_text("dataset") or "gold",
            line.optional_text("item") or query,
        ),
        condition=line.optional_text("condition") or BASE,
        temperature=None if temperature is None else float(temperature),
        query=query,
        answer=line.text("answer"),
        text=text,
        end=line.optional_text("end") or ("eos" if text.strip() else "empty"),
        label=label,
    )


def _label(line: Row) -> Label:
    """The label that readers settled on, else the first one's."""
    given = line.items("labels")
    if not given:
        raise PromptError(f"{line.origin}: has no labels; every line needs one at least")
    if not all(isinstance(one, dict) and "label" in one for one in given):
        raise PromptError(f"{line.origin}: 'labels' must hold objects with annotator and label")
    name = settled(given)["label"]
    if name not in list(Label):
        known = ", ".join(Label)
        raise PromptError(f"{line.origin}: unknown label {name!r:.40}; labels are: {known}")
    return Label(name)


def _at_hand(study: Study, dataset: str) -> dict[str, str]:
    """Texts by item of a dataset that lies in a file here; nothing is fetched for a test."""
    for slug in _file_entries(study, dataset):
        try:
            return {prompt.item: prompt.text for prompt in load(study, slug)[0]}
        except UserturnError:
            continue  # not at hand: it is counted and said
    return {}


def _file_entries(study: Study, dataset: str) -> Iterator[str]:
    """Entries of the registry that read a dataset from a file: its own name, or with `_file`."""
    for slug in (dataset, f"{dataset}_file"):
        if slug in study.dataset and isinstance(study.dataset[slug].source, FileSource):
            yield slug
