"""Stage `score`: did the answers of one model solve their prompts?

Apart from `generate`, so that a verifier's edit costs no GPU.
"""

from __future__ import annotations

from typing import Any

from userturn import verifiers
from userturn.artifacts import files, provenance
from userturn.artifacts.prompts import read_prompts
from userturn.base import paths
from userturn.base.errors import ArtifactError
from userturn.study.study import Study


def run(study: Study, slug: str) -> None:
    """Write `data/scores/<slug>.parquet`, one row per answer.

    Raises:
        ArtifactError: Prompts or answers are missing, damaged or from another study.
        SourceError: What a verifier needs cannot be fetched.
    """
    prompts = {
        (row["dataset"], row["item"]): row
        for row in read_prompts(study.prompts.datasets).iter_rows(named=True)
    }
    path = paths.artifact("answers", slug)
    answers = files.read(path, "answers").to_dicts()
    for answer in answers:
        if (answer["dataset"], answer["item"]) not in prompts:
            raise ArtifactError(
                f"{path}: holds an answer to {answer['dataset']}, item {answer['item']}, which the "
                "study's prompts lack; it is from another study: run `dvc repro`"
            )
    for name in sorted({row["verifier"] for row in prompts.values() if row["verifier"]}):
        verifiers.named(name).prepare()
    files.write(
        paths.artifact("scores", slug),
        "scores",
        [_row(prompts[answer["dataset"], answer["item"]], answer) for answer in answers],
        provenance.of(f"score@{slug}", {"prompts": {"datasets": study.prompts.datasets}}),
    )


def _row(prompt: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """A row of schemas.SCORES; an answer that was skipped is not scored, for the same reason."""
    score = verifiers.score(prompt["verifier"], prompt["target"], answer["text"])
    return {
        "dataset": answer["dataset"],
        "item": answer["item"],
        "verifier": prompt["verifier"],
        "score": score.strict,
        "score_loose": score.loose,
        "unscored": answer["skipped"] or score.unscored,
    }
