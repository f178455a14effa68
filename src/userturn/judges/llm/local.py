"""A judge in this process: the model `classify.judge_model`, decoding under a schema."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from typing import Any

from userturn import engines
from userturn.base.errors import TemplateError
from userturn.chat.loading import load_chat
from userturn.engines.base import Engine
from userturn.engines.requests import Request, Sampling
from userturn.judges.llm import reply as llm
from userturn.judges.llm.judge import Judge, Question
from userturn.models import weights
from userturn.study.judges import LocalJudge
from userturn.study.study import Study
from userturn.turns.plan import too_long

log = logging.getLogger(__name__)


class Local(Judge):
    """The model `classify.judge_model` in this process."""

    def __init__(self, study: Study, params: LocalJudge) -> None:
        slug = study.classify.judge_model
        self._params = study.model[slug].engine
        self._folder = weights.materialise(study, slug)
        self._identity = weights.identity(study, slug)
        self._chat = load_chat(study, slug)
        self._limit = weights.context_limit(study, slug)
        self._constrained = engines.constrains(self._params.name)
        self._sampling = Sampling(
            temperature=0.0,
            top_p=1.0,
            max_tokens=params.max_tokens,
            stop_ids=self._chat.answer_stop.ids,
            json_schema=json.dumps(llm.schema(bounded=True)) if self._constrained else None,
        )
        self._engine: Engine | None = None

    def question(self, prompt: str) -> Question | str:
        """The question that a prompt becomes, or why it cannot be asked."""
        try:
            context = self._chat.reply_context(prompt)
        except TemplateError as error:  # of this text alone: the template was checked
            return str(error)
        if reason := too_long(len(context), self._sampling.max_tokens, self._limit):
            return f"judge: {reason}"
        request = Request(self._identity, context, self._sampling, seed=0)
        return Question(request.id, request)

    def send(self, questions: Sequence[Question], stage: str) -> Iterator[tuple[str, str | None]]:
        """Yield id and reply as they come. Raises EngineError."""
        if self._engine is None:
            log.info("%s: loading the judge %s", stage, self._folder.name)
            self._engine = self._create()
            self._engine.load()
        for request, done in self._engine.generate([question.body for question in questions]):
            yield request.id, self._chat.decode(done.token_ids)

    def describe(self) -> dict[str, Any]:
        """Facts for provenance."""
        return {
            "weights": self._identity,
            "chat_template": self._chat.template_hash,
            "engine": self._create().describe(),
            "constrained": self._constrained,
        }

    def close(self) -> None:
        """Free the weights."""
        if self._engine is not None:
            self._engine.close()

    def _create(self) -> Engine:
        return engines.create(self._params, self._folder, constrained=self._constrained)
