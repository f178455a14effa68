"""Asking an LLM judge: replies from the store, from a previous output, and only then for money.

A judge is a model in this process (`local`) or behind an OpenAI-compatible server (`server`). Its
replies are kept as text, one by one as they arrive, in a completion store of its own, by an id that
hashes what was asked of which model and not where it runs. So a run that stops goes on with the
rest, and label rows, which hold ids and replies, fill an empty store.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from userturn import artifacts, engines, paths, previous, weights
from userturn.engines.base import Engine
from userturn.errors import ArtifactError, EngineError, JudgeError, TemplateError
from userturn.generate import context_limit, load_chat, too_long
from userturn.http import Server
from userturn.judges import llm
from userturn.judges.llm import Item, Rejected
from userturn.labels import Label
from userturn.params import LocalJudge, ServerJudge, Study, expand
from userturn.progress import progress
from userturn.requests import Completion, Request, Sampling
from userturn.store import CompletionStore

log = logging.getLogger(__name__)

SERVER_TIMEOUT_S = 300.0
NO_TEXT = "no text"
TOO_LONG = "the judge's prompt does not fit the context of its server"
FULL = re.compile(r"status 4\d\d .*context[ _](?:length|size|window)", re.IGNORECASE)
"""How servers (OpenAI, vLLM, SGLang, llama.cpp) refuse a prompt that is too long for the model."""

_CHARGED = "CREATE TABLE IF NOT EXISTS charged (tokens INTEGER NOT NULL)"


@dataclass(frozen=True, slots=True)
class Question:
    """One request to a judge.

    Attributes:
        id: Hash of everything that determines the reply.
        body: What is sent: a Request to an engine, a JSON object to a server.
    """

    id: str
    body: Any


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge said of one turn; either `label` or `invalid` is None.

    Attributes:
        label: The label.
        invalid: Why there is none.
        reason: The judge's rationale, or what gave the label without asking.
        evidence_turn: Quote from the turn.
        evidence_answer: Quote from the answer, empty where there is none.
        request_ids: Ids of what was asked, at most two.
        responses: The replies, as they came.
    """

    label: Label | None = None
    invalid: str | None = None
    reason: str | None = None
    evidence_turn: str | None = None
    evidence_answer: str | None = None
    request_ids: tuple[str, ...] = ()
    responses: tuple[str, ...] = ()


class Judge(ABC):
    """A model that replies to questions."""

    @abstractmethod
    def question(self, prompt: str) -> Question | str:
        """The question that a prompt becomes, or why it cannot be asked."""

    @abstractmethod
    def send(self, questions: Sequence[Question], stage: str) -> Iterator[tuple[str, str | None]]:
        """Yield id and reply as they come; None where the prompt does not fit the context.

        Raises:
            EngineError: The model or server cannot be reached, or broke.
            JudgeError: The cost ceiling is reached.
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Facts for provenance."""

    def close(self) -> None:  # noqa: B027 - a server has nothing to free
        """Free the weights."""


class Local(Judge):
    """The model `classify.judge_model` in this process."""

    def __init__(self, study: Study, params: LocalJudge) -> None:
        slug = study.classify.judge_model
        self._params = study.model[slug].engine
        self._folder = weights.materialise(study, slug)
        self._identity = weights.identity(study, slug)
        self._chat = load_chat(study, slug)
        self._limit = context_limit(study, slug)
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


class Remote(Judge):
    """A model behind a server with the chat interface of OpenAI."""

    def __init__(self, slug: str, params: ServerJudge) -> None:
        self._slug, self._params = slug, params
        self._server = _ChatServer(
            expand(params.base_url),
            key_env=params.key_env,
            concurrency=params.concurrency,
            retries=params.retries,
            timeout_s=SERVER_TIMEOUT_S,
        )
        form = {"name": "label", "strict": True, "schema": llm.schema(bounded=False)}
        self._common = {
            "model": params.model,
            "temperature": 0,
            "max_completion_tokens": params.max_tokens,
            "response_format": {"type": "json_schema", "json_schema": form},
        }

    def question(self, prompt: str) -> Question:
        """The question that a prompt becomes; its id does not know the server's address."""
        body = {**self._common, "messages": [{"role": "user", "content": prompt}]}
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
        return Question(hashlib.sha256(canonical.encode()).hexdigest()[:32], body)

    def send(self, questions: Sequence[Question], stage: str) -> Iterator[tuple[str, str | None]]:
        """Yield id and reply as they come, as long as the ceiling allows.

        What a request can cost at most is reserved before it is sent, and what it did cost is
        counted when its reply is here; so the ceiling holds, also for several jobs at once. What
        was in flight when a run was killed may have been charged, and stays counted at its most.
        """
        path = paths.completion_store(f"judge-{self._slug}-charges")
        with closing(Ledger(path, self._params.max_total_tokens)) as ledger:
            log.info(
                "%s: judge %s: at most %d tokens to send; %d of %d spent before",
                stage, self._slug, sum(map(self._most, questions)), ledger.spent, ledger.limit,
            )  # fmt: skip
            waiting = {question.id: question for question in questions}
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
            tokens = (answer.get("usage") or {}).get("total_tokens")
        except (KeyError, IndexError, TypeError, AttributeError):
            raise JudgeError(
                f"judge.{self._slug}: the server's answer is no chat completion (keys: "
                f"{', '.join(sorted(answer))}); does its base_url end in /v1?"
            ) from None
        # A refusal has no content; half a character that JSON escapes has no UTF-8.
        return str(text or "").encode("utf-8", "replace").decode(), tokens

    def describe(self) -> dict[str, Any]:
        """Facts for provenance; nothing of the address or the key."""
        return {"model": self._params.model}

    def _most(self, question: Question) -> int:
        """Most tokens that a request can cost: a token is at least a byte."""
        return len(json.dumps(question.body, ensure_ascii=False).encode()) + self._params.max_tokens


_NO_ROOM: dict[str, Any] = {}


class _ChatServer(Server):
    """A server on which a prompt that is too long for the model does not end the run."""

    async def _try(self, *arguments: Any) -> dict[str, Any]:
        try:
            return await super()._try(*arguments)
        except EngineError as error:
            if FULL.search(str(error)):
                return _NO_ROOM
            raise


class Ledger:
    """Tokens that a judge has cost: one SQLite file, shared by all jobs that ask this judge.

    Args:
        path: The file; its folder is made.
        limit: Tokens that reservations and charges together may reach.
    """

    def __init__(self, path: Path, limit: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.limit = limit
        self._db = sqlite3.connect(path, timeout=60, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(_CHARGED)
        self._db.execute("INSERT INTO charged SELECT 0 WHERE NOT EXISTS (SELECT * FROM charged)")

    @property
    def spent(self) -> int:
        """Tokens charged, and reserved for what is in flight."""
        return int(self._db.execute("SELECT tokens FROM charged").fetchone()[0])

    def reserve(self, tokens: int) -> bool:
        """Count tokens that are going to be spent, unless the limit is in the way."""
        done = self._db.execute(
            "UPDATE charged SET tokens = tokens + ?1 WHERE tokens + ?1 <= ?2", (tokens, self.limit)
        )
        return done.rowcount == 1

    def settle(self, reserved: int, tokens: int) -> None:
        """Replace a reservation by what was charged."""
        self._db.execute("UPDATE charged SET tokens = tokens + ?", (tokens - reserved,))

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class Asker:
    """A judge with its store, for one stage.

    Args:
        study: The study.
        slug: Slug of the judge.
        stage: Stage name, whose previous outputs may hold replies.
    """

    def __init__(self, study: Study, slug: str, stage: str) -> None:
        params = study.judge[slug]
        self._slug, self._stage = slug, stage
        self._rubric = llm.read_rubric(params.rubric)[0]
        self._imported = False
        self.judge: Judge = (
            Local(study, params) if isinstance(params, LocalJudge) else Remote(slug, params)
        )
        self._store = CompletionStore(paths.completion_store(f"judge-{slug}"))

    def verdicts(self, items: Iterable[Item]) -> dict[Item, Verdict]:
        """What the judge says of each item; equal items are asked about once.

        Raises:
            EngineError: The judge cannot be reached or breaks. What it replied is stored.
            JudgeError: Its cost ceiling is reached. What it replied is stored.
        """
        found: dict[Item, Verdict] = {}
        asked: dict[Item, Question] = {}
        for item in dict.fromkeys(items):
            found[item] = Verdict(label=Label.EMPTY, reason=NO_TEXT)
            if item.turn.strip():
                question = self.judge.question(llm.prompt(self._rubric, item))
                if isinstance(question, Question):
                    asked[item] = question
                else:
                    found[item] = Verdict(invalid=question)
        replied = self.replies(asked.values())
        again: dict[Item, Question] = {}
        for item, question in asked.items():
            found[item] = _verdict(item, [question.id], replied)
            if found[item].label is None and question.id in replied:
                rejected = Rejected(replied[question.id], str(found[item].invalid))
                second = self.judge.question(llm.prompt(self._rubric, item, rejected))
                if isinstance(second, Question):
                    again[item] = second
        replied |= self.replies(again.values())
        for item, question in again.items():
            found[item] = _verdict(item, [asked[item].id, question.id], replied)
        log.info(
            "%s: judge %s: of %d different turns %d asked again, %d without a label",
            self._stage, self._slug, len(found), len(again),
            sum(verdict.label is None for verdict in found.values()),
        )  # fmt: skip
        return found

    def replies(self, questions: Iterable[Question]) -> dict[str, str]:
        """Replies by question id; without those whose prompt does not fit a server's context."""
        wanted = {question.id: question for question in questions}
        if not wanted:
            return {}
        done = self._stored(wanted)
        if len(done) < len(wanted):
            self._import_previous()
            done = self._stored(wanted)
        missing = [question for key, question in wanted.items() if key not in done]
        log.info(
            "%s: judge %s: %d labels wanted, %d replied before, %d to send",
            self._stage, self._slug, len(wanted), len(done), len(missing),
        )  # fmt: skip
        if not missing:
            return done
        title = f"{self._stage}: judge {self._slug}"
        with progress(title, len(missing), "labels") as advance:
            for key, text in self.judge.send(missing, self._stage):
                if text is not None:
                    self._store.add(key, _kept(text))
                    done[key] = text
                advance(0)
        return done

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.judge.close()
        self._store.close()

    def _stored(self, ids: Iterable[str]) -> dict[str, str]:
        return {key: _text(kept) for key, kept in self._store.get(ids).items()}

    def _import_previous(self) -> None:
        """Put replies of the stage's previous outputs into the store, once."""
        if self._imported:
            return
        self._imported = True
        for path in previous.outputs(self._stage):
            try:
                frame = artifacts.read(path, "labels")
            except ArtifactError as error:
                log.warning("%s: previous output not used: %s", self._stage, error)
                continue
            rows = frame.select("request_ids", "responses").iter_rows()
            self._store.add_all(
                (key, _kept(text))
                for ids, texts in rows
                for key, text in zip(ids or (), texts or (), strict=False)
            )


def _verdict(item: Item, ids: Sequence[str], replied: dict[str, str]) -> Verdict:
    """Verdict from the last reply there is."""
    responses = tuple(replied[key] for key in ids if key in replied)
    if not responses:
        return Verdict(invalid=TOO_LONG)
    kept = tuple(ids[: len(responses)])
    read = llm.read_reply(responses[-1], item)
    if isinstance(read, Rejected):
        return Verdict(invalid=read.reason, request_ids=kept, responses=responses)
    return Verdict(
        label=read.label,
        reason=read.rationale,
        evidence_turn=read.evidence_turn,
        evidence_answer=read.evidence_answer,
        request_ids=kept,
        responses=responses,
    )


def _kept(text: str) -> Completion:
    """A reply as the store keeps it: bytes of text where an engine's completion has tokens."""
    return Completion(tuple(text.encode()), "eos", None)


def _text(kept: Completion) -> str:
    return bytes(kept.token_ids).decode()
