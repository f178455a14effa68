"""The completions of a stage of one model, and where its previous outputs keep them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from userturn.artifacts import files, provenance
from userturn.base import paths
from userturn.chat.chat import Chat
from userturn.engines.requests import Completion, End, Request
from userturn.models import weights
from userturn.store.asker import Asker
from userturn.store.kinds import COMPLETIONS
from userturn.store.worker import Worker, generate
from userturn.study.study import Study
from userturn.turns.planner import Planner

COMPLETED = ("request_id", "token_ids", "stop_token")
"""Columns from which a completion is read back, also of a file that an older version wrote."""


class Completer(Asker[Request, Completion]):
    """Gives one stage of one model its completions; the engine loads at the first missing one.

    Args:
        study: The study.
        slug: The model.
        stage: Stage name, whose previous outputs may hold finished completions.
        chat: The model's stop sets, which turn the names of stop tokens back into ids.

    Attributes:
        engine: The engine, which describes itself for provenance.
    """

    def __init__(self, study: Study, slug: str, stage: str, chat: Chat) -> None:
        folder = weights.materialise(study, slug)
        self.engine = Worker(slug, study.model[slug].engine, folder, generate)
        store = paths.completion_store(slug)
        super().__init__(
            stage, store, COMPLETIONS, self.engine, lambda path: read_completions(path, chat)
        )

    def complete(self, requests: Iterable[Request], what: str) -> dict[str, Completion]:
        """Completions by request id; equal requests are sent once. Raises as `ask`."""
        return self.ask({request.id: request for request in requests}, what)

    def facts(self, planner: Planner) -> dict[str, Any]:
        """What provenance says of who generated, the same whether the engine had to load or not."""
        return {
            "weights": planner.identity,
            "engine": self.engine.describe(),
            "chat_template": planner.chat.template_hash,
        }


def read_completions(path: Path, chat: Chat) -> Iterator[tuple[str, Completion]]:
    """Completions by request id that an artifact's rows hold. Raises ArtifactError."""
    kind = str(provenance.read(path).get("kind"))
    stop = chat.answer_stop if kind == "answers" else chat.user_stop
    ids = {name: number for number, name in stop.names.items()}
    rows = files.read(path, kind, COMPLETED).iter_rows()
    for request_id, token_ids, name in rows:
        if request_id is None or (name is not None and name not in ids):
            continue
        # The column `end` says `empty` where the text is, so the end is read off the stop token.
        stop_id = None if name is None else ids[name]
        end: End = "length"
        if stop_id is not None:
            end = "eos" if stop.reasons[stop_id].startswith("eos") else "stop_token"
        yield request_id, Completion(tuple(token_ids), end, stop_id)
