"""What a stale stage is going to ask: how many requests, and how many are answered already.

Worked out as the stages do, from what lies on this machine: no engine, no weights, no network.
Turns that are not generated yet cannot be told in full: what is asked about them counts as to send,
at the most that it can be.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from userturn import stages
from userturn.artifacts import schemas
from userturn.artifacts.prompts import read_prompts
from userturn.artifacts.schemas import OWN, SHOWN
from userturn.artifacts.turns import answers_of
from userturn.base import paths
from userturn.base.errors import ArtifactError, UserturnError
from userturn.engines.requests import Completion
from userturn.models import inputs, sources, weights
from userturn.store import previous
from userturn.store.database import Store
from userturn.store.kinds import COMPLETIONS
from userturn.study.judges import LocalJudge, ServerJudge
from userturn.study.sources import FileSource
from userturn.study.study import Study

if TYPE_CHECKING:
    from userturn.measures.contexts import Conversation
    from userturn.measures.scorer import Scorer
    from userturn.turns.planner import Draft, Planner

Row = dict[str, Any]
GENERATED = {
    "generate": ("answers", "user_turns"),
    "perturb": ("controls",),
    "cross": ("cross",),
}
"""What each stage asks a model to write."""
QA = ("a query", "an answer")
"""Stand for query and answer where only the layout matters."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Different requests that the study asks, and those that are answered; None: not known."""

    wanted: int | None = None
    finished: int | None = None


UNKNOWN = Counted()


@dataclass
class Counts:
    """Counts of a study whose stages are partly stale.

    Attributes:
        study: The study.
        stale: Names of the stages that are to run.
    """

    study: Study
    stale: frozenset[str]
    _models: dict[str, _Model | None] = field(default_factory=dict)
    _answered: dict[str, _Answers] = field(default_factory=dict)

    def generated(self, slug: str, kind: str) -> Counted:
        """Completions of one model, of an artifact's kind."""
        model = self._model(slug)
        return model.counted[kind] if model else UNKNOWN

    def likelihoods(self, slug: str) -> Counted:
        """What the scorer is asked about one model's turns."""
        model = self._model(slug)
        if model is None:
            return UNKNOWN

        def count(scorer: Scorer) -> tuple[set[str], int]:
            from userturn.stages.ground import measurable

            turns = [measurable(row, scorer.chat) for row in model.compared]
            return self._pairs(scorer, turns), model.open * len(conversations(self.study))

        return self._scored(f"ground@{slug}", count)

    def calibration(self) -> Counted:
        """What the scorer is asked about the reference turns."""

        def count(scorer: Scorer) -> tuple[set[str], int]:
            from userturn.judges.calibration import sets
            from userturn.judges.calibration.measured import measurables

            if not all(map(sources.is_here, inputs.reference_sources(self.study))):
                raise ArtifactError("reference turns are not on this machine")
            return self._pairs(scorer, measurables(sets.read(self.study), scorer.chat)), 0

        return self._scored("calibrate", count)

    def judged(self, slug: str, judge: str) -> Counted:
        """What an LLM judge is asked about one model's turns; second questions are not known."""
        from userturn.judges.llm import ask
        from userturn.judges.llm import reply as llm
        from userturn.judges.llm.judge import Question

        model, entry = self._model(slug), self.study.judge[judge]
        assert isinstance(entry, LocalJudge | ServerJudge), "a judge of another kind"
        if model is None:
            return UNKNOWN
        stage = f"classify@{slug}"
        items = {
            llm.Item.of(row)
            for row in model.compared
            if row["skipped"] is None and (row["text"] or "").strip()
        }
        try:
            if isinstance(entry, LocalJudge) and not self._here(self.study.classify.judge_model):
                return UNKNOWN
            with ask.Panel(self.study, judge, stage) as panel:
                asked = map(panel.question, items)
                ids = {one.id for one in asked if isinstance(one, Question)}
                finished = panel.finished(ids)
        except UserturnError:
            return UNKNOWN
        return Counted(len(ids) + model.open, len(finished))

    def _model(self, slug: str) -> _Model | None:
        if slug not in self._models:
            try:
                with redirect_stderr(io.StringIO()):  # what a stage says when it runs
                    self._models[slug] = self._read(slug)
            except UserturnError:  # something is still to be made, or is not what it should be
                self._models[slug] = None
        return self._models[slug]

    def _read(self, slug: str) -> _Model | None:
        from userturn.turns.cross import models_of

        items = list(chain.from_iterable(map(self._items, self.study.prompts.datasets)))
        rows = {one: self._answers(one, items).rows for one in models_of(self.study, slug)}
        return _Model.of(self._answers(slug, items), slug, items, rows)

    def _answers(self, slug: str, items: list[Row]) -> _Answers:
        """Answers of one model as they are, or as they are going to be asked for.

        Raises:
            ArtifactError: The model is not on this machine.
        """
        from userturn.turns.planner import Planner

        if slug not in self._answered:
            planner = Planner.present(self.study, slug)
            if planner is None:
                raise ArtifactError(f"model.{slug} is not on this machine")
            planner = replace(planner, identity=self._identity(slug))
            self._answered[slug] = _Answers.of(planner, slug, items)
        return self._answered[slug]

    def _items(self, dataset: str) -> list[Row]:
        """Prompts as they are, or as their stage is going to make them."""
        from userturn.prompts.collect import load, select

        if f"prompts@{dataset}" not in self.stale:
            return read_prompts([dataset]).to_dicts()
        if not sources.is_here(self.study.dataset[dataset].source):
            raise ArtifactError(f"dataset.{dataset} is not on this machine")
        known, _ = load(self.study, dataset)
        chosen = select(known, self.study.prompts.items, self.study.seed, dataset)
        return [prompt.columns(dataset) for prompt in chosen]

    def _identity(self, slug: str) -> str:
        """Identity of a model's weights as they are, or as their stage is going to find them."""
        identity, source = weights.identity(self.study, slug), self.study.model[slug].source
        if f"weights@{slug}" not in self.stale or not isinstance(source, FileSource):
            return identity
        content = inputs.fingerprints(self.study).get(f"model.{slug}")
        if content is None or self.study.model[slug].format != "hf":
            raise ArtifactError(f"model.{slug} is still to be made")
        return f"sha256:{content}/{identity.rpartition('/')[2]}"

    def _here(self, slug: str) -> bool:
        """Whether a model that scores or judges is on this machine, as its pointer names it."""
        return weights.present(self.study, slug) is not None and self._identity(
            slug
        ) == weights.identity(self.study, slug)

    def _scored(self, stage: str, count: Any) -> Counted:
        from userturn.measures.scorer import Scorer

        try:
            if not self._here(self.study.ground.scorer):
                return UNKNOWN
            with redirect_stderr(io.StringIO()), Scorer(self.study, stage) as scorer:
                keys, open_ = count(scorer)
                return Counted(len(keys) + open_, len(scorer.finished(keys)))
        except UserturnError:
            return UNKNOWN

    def _pairs(self, scorer: Scorer, turns: Sequence[Any]) -> set[str]:
        from userturn.measures.plan import plan

        mode, ground = self.study.generate.context, self.study.ground
        layout = plan(turns, scorer.chat, mode, ground, scorer.max_model_len)
        return {key for keys in scorer.keys(layout.requests) for key in keys}


@dataclass(frozen=True, slots=True)
class _Answers:
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
    def of(cls, planner: Planner, slug: str, items: list[Row]) -> _Answers:
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
class _Model:
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
        cls, answered: _Answers, slug: str, items: list[Row], others: Mapping[str, list[Row]]
    ) -> _Model:
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


def conversations(study: Study) -> list[Conversation]:
    """Different conversations behind which one turn is scored, those of query and answer QA."""
    from userturn.measures import contexts
    from userturn.measures.contexts import Conversation, Scene

    scene = Scene(Conversation(*QA), study.ground)
    layouts: Iterator[Iterable[Conversation]] = (
        kind.lay_out(scene) for kind in contexts.load_all().values()
    )
    return list(dict.fromkeys(chain.from_iterable(layouts)))
