"""A whole study: `params.yaml`, `registry.yaml`, and both as one, checked against each other."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from userturn.study.classify import Calibrate, Classify, Ground
from userturn.study.datasets import DatasetEntry
from userturn.study.generate import REFERENCE, SELF, Generate, Models, Perturb, Prompts
from userturn.study.judges import LIKELIHOOD, RUBRICS, JudgeEntry, LocalJudge, optional
from userturn.study.models import ModelEntry, Resources
from userturn.study.references import ReferenceEntry, own_reference
from userturn.study.report import ALL, HUMAN, Figures, Statistics
from userturn.study.section import Section, Seed, Slug, field


class Params(Section):
    """One `params.yaml`: what is measured."""

    seed: Seed = field(0, "Seed of the study; every row derives its own from it.")
    prompts: Prompts = field(..., "Which prompts the models answer.")
    models: Models = field(..., "Which models take part.")
    generate: Generate = field(Generate, "Answers and user turns.")
    perturb: Perturb = field(Perturb, "Controlled perturbations of the answer.")
    ground: Ground = field(Ground, "Likelihood measures.")
    classify: Classify = field(Classify, "Judges and the label that counts.")
    calibrate: Calibrate = field(Calibrate, "Test and fit of the likelihood judge.")
    statistics: Statistics = field(Statistics, "Intervals and tests.")
    figures: Figures = field(Figures, "Look of the figures.")

    @model_validator(mode="before")
    @classmethod
    def _left_out_models(cls, raw: Any) -> Any:
        """Let the first probed model be the scorer, and the scorer the judge model."""
        if not isinstance(raw, dict):
            return raw
        models, ground, classify = (raw.get(key, {}) for key in ("models", "ground", "classify"))
        if not all(isinstance(section, dict) for section in (models, ground, classify)):
            return raw  # no sections, or such as are checked already
        probed = models.get("probe")
        if not isinstance(probed, list) or not probed:
            return raw
        ground = {"scorer": probed[0], **ground}
        return {**raw, "ground": ground, "classify": {"judge_model": ground["scorer"], **classify}}


class Registry(Section):
    """One `registry.yaml`: models, datasets, reference sets and judges, each once."""

    model: dict[Slug, ModelEntry] = field(..., "Models by slug.")
    dataset: dict[Slug, DatasetEntry] = field(..., "Datasets by slug.")
    reference: dict[Slug, ReferenceEntry] = field(
        own_reference, "Conversations for calibration by slug."
    )
    judge: dict[Slug, JudgeEntry] = field(dict, "LLM judges by slug.")

    @model_validator(mode="after")
    def _names_are_free(self) -> Registry:
        if LIKELIHOOD in self.judge:
            raise ValueError(
                f"judge.{LIKELIHOOD}: is the name of a judge that is no LLM; rename it"
            )
        for slug in {HUMAN, SELF, REFERENCE} & set(self.model):
            raise ValueError(f"model.{slug}: is what a study calls a speaker of its own; rename it")
        if ALL in self.dataset:
            raise ValueError(f"dataset.{ALL}: is what tables call all datasets together; rename it")
        rubrics = sorted(path.stem for path in RUBRICS.glob("*.txt"))
        for slug, judge in self.judge.items():
            _refuse_unknown(f"judge.{slug}.rubric", [judge.rubric], rubrics)
        return self


class Study(Registry, Params):
    """A study as every stage gets it."""

    @property
    def judged_here(self) -> bool:
        """Whether stage `classify` runs the judge model itself."""
        return any(isinstance(self.judge.get(slug), LocalJudge) for slug in self.classify.judges)

    @property
    def judge_resources(self) -> Resources:
        """What a job of stage `classify` asks for; only a local judge needs the model's GPUs."""
        return self.model[self.classify.judge_model].resources if self.judged_here else Resources()

    def sources_of(self, slug: str) -> list[str]:
        """Behind whose answers a model writes beside its own: REFERENCE, and other models."""
        others = self.generate.other_sources if slug in self.models.cross else []
        return [source for source in others if source != slug]

    @model_validator(mode="after")
    def _slugs_are_known(self) -> Study:
        weights = [*self.models.pretrained, *self.models.trained]
        sources = [SELF, REFERENCE, *self.models.probe]
        for key, slugs, allowed in (
            ("prompts.datasets", self.prompts.datasets, self.dataset),
            ("prompts.human", self.prompts.human, self.prompts.datasets),
            ("models.pretrained", self.models.pretrained, self.model),
            ("models.probe", self.models.probe, weights),
            ("models.cross", self.models.cross, self.models.probe),
            ("models.expect", self.models.expect, self.models.probe),
            ("generate.answer_source", self.generate.other_sources, sources),
            ("ground.scorer", [self.ground.scorer], weights),
            ("calibrate.sets", self.calibrate.sets, self.reference),
            ("classify.judges", self.classify.judges, [LIKELIHOOD, *self.judge]),
            ("classify.primary", [self.classify.primary], self.classify.judges),
            ("classify.judge_model", [self.classify.judge_model], weights),
        ):
            _refuse_unknown(key, slugs, list(allowed))
        primary = self.judge.get(self.classify.primary)
        if primary is not None and optional(primary):
            raise ValueError(
                f"classify.primary: '{self.classify.primary}' is optional and may not be asked, so "
                "the headline cannot rest on it; name another judge, or set optional: false"
            )
        return self

    @model_validator(mode="after")
    def _extras_have_what_they_need(self) -> Study:
        others, writers = self.generate.other_sources, self.models.cross
        if others and not writers:
            raise ValueError(
                f"generate.answer_source: names '{others[0]}', and models.cross no model that "
                "writes behind its answers; name some there"
            )
        if writers and not others:
            raise ValueError(
                "models.cross: names writers, and generate.answer_source no answers but their "
                "own; name `reference` or other models there"
            )
        if self.models.expect and not self.prompts.human:
            raise ValueError(
                "models.expect: there is no real next turn to expect; name datasets that have "
                "them in prompts.human"
            )
        return self


def _refuse_unknown(key: str, slugs: list[str], allowed: list[str]) -> None:
    for slug in slugs:
        if slug not in allowed:
            choice = ", ".join(allowed) or "none"
            raise ValueError(f"{key}: unknown slug '{slug}'; allowed here: {choice}")
