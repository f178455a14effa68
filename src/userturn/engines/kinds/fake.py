"""An engine for workflow tests: instant, deterministic, with turns of every sort, without weights.

What it writes depends on the request id alone, and thereby on weights, context, sampling, seed.

Environment variables let a test watch and disturb it:
    USERTURN_FAKE_LOG: File that gets one line, the request id, per request sent.
    USERTURN_FAKE_GPU_LOG: File that gets one line per request: process, the GPUs it was given, and
        when the request began and ended in seconds.
    USERTURN_FAKE_DELAY: Seconds per request.
    USERTURN_FAKE_FAIL_AT: Number of the request, counted from 1, that breaks the engine.
    USERTURN_FAKE_MEMORY_AT: Number of the request that runs out of memory; counted anew after
        each load.
    USERTURN_FAKE_HANG_AT: Number of the request that never finishes.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from userturn import __version__
from userturn.base.errors import EngineError
from userturn.engines import devices
from userturn.engines.base import (
    Engine,
    EngineKind,
    EngineMemoryError,
    ScoreRequest,
    check_fits,
    check_scores_fit,
    finish,
)
from userturn.engines.fake import IM_END, IM_START, MAX_MODEL_LEN
from userturn.engines.folder import eos_ids
from userturn.engines.requests import Completion, Request
from userturn.study.models import EngineParams

ANSWERS = (
    "The answer is {number}.",
    "Here are {number} steps. First, think about {word}. Then check your result.",
    "I would begin with {word}, because it decides the rest. After that, take {number} of them "
    "and compare each with the one before, until nothing changes any more.",
)
TURNS = (
    "Can you say more about {word}?",
    "Why {number}, and not {word}?",
    "What happens to {word} if I double it?",
    "{query}",
    "Thanks, that helps!",
    "{word} {word} {word} {word} {word} {word} {word} {word} {word} {word} {word} {word}",
    "Sure! Here is another way to look at {word}: start from {number}.",
    "How do I cook rice for {number} people?",
    "",
)


class FakeEngine(Engine):
    """Writes from templates; scores with pseudo-random log-probabilities."""

    name = "fake"

    def __init__(self, params: EngineParams, model_dir: Path) -> None:
        self._params = params
        self._model_dir = model_dir
        self._eos: frozenset[int] | None = None
        self._sent = 0

    @property
    def max_model_len(self) -> int:
        """Longest context plus completion, in tokens, that the loaded engine takes."""
        return min(MAX_MODEL_LEN, self._params.max_model_len or MAX_MODEL_LEN)

    def load(self) -> None:
        """Take the GPUs that are offered and read the end-of-sequence ids.

        Raises:
            EngineError: The folder is not a model, or too few GPUs are offered.
        """
        devices.hold(self._params.gpus)
        self._eos = eos_ids(self._model_dir)

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Completion]]:
        """Yield each request with its completion, longest contexts first.

        Raises:
            EngineError: A request does not fit `max_model_len`, or the test asked for a failure.
        """
        if self._eos is None:
            raise EngineError("the fake engine was used before load()")
        check_fits(requests, self.max_model_len)
        for request in sorted(requests, key=lambda r: -len(r.context)):
            self._send(request)
            yield request, finish(_write(request), request.sampling, self._eos)

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[list[list[float]]]:
        """Yield log-probabilities between -6 and 0, the same for the same context and target."""
        check_scores_fit(requests, self.max_model_len)
        for request in requests:
            self._disturb()
            yield [_pseudo_scores(request.context, target) for target in request.targets]

    def describe(self) -> dict[str, str]:
        """Facts for provenance: engine, version, device, number format, and what they promise."""
        return {
            "engine": self.name,
            "version": __version__,
            "device": "cpu",
            "dtype": self._params.dtype,
            "regeneration": "bit-exact",
        }

    def _send(self, request: Request) -> None:
        if log := os.environ.get("USERTURN_FAKE_LOG"):
            with Path(log).open("a", encoding="utf-8") as handle:
                handle.write(f"{request.id}\n")
        self._disturb()
        began = time.monotonic()
        time.sleep(float(os.environ.get("USERTURN_FAKE_DELAY", "0")))
        if log := os.environ.get("USERTURN_FAKE_GPU_LOG"):
            gpus = os.environ.get(devices.VISIBLE, "")
            with Path(log).open("a", encoding="utf-8") as handle:
                handle.write(f"{os.getpid()} {gpus} {began} {time.monotonic()}\n")

    def _disturb(self) -> None:
        """Break, run out of memory or hang at this request, if asked to."""
        self._sent += 1
        if self._sent == _asked("FAIL_AT"):
            raise EngineError(f"the fake engine breaks at request {self._sent}, as asked")
        if self._sent == _asked("MEMORY_AT"):
            raise EngineMemoryError(f"the fake engine is out of memory at request {self._sent}")
        while self._sent == _asked("HANG_AT"):
            time.sleep(1)


ENGINE = EngineKind(lambda params, folder, _: FakeEngine(params, folder), constrains=True)


def _asked(disturbance: str) -> int:
    """Number of the request that a test wants disturbed; 0 where none is."""
    return int(os.environ.get(f"USERTURN_FAKE_{disturbance}", "0"))


def _write(request: Request) -> list[int]:
    """Ids of a turn chosen by the request id, with the token that ends it."""
    chance = random.Random(request.id)
    messages = _messages(request.context)
    asked = messages[-1][0] == "assistant" if messages else False
    query = next((text for role, text in messages if role == "user" and text), "it")
    shown = [text for _, text in messages if text] or [query]
    words = [word.strip(".,?!") for word in shown[-1].split() if len(word) > 3] or ["that"]
    text = chance.choice(ANSWERS if asked else TURNS).format(
        query=query, word=chance.choice(words), number=chance.randrange(2, 20)
    )
    if schema := request.sampling.json_schema:
        text = _label(query, json.loads(schema), chance)
    end = IM_START if IM_START in request.sampling.stop_ids and chance.random() < 0.1 else IM_END
    return [*text.encode(), end]


def _label(prompt: str, schema: dict[str, Any], chance: random.Random) -> str:
    """An LLM judge's reply with quotes from the data of its prompt; every tenth quotes nothing."""
    lines = [json.loads(line) for line in prompt.splitlines() if line.startswith('"')]
    shown, turn = (lines[at].split() or [""] for at in (1, 2))
    label = chance.choice(schema["properties"]["label"]["enum"])
    quotes = (turn[0], shown[0]) if chance.random() < 0.9 else ("quoted from nowhere", "")
    values = (*quotes, "because the fake engine says so", label)
    return json.dumps(dict(zip(schema["properties"], values, strict=True)))


def _messages(context: Sequence[int]) -> list[tuple[str, str]]:
    """Role and text of the messages in a ChatML context, the open one at its end included."""
    messages, start = [], 0
    for place, token in enumerate([*context, IM_START]):
        if token == IM_START:
            text = bytes(byte for byte in context[start:place] if byte < 256).decode(
                errors="replace"
            )
            role, _, content = text.partition("\n")
            messages.append((role, content.strip()))
            start = place + 1
    return messages[1:]


def _pseudo_scores(context: tuple[int, ...], target: tuple[int, ...]) -> list[float]:
    chance = random.Random(json.dumps([context, target]))
    return [-6 * chance.random() for _ in target]
