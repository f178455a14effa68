"""What a study asks of a model, worked out again without an engine: the request behind each row.

Needs the model's tokenizer and chat template on this machine, not its weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from userturn.artifacts import BASE
from userturn.chat.roles import Chat
from userturn.engines.requests import Request
from userturn.models import weights
from userturn.study.study import Study
from userturn.turns import controls
from userturn.turns.plan import (
    Draft,
    Shown,
    Turn,
    answer_requests,
    samples,
    turn_requests,
)

Row = Mapping[str, Any]
Asked = dict[tuple[Any, ...], Request | None]
"""Requests by the key of their row (artifacts.KEYS); None where nothing is sent for the row."""


@dataclass(frozen=True, slots=True)
class Requester:
    """Works out the requests of one model.

    Attributes:
        study: The study.
        chat: Templates of the model.
        identity: Identity of its weights.
        limit: Longest context plus completion, tokens.
    """

    study: Study
    chat: Chat
    identity: str
    limit: int

    @classmethod
    def load(cls, study: Study, slug: str) -> Requester | None:
        """Read the model's tokenizer; None where the model is not on this machine.

        Raises:
            ArtifactError: The pointer to the weights is missing or belongs to another source.
            TemplateError: The model holds no usable tokenizer or chat template.
        """
        folder = weights.present(study, slug)
        if folder is None:
            return None
        chat = Chat.load(folder, study.model[slug].chat)
        limit = weights.context_limit(study, slug, folder)
        return cls(study, chat, weights.identity(study, slug), limit)

    def answers(self, items: Iterable[Row]) -> Asked:
        """Requests for answers to rows of artifacts.PROMPTS."""
        drafts = answer_requests(self.study, self.chat, self.identity, items, self.limit)
        return {(d.wanted["dataset"], d.wanted["item"]): d.request for d in drafts}

    def user_turns(self, items: Iterable[Row], answers: Sequence[Row]) -> Asked:
        """Requests for user turns behind rows of artifacts.ANSWERS."""
        temperatures = self.study.generate.user_turn.temperatures
        shown = {
            (row["dataset"], row["item"], BASE): Shown(row["text"], row["skipped"])
            for row in answers
        }
        return self._turns(items, shown, temperatures)

    def controls(self, items: Iterable[Row], answers: Sequence[Row]) -> Asked:
        """Requests for user turns behind perturbations of these answers."""
        shown = controls.perturbed(self.study, answers, self.chat.encode_content, self.chat.decode)
        return self._turns(items, shown, self.study.perturb.temperatures)

    @property
    def turns_per_prompt(self) -> int:
        """User turns behind one answer."""
        return len(samples(self.study, self.study.generate.user_turn.temperatures))

    @property
    def controls_per_prompt(self) -> int:
        """User turns behind the perturbations of one answer."""
        perturbed = self.study.perturb
        return len(perturbed.conditions) * len(samples(self.study, perturbed.temperatures))

    def _turns(
        self,
        items: Iterable[Row],
        shown: Mapping[tuple[str, str, str], Shown],
        temperatures: Sequence[float],
    ) -> Asked:
        queries = {(row["dataset"], row["item"]): row["text"] for row in items}
        grid = [Turn(*place, *at) for place in shown for at in samples(self.study, temperatures)]
        drafts: list[Draft[Turn]] = turn_requests(
            self.study, self.chat, self.identity, self.limit, grid, queries, shown
        )
        return {astuple(draft.wanted): draft.request for draft in drafts}
