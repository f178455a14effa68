"""A judge in this process: the model `classify.judge_model`, decoding under a schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from typing import Any

from userturn import engines
from userturn.base.errors import TemplateError
from userturn.chat.loading import load_chat
from userturn.engines.requests import Request, Sampling
from userturn.judges.llm import reply as llm
from userturn.judges.llm.judge import Judge, Question
from userturn.models import weights
from userturn.store.worker import Worker, generate
from userturn.study.judges import LocalJudge
from userturn.study.study import Study


class Local(Judge):
    """The model `classify.judge_model` in this process."""

    def __init__(self, study: Study, params: LocalJudge) -> None:
        slug = study.classify.judge_model
        engine = study.model[slug].engine
        self._identity = weights.identity(study, slug)
        self._chat = load_chat(study, slug)
        self._limit = weights.context_limit(study, slug)
        self._constrained = engines.constrains(engine.name)
        self._sampling = Sampling(
            temperature=0.0,
            top_p=1.0,
            max_tokens=params.max_tokens,
            stop_ids=self._chat.answer_stop.ids,
            json_schema=json.dumps(llm.schema(params.rubric, bounded=True))
            if self._constrained
            else None,
        )
        self._worker = Worker(
            slug,
            engine,
            weights.materialise(study, slug),
            generate,
            constrained=self._constrained,
        )

    def question(self, prompt: str) -> Question | str:
        """The question that a prompt becomes, or why it cannot be asked."""
        try:
            context = self._chat.reply_context(prompt)
        except TemplateError as error:  # of this text alone: the template was checked
            return str(error)
        if reason := weights.too_long(len(context), self._sampling.max_tokens, self._limit):
            return f"judge: {reason}"
        request = Request(self._identity, context, self._sampling, seed=0)
        return Question(request.id, request)

    def answer(
        self, asked: Mapping[str, Question], state: Callable[[], str]
    ) -> Generator[tuple[str, str | None], None, None]:
        """Yield id and reply as they come. Raises EngineError."""
        requests = {key: question.body for key, question in asked.items()}
        for key, done in self._worker.answer(requests, state):
            yield key, self._chat.decode(done.token_ids)

    def describe(self) -> dict[str, Any]:
        """Facts for provenance."""
        return {
            "weights": self._identity,
            "chat_template": self._chat.template_hash,
            "engine": self._worker.describe(),
            "constrained": self._constrained,
        }

    def close(self) -> None:
        """Free the weights."""
        self._worker.close()
