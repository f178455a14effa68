"""Stage `expect`: how likely one probed model finds what people really said next."""

from __future__ import annotations

from userturn.artifacts import files, provenance
from userturn.artifacts.prompts import has_system, read_prompts
from userturn.base import paths
from userturn.measures.expected import cases, expectations
from userturn.measures.scorer import Scorer
from userturn.models import weights
from userturn.study.slices import slice_of
from userturn.study.study import Study


def run(study: Study, slug: str) -> None:
    """Stage `expect@<slug>`: write `data/expected/<slug>.parquet`.

    Raises:
        ArtifactError: Prompts are missing or corrupt.
        EngineError: The model cannot be loaded.
    """
    stage, mode = f"expect@{slug}", study.generate.context
    by_dataset = [read_prompts([one]).to_dicts() for one in study.prompts.human]
    system = any(map(has_system, by_dataset))
    with Scorer(study, stage, slug, system=system) as scorer:
        every = [
            case
            for items in by_dataset
            for case in cases(items, scorer.chat, mode, scorer.max_model_len, study.seed)
        ]
        rows = list(expectations(every, scorer))
    made_by = provenance.of(
        stage,
        slice_of(study, stage),
        weights=weights.identity(study, slug),
        chat_template=scorer.chat.template_hash,
        engine=scorer.describe(),
    )
    files.write(paths.artifact("expected", slug), "expected", rows, made_by)
