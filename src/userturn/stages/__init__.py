"""The stages of `dvc.yaml` by name, each with the function that runs it.

Functions are named, not imported: a stage imports only what it uses.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from userturn.artifacts import files
from userturn.base import locks, paths
from userturn.base.errors import StudyError
from userturn.study.study import Study

FIRST = ("entries",)
PER_DATASET = ("prompts",)
PER_PRETRAINED = ("weights",)
PER_MODEL = ("generate", "score", "perturb")
PER_WRITER = ("cross",)
JUDGED_PER_MODEL = ("ground", "classify")
PER_HUMAN = ("human",)
PER_EXPECTING = ("expect",)
WHOLE_STUDY = ("calibrate", "tables", "figures", "report")
FOLDERS_PER_MODEL = ("answers", "scores", "user_turns", "controls", "grounding", "labels")
ORDER = (
    *FIRST,
    *PER_DATASET,
    *PER_PRETRAINED,
    *PER_MODEL,
    *PER_WRITER,
    *JUDGED_PER_MODEL,
    *PER_HUMAN,
    *PER_EXPECTING,
    *WHOLE_STUDY,
)


def instances(study: Study) -> list[tuple[str, str | None]]:
    """Every stage with each of its slugs, in an order in which they can run."""
    slugs: dict[str, list[str]] = {
        **dict.fromkeys(PER_DATASET, study.prompts.datasets),
        **dict.fromkeys(PER_PRETRAINED, study.models.pretrained),
        **dict.fromkeys((*PER_MODEL, *JUDGED_PER_MODEL), study.models.probe),
        **dict.fromkeys(PER_WRITER, study.models.cross),
        **dict.fromkeys(PER_HUMAN, study.prompts.human),
        **dict.fromkeys(PER_EXPECTING, study.models.expect),
    }
    return [(name, slug) for name in ORDER for slug in slugs.get(name, [None])]


def full_name(name: str, slug: str | None) -> str:
    """The name DVC gives a stage, such as `generate@smollm2_135m`."""
    return name if slug is None else f"{name}@{slug}"


def prune(study: Study) -> None:
    """Delete artifacts of datasets and models that the study no longer has.

    Stages that gather a folder depend on the whole of it, so this comes before any of them looks at
    one, never after: DVC records a folder as it is when the stage has run.
    """
    for kind in FOLDERS_PER_MODEL:
        files.prune(paths.DATA / kind, study.models.probe)
    files.prune(paths.DATA / "cross", study.models.cross)
    files.prune(paths.DATA / "next_turns", study.prompts.human)
    files.prune(paths.DATA / "expected", study.models.expect)
    files.prune(paths.DATA / "contexts", study.models.probe, suffix=".json")
    files.prune(paths.DATA / "prompts", study.prompts.datasets)


def run(study: Study, name: str, slug: str | None) -> None:
    """Run one stage of the study.

    Raises:
        StudyError: The study has no such stage, or not with this slug.
    """
    if (name, slug) not in instances(study):
        known = ", ".join(full_name(*instance) for instance in instances(study))
        raise StudyError(f"no stage '{full_name(name, slug)}' in this study; stages: {known}")
    module = import_module(f"userturn.stages.{name}")
    step = cast(Callable[..., None], module.run)
    with locks.alone(full_name(name, slug)):
        prune(study)
        step(study, *([] if slug is None else [slug]))
