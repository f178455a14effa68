"""A judge behind a server, with a ceiling on what it may cost."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from userturn.base import paths
from userturn.base.errors import EngineError, JudgeError
from userturn.engines.http import Server
from userturn.judges.llm import reply as llm
from userturn.judges.llm.judge import Judge, Question
from userturn.judges.llm.ledger import Ledger
from userturn.models import weights
from userturn.study.judges import ServerJudge
from userturn.study.study import Study

log = logging.getLogger(__name__)

TIMEOUT_S = 300.0
FULL = re.compile(r"status 4\d\d .*context[ _](?:length|size|window)", re.IGNORECASE)
"""How servers (OpenAI, vLLM, SGLang, llama.cpp) refuse a prompt that is too long for the model."""

_NO_ROOM: dict[str, Any] = {}


class Remote(Judge):
    """A model behind a server with the chat interface of OpenAI."""

    def __init__(self, study: Study, slug: str, params: ServerJudge) -> None:
        self._slug, self._params = slug, params
        self._weights = self._folder = None
        if params.serves_judge_model:
            model = study.classify.judge_model
            self._weights = weights.identity(study, model).rpartition("/")[0]
            self._folder = weights.folder_name(study, model)
        self._server = _ChatServer(
            params.base_url,
            key_env=params.key_env,
            concurrency=params.concurrency,
            retries=params.retries,
            timeout_s=TIMEOUT_S,
        )
        form = {"name": "label", "strict": True, "schema": llm.schema(params.rubric, bounded=False)}
        self._common = {
            "model": params.model,
            "temperature": 0,
            "max_completion_tokens": params.max_tokens,
            "response_format": {"type": "json_schema", "json_schema": form},
        }
        if params.reasoning_effort is not None:
            self._common["reasoning_effort"] = params.reasoning_effort

    def question(self, prompt: str) -> Question:
        """The question that a prompt becomes; its id does not know the server's address."""
        body = {**self._common, "messages": [{"role": "user", "content": prompt}]}
        asked = body if self._weights is None else {**body, "weights": self._weights}
        canonical = json.dumps(asked, sort_keys=True, separators=(",", ":"))
        return Question(hashlib.sha256(canonical.encode()).hexdigest()[:32], body)

    def answer(
        self,
        asked: Mapping[str, Question],
        state: Callable[[], str],  # noqa: ARG002 - a server does not hang: it has a deadline
    ) -> Generator[tuple[str, str | None], None, None]:
        """Yield id and reply as they come, as long as the ceiling allows.

        What a request can cost at most is reserved before it is sent, and what it did cost is
        counted when its reply is here; so the ceiling holds, also for several jobs at once. What
        was in flight when a run was killed may have been charged, and stays counted at its most.
        """
        if self._folder is not None:
            self._check_weights(self._folder)
        path = paths.completion_store(f"judge-{self._slug}-charges")
        with closing(Ledger(path, self._params.max_total_tokens)) as ledger:
            log.info(
                "judge %s: at most %d tokens to send; %d of %d spent before",
                self._slug, sum(map(self._most, asked.values())), ledger.spent, ledger.limit,
            )  # fmt: skip
            waiting = dict(asked)
            while waiting:
                before = len(waiting)
                for reply in self._send(list(waiting.values()), ledger):
                    del waiting[reply[0]]
                    yield reply
                if len(waiting) == before:  # with nothing in flight, not even one fits
                    raise JudgeError(
                        f"judge.{self._slug}: its ceiling of {ledger.limit} tokens is reached: "
                        f"{ledger.spent} are spent, {before} requests are left. What was replied "
                        f"is stored; raise judge.{self._slug}.max_total_tokens and run the same "
                        "command again"
                    )

    def _send(
        self, questions: Sequence[Question], ledger: Ledger
    ) -> Iterator[tuple[str, str | None]]:
        """Send until the ledger has no room for the next one."""
        reserved: dict[str, int] = {}

        def affordable() -> Iterator[tuple[str, dict[str, Any]]]:
            for question in questions:
                most = self._most(question)
                if not ledger.reserve(most):
                    return
                reserved[question.id] = most
                yield question.id, question.body

        try:
            for key, answer in self._server.post_many("chat/completions", affordable()):
                if answer is _NO_ROOM:
                    ledger.settle(reserved.pop(key), 0)
                    yield key, None
                else:
                    text, tokens = self._read(answer)
                    most = reserved.pop(key)
                    ledger.settle(most, most if tokens is None else tokens)
                    yield key, text
        except EngineError:  # none of the others was answered
            ledger.settle(sum(reserved.values()), 0)
            raise

    def _read(self, answer: dict[str, Any]) -> tuple[str, int | None]:
        """Text of a chat completion, and the tokens it cost where the server says so."""
        try:
            text = answer["choices"][0]["message"]["content"]
            tokens = _count((answer.get("usage") or {}).get("total_tokens"))
        except (KeyError, IndexError, TypeError, AttributeError):
            raise JudgeError(
                f"judge.{self._slug}: the server's answer is no chat completion (keys: "
                f"{', '.join(sorted(answer))}); does its base_url end in /v1?"
            ) from None
        # A refusal has no content; half a character that JSON escapes has no UTF-8.
        return str(text or "").encode("utf-8", "replace").decode(), tokens

    def describe(self) -> dict[str, Any]:
        """Facts for provenance; nothing of the address or the key."""
        facts = {"model": self._params.model, "weights": self._weights}
        facts["reasoning_effort"] = self._params.reasoning_effort
        return {name: fact for name, fact in facts.items() if fact is not None}

    def _check_weights(self, folder: str) -> None:
        """Refuse a server that serves other weights than those of the study.

        It names the folder of each model that it serves, for the hub's by the commit.
        """
        wanted, data = self._params.model, self._server.get("models").get("data")
        for card in data if isinstance(data, list) else []:
            if isinstance(card, dict) and card.get("id") == wanted:
                if Path(str(card.get("root") or "")).name == folder:
                    return
                break
        raise EngineError(
            f"judge.{self._slug}: the server does not serve '{wanted}' from the folder of the "
            f"study's weights, {folder}; start it with `vllm serve .../{folder} "
            f"--served-model-name {wanted}`"
        )

    def _most(self, question: Question) -> int:
        """Most tokens that a request can cost: a token is at least a byte."""
        return len(json.dumps(question.body, ensure_ascii=False).encode()) + self._params.max_tokens


def _count(value: Any) -> int | None:
    """Tokens as a server states them; None where that is no count, and the most is charged."""
    return value if type(value) is int and value >= 0 else None


class _ChatServer(Server):
    """A server on which a prompt that is too long for the model does not end the run."""

    async def _try(self, *arguments: Any) -> dict[str, Any]:
        try:
            return await super()._try(*arguments)
        except EngineError as error:
            if FULL.search(str(error)):
                return _NO_ROOM
            raise
