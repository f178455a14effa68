"""The scorer model: likelihoods of targets behind contexts, each computed once and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence

from userturn.base import paths
from userturn.chat.loading import load_chat
from userturn.engines.base import ScoreRequest
from userturn.models import weights
from userturn.store.asker import Asker
from userturn.store.kinds import LIKELIHOODS
from userturn.store.worker import Pair, Worker, score
from userturn.study.study import Study


class Scorer(Asker[Pair, list[float]]):
    """`ground.scorer`, or another model that is asked alike, with its chat template.

    The transformers engine runs it in place of vLLM: it keeps a context's keys and values for all
    targets.

    Args:
        study: The study.
        stage: Stage name, for messages.
        slug: Another model in the scorer's place.
        system: Some conversations begin with a system message, which its template has to carry.

    Attributes:
        chat: The model's templates.
        max_model_len: Longest sequence it takes, tokens.
    """

    def __init__(
        self, study: Study, stage: str, slug: str | None = None, *, system: bool = False
    ) -> None:
        slug = slug or study.ground.scorer
        entry = study.model[slug]
        folder = weights.materialise(study, slug)
        name = "fake" if entry.engine.name == "fake" else "transformers"
        self._worker = Worker(slug, entry.engine.model_copy(update={"name": name}), folder, score)
        self._identity = weights.identity(study, slug)
        self._scored_by = json.dumps(self._worker.describe(), sort_keys=True)
        self.chat = load_chat(study, slug, system=system)
        self.max_model_len = weights.context_limit(study, slug, folder)
        store = paths.completion_store(f"scores-{slug}")
        super().__init__(stage, store, LIKELIHOODS, self._worker)

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[list[list[float]]]:
        """Yield, in the order of `requests`, natural-log probabilities per target and token.

        Raises:
            EngineError: The engine cannot load or broke. What is finished is in the store.
        """
        keys = self.keys(requests)
        pairs = {
            key: (request.context, target)
            for request, of_targets in zip(requests, keys, strict=True)
            for target, key in zip(request.targets, of_targets, strict=True)
        }
        done = self.ask(pairs, "likelihoods")
        yield from ([done[key] for key in of_targets] for of_targets in keys)

    def keys(self, requests: Sequence[ScoreRequest]) -> list[list[str]]:
        """What the scores of each request are kept under, by target."""
        return [
            [self._key((request.context, target)) for target in request.targets]
            for request in requests
        ]

    def describe(self) -> dict[str, str]:
        """Facts about the engine for provenance, the same whether it had to load or not."""
        return self._worker.describe()

    def _key(self, pair: Pair) -> str:
        """Hash of all that determines the score, the engine and its number format included."""
        canonical = json.dumps([self._identity, self._scored_by, pair])
        return hashlib.sha256(canonical.encode()).hexdigest()[:32]
