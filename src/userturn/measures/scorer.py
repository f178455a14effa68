"""The scorer model: scores from the store first, from the engine only for what is missing.

What is scored in one call is kept as one: the last digits of a log-probability depend on what is
computed beside it, so a run that was stopped ends with the same bytes as one that was not.
"""

from __future__ import annotations

import array
import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from typing import Self

from userturn import engines
from userturn.base import paths
from userturn.chat.roles import Chat
from userturn.engines.base import Engine, ScoreRequest
from userturn.engines.watchdog import watchdog
from userturn.models import weights
from userturn.store.completions import CompletionStore
from userturn.study.study import Study

log = logging.getLogger(__name__)


class Scorer:
    """`ground.scorer` with its chat template and the store of its scores.

    The transformers engine runs it in place of vLLM: it keeps a context's keys and values for all
    targets.

    Args:
        study: The study.
        stage: Stage name, for messages.

    Attributes:
        chat: The model's templates.
        max_model_len: Longest sequence it takes, tokens.
    """

    def __init__(self, study: Study, stage: str) -> None:
        self._slug, self._stage = study.ground.scorer, stage
        entry = study.model[self._slug]
        folder = weights.materialise(study, self._slug)
        name = "fake" if entry.engine.name == "fake" else "transformers"
        self._params = entry.engine.model_copy(update={"name": name})
        self._engine: Engine = engines.create(self._params, folder)
        self._loaded = False
        self._identity = weights.identity(study, self._slug)
        self._store = CompletionStore(paths.completion_store(f"scores-{self._slug}"))
        self.chat = Chat.load(folder, entry.chat)
        self.max_model_len = weights.context_limit(study, self._slug, folder)

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[list[list[float]]]:
        """Yield, in the order of `requests`, natural-log probabilities per target and token.

        Raises:
            EngineError: The engine cannot load or broke. What earlier calls gave is stored.
        """
        key = self._key(requests)
        kept = self._store.get_bytes([key]).get(key)
        scores = list(self._compute(requests)) if kept is None else _unpack(kept, requests)
        if kept is None:
            flat = (value for request in scores for target in request for value in target)
            self._store.add_bytes([(key, array.array("d", flat).tobytes())])
        yield from scores

    def describe(self) -> dict[str, str]:
        """Facts about the engine for provenance, the same whether it had to load or not."""
        return self._engine.describe()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._loaded:
            self._engine.close()
        self._store.close()

    def _compute(self, requests: Sequence[ScoreRequest]) -> Iterator[list[list[float]]]:
        if not self._loaded:
            log.info("%s: loading %s with %s", self._stage, self._slug, self._engine.name)
            self._engine.load()
            self._loaded = True
        limit, key = self._params.hang_seconds, f"model.{self._slug}.engine.hang_seconds"

        def hangs() -> str:
            return (
                f"{self._stage}: no score for {limit:g} s: the {self._engine.name} engine hangs. "
                f"Run the same command again for the rest; raise {key} if this model is so slow"
            )

        with watchdog(limit, hangs) as alive:
            for scores in self._engine.score(requests):
                alive()
                yield scores

    def _key(self, requests: Sequence[ScoreRequest]) -> str:
        """Hash of all that determines the scores, the engine and its number format included."""
        asked = [(request.context, request.targets) for request in requests]
        canonical = json.dumps([self._identity, self.describe(), asked], sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _unpack(kept: bytes, requests: Sequence[ScoreRequest]) -> list[list[list[float]]]:
    flat = iter(array.array("d", kept))
    return [[[next(flat) for _ in target] for target in request.targets] for request in requests]
