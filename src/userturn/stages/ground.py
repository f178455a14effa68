"""Stage `ground`: likelihood measures of the user turns of one model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from userturn.artifacts import files, messages, provenance, schemas
from userturn.artifacts.prompts import has_system
from userturn.artifacts.turns import compared
from userturn.base import paths
from userturn.chat.chat import Chat
from userturn.measures.measurable import Measurable
from userturn.measures.measure import measure_all
from userturn.measures.scorer import Scorer
from userturn.models import weights
from userturn.study.slices import slice_of
from userturn.study.study import Study

Row = Mapping[str, Any]


def run(study: Study, slug: str) -> None:
    """Stage `ground@<slug>`: measure the user turns of one model.

    Reads prompts, answers, user turns and controls; writes `data/grounding/<slug>.parquet`.

    Raises:
        ArtifactError: An artifact is missing, corrupt, or from another study.
        EngineError: The scorer cannot be loaded.
    """
    stage = f"ground@{slug}"
    rows_of_turns = compared(study, slug)
    with Scorer(study, stage, system=has_system(rows_of_turns)) as scorer:
        turns = [measurable(turn, scorer.chat) for turn in rows_of_turns]
        rows = [
            {**dict(zip(schemas.AGAINST_KEY, turn.key, strict=True)), **columns}
            for turn, columns in measure_all(study, turns, scorer, stage)
        ]
    files.write(
        paths.artifact("grounding", slug),
        "grounding",
        rows,
        provenance.of(
            stage,
            slice_of(study, stage),
            weights=weights.identity(study, study.ground.scorer),
            chat_template=scorer.chat.template_hash,
            engine=scorer.describe(),
        ),
    )


def measurable(turn: Row, chat: Chat) -> Measurable:
    """A row of `compared` with its ids for the scorer.

    The ids are those that were generated where they spell the text in the scorer's tokenizer, that
    is where scorer and model share one; else the text is tokenised again.
    """
    text = turn["text"] or ""
    ids = tuple(turn["token_ids"] or ())
    if not text.strip():
        ids = ()
    elif chat.decode(ids) != text:
        ids = chat.encode_turn(text)
    key = tuple(turn[name] for name in schemas.AGAINST_KEY)
    earlier = messages.read(turn["earlier"])
    return Measurable(key, turn["query"], turn["answer"] or "", text, ids, earlier)
