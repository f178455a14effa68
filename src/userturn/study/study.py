"""A whole study, every part checked against the others."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from userturn.study.classify import Calibrate, Classify, Ground
from userturn.study.datasets import DatasetEntry
from userturn.study.generate import Generate, Models, Perturb, Prompts
from userturn.study.judges import LIKELIHOOD, RUBRICS, JudgeEntry, LocalJudge
from userturn.study.models import ModelEntry, Resources
from userturn.study.references import ReferenceEntry, own_reference
from userturn.study.report import ALL, Figures, Statistics
from userturn.study.section import Section, Slug, field


class Study(Section):
    """One `params.yaml`."""

    seed: int = field(0, "Seed of the study; every row derives its own from it.")
    prompts: Prompts = field(Prompts, "Which prompts the models answer.")
    models: Models = field(Models, "Which models take part.")
    generate: Generate = field(Generate, "Answers and user turns.")
    perturb: Perturb = field(Perturb, "Controlled perturbations of the answer.")
    ground: Ground = field(Ground, "Likelihood measures.")
    classify: Classify = field(Classify, "Judges and the label that counts.")
    calibrate: Calibrate = field(Calibrate, "Test and fit of the likelihood judge.")
    statistics: Statistics = field(Statistics, "Intervals and tests.")
    figures: Figures = field(Figures, "Look of the figures.")
    model: dict[Slug, ModelEntry] = field(..., "Registry of models by slug.")
    dataset: dict[Slug, DatasetEntry] = field(..., "Registry of datasets by slug.")
    reference: dict[Slug, ReferenceEntry] = field(
        own_reference, "Registry of conversations for calibration by slug."
    )
    judge: dict[Slug, JudgeEntry] = field(dict, "Registry of LLM judges by slug.")

    @property
    def judged_here(self) -> bool:
        """Whether stage `classify` runs the judge model itself."""
        return any(isinstance(self.judge.get(slug), LocalJudge) for slug in self.classify.judges)

    @property
    def judge_resources(self) -> Resources:
        """What a job of stage `classify` asks for; only a local judge needs the model's GPUs."""
        return self.model[self.classify.judge_model].resources if self.judged_here else Resources()

    @model_validator(mode="before")
    @classmethod
    def _scorer_is_judge_model(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        ground, classify = raw.get("ground"), raw.get("classify", {})
        if isinstance(ground, dict) and "scorer" in ground and isinstance(classify, dict):
            return {**raw, "classify": {"judge_model": ground["scorer"], **classify}}
        return raw

    @model_validator(mode="after")
    def _slugs_are_known(self) -> Study:
        weights = [*self.models.pretrained, *self.models.trained]
        known: list[tuple[str, list[str], list[str]]] = [
            ("prompts.datasets", self.prompts.datasets, list(self.dataset)),
            ("models.pretrained", self.models.pretrained, list(self.model)),
            ("models.probe", self.models.probe, weights),
            ("ground.scorer", [self.ground.scorer], weights),
            ("calibrate.sets", self.calibrate.sets, list(self.reference)),
            ("classify.judges", self.classify.judges, [LIKELIHOOD, *self.judge]),
            ("classify.primary", [self.classify.primary], self.classify.judges),
            ("classify.judge_model", [self.classify.judge_model], weights),
        ]
        rubrics = sorted(path.stem for path in RUBRICS.glob("*.txt"))
        known += [(f"judge.{slug}.rubric", [j.rubric], rubrics) for slug, j in self.judge.items()]
        if LIKELIHOOD in self.judge:
            raise ValueError(
                f"judge.{LIKELIHOOD}: is the name of a judge that is no LLM; rename it"
            )
        if ALL in self.dataset:
            raise ValueError(f"dataset.{ALL}: is what tables call all datasets together; rename it")
        for key, used, allowed in known:
            for slug in used:
                if slug not in allowed:
                    choice = ", ".join(allowed) or "none"
                    raise ValueError(f"{key}: unknown slug '{slug}'; allowed here: {choice}")
        return self
