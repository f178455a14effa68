"""What one model was and is to be asked, as far as its turns are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from userturn import stages
from userturn.artifacts import schemas
from userturn.artifacts.schemas import OWN, SHOWN
from userturn.artifacts.turns import answers_of
from userturn.base import paths
from userturn.base.errors import ArtifactError
from userturn.engines.requests import Completion
from userturn.store import previous
from userturn.store.database import Store
from userturn.store.kinds import COMPLETIONS

if TYPE_CHECKING:
    from userturn.turns.planner import Draft, Planner

Row = dict[str, Any]
GENERATED = {
    "generate": ("answers", "user_turns"),
    "perturb": ("controls",),
    "cross": ("cross",),
}
"""What each stage asks a model to write."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Different requests that the study asks, and those that are answered; None: not known."""

    wanted: int | None = None
    finished: int | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """What one model was and is to be asked for answers.

    Attributes:
        planner: Works out its requests.
        finished: Its finished completions.
        counted: Its answers.
        rows: Rows of kind `answers`; in place of one that is to come, one that says so.
    """

    planner: Planner
    finished: _Finished
    counted: Counted
    rows: list[Row]

    @classmethod
    def of(cls, planner: Planner, slug: str, items: list[Row]) -> Answers:
        """Work out one model's requests for answers."""
        from userturn.turns.rows import answer_row

        finished, chat = _Finished(slug, planner), planner.chat
        drafts = planner.answers(items)
        done = finished.of(drafts)
        rows = [
            answer_row(one, done, chat) if _is_known(one, done) else _to_come(one.key)
            for one in drafts
        ]
        return cls(planner, finished, Counted(len(_ids(drafts)), len(done)), rows)


@dataclass(frozen=True, slots=True)
class Model:
    """What one model was and is to be asked.

    Attributes:
        counted: Completions by kind of artifact.
        compared: Turns that are known, as `artifacts.turns.compared` has them.
        open: Turns that are not, counted as often as they are going to be compared.
    """

    counted: dict[str, Counted]
    compared: list[Row]
    open: int

    @classmethod
    def of(
        cls, answered: Answers, slug: str, items: list[Row], others: Mapping[str, list[Row]]
    ) -> Model:
        """Work out one model's requests behind its prompts.

        Args:
            answered: Its answers.
            slug: The model.
            items: The prompts.
            others: Rows of kind `answers` of the other models that it writes behind.
        """
        from userturn.turns.controls import control_turns
        from userturn.turns.cross import cross_turns
        from userturn.turns.grid import Kind
        from userturn.turns.rows import turn_row

        planner, finished, rows = answered.planner, answered.finished, answered.rows
        chat = planner.chat
        texts = {(row["dataset"], row["item"]): row["text"] for row in rows}
        asked = {
            (item["dataset"], item["item"]): {"earlier": item["earlier"], "query": item["text"]}
            for item in items
        }
        counted = {"answers": answered.counted}
        compared: list[Row] = []
        open_ = 0
        behind: dict[Kind, list[Draft[Any]]] = {
            "user_turns": [*planner.user_turns(items, rows)],
            "controls": [*control_turns(planner, items, rows)],
            "cross": [*cross_turns(planner, slug, items, others)],
        }
        for kind, turns in behind.items():
            done = finished.of(turns)
            counted[kind] = Counted(len(_ids(turns)), len(done))
            for turn in turns:
                if not _is_known(turn, done):
                    open_ += len(answers_of(turn.key.condition))
                    continue
                place = turn.key[:2]
                answers = {SHOWN: turn.text, OWN: texts[place]}
                row = {**turn_row(turn, done, chat), **asked[place]}
                compared += [
                    {**row, "against": against, "answer": answers[against]}
                    for against in answers_of(turn.key.condition)
                ]
        return cls(counted, compared, open_)


class _Finished:
    """Finished completions of one model: those in the store, and those of previous outputs."""

    def __init__(self, slug: str, planner: Planner) -> None:
        from userturn.turns.completer import read_completions

        self._store = paths.completion_store(slug)
        self._before: dict[str, Completion] = {}
        for name in GENERATED:
            for path in previous.outputs(stages.full_name(name, slug)):
                try:
                    self._before |= read_completions(path, planner.chat)
                except ArtifactError:
                    continue  # the stage will not use it either

    def of(self, drafts: Iterable[Draft[Any]]) -> dict[str, Completion]:
        """Completions by request id."""
        ids = _ids(drafts)
        known = {key: self._before[key] for key in ids if key in self._before}
        if self._store.exists():
            with Store(self._store, COMPLETIONS) as store:
                known |= store.get(ids)
        return known


def _ids(drafts: Iterable[Draft[Any]]) -> list[str]:
    return list({draft.request.id: None for draft in drafts if draft.request})


def _to_come(place: tuple[str, str]) -> Row:
    """An answer that is not generated yet: no request behind it can be finished.

    It has a text because each answer decides which one its neighbour is swapped for.
    """
    text = f"The answer to {place} is still to come. Nobody knows what it is going to say."
    return {
        **dict.fromkeys(schemas.ANSWERS),
        **dict(zip(schemas.PROMPT_KEY, place, strict=True)),
        "text": text,
    }


def _is_known(draft: Draft[Any], done: Mapping[str, Completion]) -> bool:
    return draft.request is None or draft.request.id in done
