"""What a stale stage is going to ask: how many requests, and how many are answered already.

Worked out as the stages do, from what lies on this machine: no engine, no weights, no network.
Turns that are not generated yet cannot be told in full: what is asked about them counts as to send,
at the most that it can be.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from userturn.artifacts.prompts import read_prompts
from userturn.artifacts.turns import real_turns
from userturn.base.errors import ArtifactError, UserturnError
from userturn.models import inputs, sources, weights
from userturn.study.judges import LocalJudge, ServerJudge
from userturn.study.sources import FileSource
from userturn.study.study import Study
from userturn.workflow.asked import Answers, Counted, Model, Row

if TYPE_CHECKING:
    from userturn.measures.contexts import Conversation
    from userturn.measures.scorer import Scorer
QA = ("a query", "an answer")
"""Stand for query and answer where only the layout matters."""

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
    _models: dict[str, Model | None] = field(default_factory=dict)
    _answered: dict[str, Answers] = field(default_factory=dict)

    def generated(self, slug: str, kind: str) -> Counted:
        """Completions of one model, of an artifact's kind."""
        model = self._model(slug)
        return model.counted[kind] if model else UNKNOWN

    def likelihoods(self, slug: str) -> Counted:
        """What the scorer is asked about one model's turns."""
        model = self._model(slug)
        if model is None:
            return UNKNOWN
        return self._measured(f"ground@{slug}", model.compared, model.open)

    def real(self, dataset: str) -> Counted:
        """What the scorer is asked about the real next turns of one dataset."""
        turns = self._real(dataset)
        return UNKNOWN if turns is None else self._measured(f"human@{dataset}", turns)

    def expected(self, slug: str) -> Counted:
        """What one model is asked about the real next turns."""

        def count(scorer: Scorer) -> tuple[set[str], int]:
            from userturn.measures.expected import cases

            mode, seed = self.study.generate.context, self.study.seed
            every = (
                case
                for dataset in self.study.prompts.human
                for case in cases(
                    self._items(dataset), scorer.chat, mode, scorer.max_model_len, seed
                )
            )
            requests = [request for case in every for request in case.requests]
            return {key for keys in scorer.keys(requests) for key in keys}, 0

        return self._scored(f"expect@{slug}", count, slug)

    def _measured(self, stage: str, compared: list[Row], open_: int = 0) -> Counted:
        """What the scorer is asked about turns, and at the most about those that are to come."""

        def count(scorer: Scorer) -> tuple[set[str], int]:
            from userturn.stages.ground import measurable

            turns = [measurable(row, scorer.chat) for row in compared]
            return self._pairs(scorer, turns), open_ * len(conversations(self.study))

        return self._scored(stage, count)

    def _real(self, dataset: str) -> list[Row] | None:
        """The real next turns of a dataset; None where it is not on this machine."""
        try:
            return real_turns(self._items(dataset))
        except UserturnError:
            return None

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
        model = self._model(slug)
        if model is None:
            return UNKNOWN
        return self._judged(f"classify@{slug}", judge, model.compared, model.open)

    def real_judged(self, dataset: str, judge: str) -> Counted:
        """What an LLM judge is asked about the real next turns of one dataset."""
        turns = self._real(dataset)
        return UNKNOWN if turns is None else self._judged(f"human@{dataset}", judge, turns)

    def _judged(self, stage: str, judge: str, compared: list[Row], open_: int = 0) -> Counted:
        from userturn.judges.llm import ask
        from userturn.judges.llm import reply as llm
        from userturn.judges.llm.judge import Question

        entry = self.study.judge[judge]
        assert isinstance(entry, LocalJudge | ServerJudge), "a judge of another kind"
        items = {
            llm.Item.of(row)
            for row in compared
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
        return Counted(len(ids) + open_, len(finished))

    def _model(self, slug: str) -> Model | None:
        if slug not in self._models:
            try:
                with redirect_stderr(io.StringIO()):  # what a stage says when it runs
                    self._models[slug] = self._read(slug)
            except UserturnError:  # something is still to be made, or is not what it should be
                self._models[slug] = None
        return self._models[slug]

    def _read(self, slug: str) -> Model | None:
        from userturn.turns.cross import models_of

        items = list(chain.from_iterable(map(self._items, self.study.prompts.datasets)))
        rows = {one: self._answers(one, items).rows for one in models_of(self.study, slug)}
        return Model.of(self._answers(slug, items), slug, items, rows)

    def _answers(self, slug: str, items: list[Row]) -> Answers:
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
            self._answered[slug] = Answers.of(planner, slug, items)
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

    def _scored(self, stage: str, count: Any, slug: str | None = None) -> Counted:
        from userturn.measures.scorer import Scorer

        try:
            if not self._here(slug or self.study.ground.scorer):
                return UNKNOWN
            with redirect_stderr(io.StringIO()), Scorer(self.study, stage, slug) as scorer:
                keys, open_ = count(scorer)
                return Counted(len(keys) + open_, len(scorer.finished(keys)))
        except UserturnError:
            return UNKNOWN

    def _pairs(self, scorer: Scorer, turns: Sequence[Any]) -> set[str]:
        from userturn.measures.plan import plan

        mode, ground = self.study.generate.context, self.study.ground
        layout = plan(turns, scorer.chat, mode, ground, scorer.max_model_len)
        return {key for keys in scorer.keys(layout.requests) for key in keys}


def conversations(study: Study) -> list[Conversation]:
    """Different conversations behind which one turn is scored, those of query and answer QA."""
    from userturn.measures import contexts
    from userturn.measures.contexts import Conversation, Scene

    scene = Scene(Conversation(*QA), study.ground)
    layouts: Iterator[Iterable[Conversation]] = (
        kind.lay_out(scene) for kind in contexts.load_all().values()
    )
    return list(dict.fromkeys(chain.from_iterable(layouts)))
