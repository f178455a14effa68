"""A server with `/v1/completions` that takes and gives token ids: `vllm serve`, near or far.

For weights that need several nodes, or a server that others use too. Token ids go in and come out,
so contexts stay exact; the server's own tokenizer and chat template take no part.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from userturn.base.errors import EngineError
from userturn.engines.base import (
    Engine,
    EngineKind,
    ScoreRequest,
    check_fits,
    check_scores_fit,
    finish,
    steps,
)
from userturn.engines.folder import eos_ids
from userturn.engines.http import SHOWN, Server
from userturn.engines.requests import Completion, Request, Sampling
from userturn.study.models import EngineParams

EVERYTHING_OFF = {
    "n": 1,
    "top_k": 0,
    "min_p": 0.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "repetition_penalty": 1.0,
    "min_tokens": 0,
    "return_token_ids": True,
}
"""Sent along, so that no default of the server or of the model takes part."""


class OpenaiEngine(Engine):
    """Sends each request to the server by itself; the server batches what is in flight."""

    name = "openai"

    def __init__(self, params: EngineParams, model_dir: Path) -> None:
        self._params = params
        self._model_dir = model_dir
        self._server: Server | None = None

    @property
    def max_model_len(self) -> int:
        """Longest context plus completion, in tokens, that server and study take."""
        self._connected()
        return self._max_model_len

    def load(self) -> None:
        """Find the model on the server; its weights are loaded there.

        Raises:
            EngineError: The server cannot be reached, serves another model, or takes shorter
                contexts than the study asks for.
            StudyError: `base_url` names an environment variable that is not set.
        """
        self._eos = eos_ids(self._model_dir)
        settings = self._params.server
        server = Server(
            settings.base_url,
            key_env=settings.key_env,
            concurrency=settings.concurrency,
            retries=settings.retries,
            timeout_s=settings.timeout_s,
        )
        card = choose(server.get("models"), settings.model, self._model_dir, server.base_url)
        self._model = card["id"]
        served, wanted = card.get("max_model_len"), self._params.max_model_len
        served = served if type(served) is int and served > 0 else None
        if served is None and wanted is None:
            raise EngineError(
                f"{server.base_url}: the server does not say how long its contexts are; write it "
                "down in engine.max_model_len"
            )
        if served is not None and wanted is not None and served < wanted:
            raise EngineError(
                f"{server.base_url}: serves contexts of {served} tokens, engine.max_model_len is "
                f"{wanted}; start it with --max-model-len {wanted}"
            )
        self._max_model_len = int(wanted if wanted is not None else served or 0)
        self._server = server

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Completion]]:
        """Yield each request with its completion as soon as it is finished, in any order.

        Longest contexts come first, so that a lack of memory shows at once, and equal contexts
        together, so that the server runs them once.

        Raises:
            EngineError: A request does not fit `max_model_len`, or the server failed for good.
        """
        server, limit = self._connected(), self.max_model_len
        check_fits(requests, limit)
        longest_first = sorted(requests, key=lambda r: (-len(r.context), r.context))
        # Numbered, because the same request may be asked for twice.
        sent = {f"{n} ({request.id})": request for n, request in enumerate(longest_first)}
        bodies = ((key, self._body(request, limit)) for key, request in sent.items())
        for key, answer in server.post_many("completions", bodies):
            request = sent[key]
            generated = token_ids(answer)
            completion = finish(generated, request.sampling, self._eos)
            if completion.end == "length" and len(generated) < steps(request, limit):
                raise EngineError(
                    f"{server.base_url}: ended request {key} after {len(generated)} tokens, at "
                    "none of the study's stop tokens; start the server with --generation-config "
                    "vllm, so that it ends nothing by itself"
                )
            yield request, completion

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[list[list[float]]]:
        """Yield, in the order of `requests`, natural-log probabilities per target and token.

        Each target is one request with its whole context, for a server scores whole prompts.

        Raises:
            EngineError: A request does not fit `max_model_len`, or the server failed for good.
        """
        server = self._connected()
        check_scores_fit(requests, self.max_model_len - 1)  # a server generates a token always
        places = {
            f"{row}.{column}": (row, column)
            for row, request in enumerate(requests)
            for column in range(len(request.targets))
        }

        def prompt(key: str) -> tuple[int, ...]:
            row, column = places[key]
            return (*requests[row].context, *requests[row].targets[column])

        greedy = Sampling(0.0, 1.0, 1, ())
        bodies = (
            (key, {**self._sampling(prompt(key), greedy, 1), "prompt_logprobs": 0})
            for key in places
        )
        scores: list[list[list[float]]] = [[[] for _ in request.targets] for request in requests]
        missing = [len(request.targets) for request in requests]
        done = 0
        for key, answer in server.post_many("completions", bodies):
            row, column = places[key]
            scores[row][column] = target_scores(answer, prompt(key), len(requests[row].context))
            missing[row] -= 1
            while done < len(requests) and missing[done] == 0:
                yield scores[done]
                done += 1
        yield from scores[done:]  # requests without targets

    def describe(self) -> dict[str, str]:
        """Facts for provenance: engine, version, device, number format, and what they promise.

        What the server runs on is not known here, so nothing is promised but agreement on average.
        """
        return {
            "engine": self.name,
            "version": "the server's",
            "device": "the server's",
            "dtype": self._params.dtype,
            "regeneration": "statistical",
        }

    def close(self) -> None:
        """Forget the server, which runs on."""
        self._server = None

    def _connected(self) -> Server:
        if self._server is None:
            raise EngineError("the openai engine was used before load()")
        return self._server

    def _body(self, request: Request, limit: int) -> dict[str, Any]:
        """What is posted for one request; as in the engine vllm, every stop is one of ours."""
        body = self._sampling(request.context, request.sampling, steps(request, limit))
        seed = {"seed": request.seed} if request.sampling.temperature > 0 else {}
        return {
            **body,
            **seed,
            "stop_token_ids": list(request.sampling.stop_ids),
            "ignore_eos": True,
        }

    def _sampling(
        self, context: tuple[int, ...], sampling: Sampling, max_tokens: int
    ) -> dict[str, Any]:
        return {
            **EVERYTHING_OFF,
            "model": self._model,
            "prompt": list(context),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": max_tokens,
        }


ENGINE = EngineKind(lambda params, folder, _: OpenaiEngine(params, folder))


def choose(
    models: Mapping[str, Any], name: str | None, model_dir: Path, url: str
) -> Mapping[str, Any]:
    """The server's entry for the study's model.

    Args:
        models: Answer of `/v1/models`.
        name: Name the study gives; None takes a model served from `model_dir`, known by the last
            part of the path, which for fetched and converted weights is a hash.
        model_dir: Folder of the weights.
        url: For the message.

    Raises:
        EngineError: No such model; the message names those that there are.
    """
    data = models.get("data")
    cards = [
        card
        for card in (data if isinstance(data, list) else [])
        if isinstance(card, dict) and isinstance(card.get("id"), str)
    ]
    for card in cards:
        if name is None:
            folders = (Path(str(card.get(key) or "")).name for key in ("root", "id"))
            if model_dir.resolve().name in folders:
                return card
        elif card.get("id") == name:
            return card
    there = ", ".join(repr(card["id"])[1:-1] for card in cards)[:SHOWN] or "none"
    raise EngineError(
        f"{url}: serves no model '{name}'; models there: {there}"
        if name is not None
        else f"{url}: serves no model from {model_dir}; models there: {there}. Start it with "
        f"`vllm serve {model_dir}`, or name in engine.server.model the one whose weights these are"
    )


def token_ids(answer: Mapping[str, Any]) -> list[int]:
    """Generated ids of an answer, the one that ended it included.

    Raises:
        EngineError: The server gives none.
    """
    try:
        ids = list(answer["choices"][0]["token_ids"])
    except (LookupError, TypeError):
        ids = [None]
    if not all(type(token) is int and token >= 0 for token in ids):
        raise EngineError(
            "the server's answer holds no token ids; take one that knows return_token_ids, such as "
            "`vllm serve`"
        )
    return ids


def target_scores(answer: Mapping[str, Any], prompt: Sequence[int], context: int) -> list[float]:
    """Log-probabilities of the prompt's tokens behind the first `context` ones.

    Raises:
        EngineError: The server gives none.
    """
    try:
        rows = answer["choices"][0]["prompt_logprobs"]
        scores = [
            float(rows[place][str(prompt[place])]["logprob"])
            for place in range(context, len(prompt))
        ]
    except (LookupError, TypeError, ValueError, OverflowError):
        scores = [math.nan]
    if not all(map(math.isfinite, scores)):
        raise EngineError(
            "the server's answer holds no log-probabilities of the prompt; take one that knows "
            "prompt_logprobs, such as `vllm serve`"
        )
    return scores
