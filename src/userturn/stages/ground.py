"""Stage `ground`: likelihood measures of the user turns of one model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from userturn import artifacts
from userturn.artifacts.turns import read_turns
from userturn.base import paths
from userturn.chat.roles import Chat
from userturn.measures.grounding import Turn, measure_all, row
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
    with Scorer(study, stage) as scorer:
        turns = [_turn(found, scorer.chat) for found in read_turns(study, slug)]
        rows = [row(turn, found) for turn, found in measure_all(study, turns, scorer, stage)]
    artifacts.write(
        paths.artifact("grounding", slug),
        "grounding",
        rows,
        artifacts.provenance(
            stage,
            slice_of(study, stage),
            weights=weights.identity(study, study.ground.scorer),
            chat_template=scorer.chat.template_hash,
            engine=scorer.describe(),
        ),
    )


def _turn(found: Row, chat: Chat) -> Turn:
    """A row of `read_turns` with its ids for the scorer.

    The ids are those that were generated where they spell the text in the scorer's tokenizer, that
    is where scorer and model share one; else the text is tokenised again.
    """
    text = found["text"] or ""
    ids = tuple(found["token_ids"] or ())
    if not text.strip():
        ids = ()
    elif chat.decode(ids) != text:
        ids = chat.encode_content(text)
    key = tuple(found[name] for name in artifacts.TURN_KEY)
    return Turn(key, found["query"], found["shown"] or "", found["own"] or "", text, ids)
