"""What a study asks of a model: the request behind each answer and user turn, without an engine.

Stages send these requests; `status`, `verify` and `probe` work out the same ones. Needs the model's
tokenizer and chat template on this machine, not its weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from userturn.artifacts import messages
from userturn.artifacts.messages import Query
from userturn.artifacts.prompts import has_system
from userturn.artifacts.schemas import BASE
from userturn.base.errors import TemplateError
from userturn.base.seeds import derive_seed
from userturn.chat.chat import Chat, Mode
from userturn.chat.loading import load_chat
from userturn.engines.requests import Request, Sampling
from userturn.models import weights
from userturn.study.generate import REFERENCE
from userturn.study.study import Study
from userturn.turns.grid import Kind, Place, TurnKey, turn_keys

K = TypeVar("K", bound=tuple[Any, ...])
Row = Mapping[str, Any]

EMPTY_PROMPT = "empty prompt"
NO_REFERENCE = "the dataset has no reference answer for this prompt"


@dataclass(frozen=True, slots=True)
class Shown:
    """The answer that a context shows, or why there is none.

    Attributes:
        text: Its content, None where there is none.
        skipped: Why there is none, or None.
        reasoning: What the model thought before it; `history` shows it where the template does.
        token_ids: The answer that it is, or that it is a perturbation of, as it was generated,
            for `live`; None where nobody generated it.
        perturbed: Whether `text` is another than the generated one.
    """

    text: str | None
    skipped: str | None
    reasoning: str = ""
    token_ids: tuple[int, ...] | None = None
    perturbed: bool = False

    @classmethod
    def of(cls, answer: Row) -> Self:
        """The answer of a row of kind `answers`."""
        ids = answer["token_ids"]
        return cls(
            answer["text"],
            answer["skipped"],
            answer["reasoning"] or "",
            None if ids is None else tuple(ids),
        )

    def context(self, chat: Chat, query: Query, mode: Mode) -> tuple[int, ...]:
        """Ids in front of a user turn behind it, see `Chat.user_context`.

        Raises:
            TemplateError: The template rejects, drops or alters a turn.
        """
        text, generated = self.text or "", None
        if mode == "live" and self.token_ids is not None:
            generated = chat.answer_ids(self.token_ids, text if self.perturbed else None)
        return chat.user_context(query, text, mode, reasoning=self.reasoning, generated=generated)


@dataclass(frozen=True, slots=True)
class Draft(Generic[K]):
    """A row before its completion.

    Attributes:
        key: Key of the row (schemas.KEYS).
        seed: Its seed.
        request: What is sent for it, or None.
        skipped: Why nothing is, or None.
        text: For an answer, the dataset's own, in place of a request; for a user turn, the answer
            that its context shows. Or None.
    """

    key: K
    seed: int
    request: Request | None
    skipped: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Planner:
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
    def load(cls, study: Study, slug: str, items: Iterable[Row]) -> Self:
        """Read the model's tokenizer, fetched where it is missing, and check its template.

        Args:
            study: The study.
            slug: The model.
            items: Rows of kind `prompts` that are to be asked: the template is checked with a
                system message where one of them has one.

        Raises:
            TemplateError: The model's chat template cannot carry the conversations.
        """
        chat = load_chat(study, slug, system=has_system(items))
        limit = weights.context_limit(study, slug)
        return cls(study, chat, weights.identity(study, slug), limit)

    @classmethod
    def present(cls, study: Study, slug: str) -> Self | None:
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

    def answers(self, items: Iterable[Row]) -> list[Draft[Place]]:
        """What is asked for the answer to every prompt, by rows of kind `prompts`."""
        return [self._answer(item) for item in items]

    def user_turns(self, items: Iterable[Row], answers: Iterable[Row]) -> list[Draft[TurnKey]]:
        """What is asked for the user turns behind rows of kind `answers`."""
        shown = {(row["dataset"], row["item"], BASE): Shown.of(row) for row in answers}
        return self.turns("user_turns", items, shown)

    def turns(
        self,
        kind: Kind,
        items: Iterable[Row],
        shown: Mapping[tuple[str, str, str], Shown],
        writer: str = "",
    ) -> list[Draft[TurnKey]]:
        """What is asked for user turns behind given answers.

        Args:
            kind: Which turns are wanted.
            items: Rows of kind `prompts`.
            shown: The answer in the context, by (dataset, item, condition).
            writer: The model, for turns of kind `cross`.
        """
        queries = {(row["dataset"], row["item"]): messages.asked(row) for row in items}
        contexts = {key: self._context(queries[key[:2]], answer) for key, answer in shown.items()}
        places = dict.fromkeys(key[:2] for key in shown)
        return [
            self._turn(key, contexts[key[:3]], shown[key[:3]].text)
            for key in turn_keys(self.study, kind, places, writer)
        ]

    def _answer(self, item: Row) -> Draft[Place]:
        wanted, place = self.study.generate.answer, (item["dataset"], item["item"])
        seed = derive_seed(self.study.seed, *place, "answer", wanted.temperature, 0)
        if not item["text"].strip():
            return Draft(place, seed, None, EMPTY_PROMPT, None)
        if self.study.generate.own_source == REFERENCE:
            text = item["reference_answer"]
            return Draft(place, seed, None, NO_REFERENCE if text is None else None, text)
        try:
            context = self.chat.answer_context(messages.asked(item))
        except TemplateError as error:  # of this text alone: `self_check` passed
            return Draft(place, seed, None, str(error), None)
        stop = self.chat.answer_stop.ids
        sampling = Sampling(wanted.temperature, wanted.top_p, wanted.max_tokens, stop)
        return self._draft(place, seed, context, sampling, None)

    def _context(self, query: Query, answer: Shown) -> tuple[int, ...] | str | None:
        """Context of a user turn, or why there is none."""
        if answer.text is None:
            return answer.skipped
        try:
            return answer.context(self.chat, query, self.study.generate.context)
        except TemplateError as error:  # of this text alone: `self_check` passed
            return str(error)

    def _turn(
        self, key: TurnKey, context: tuple[int, ...] | str | None, shown: str | None
    ) -> Draft[TurnKey]:
        wanted, seed = self.study.generate.user_turn, derive_seed(self.study.seed, *key)
        if not isinstance(context, tuple):
            return Draft(key, seed, None, context, shown)
        stop = self.chat.user_stop.ids
        sampling = Sampling(key.temperature, wanted.top_p, wanted.max_tokens, stop)
        return self._draft(key, seed, context, sampling, shown)

    def _draft(
        self, key: K, seed: int, context: tuple[int, ...], sampling: Sampling, text: str | None
    ) -> Draft[K]:
        if reason := weights.too_long(len(context), sampling.max_tokens, self.limit):
            return Draft(key, seed, None, reason, text)
        return Draft(key, seed, Request(self.identity, context, sampling, seed), None, text)
