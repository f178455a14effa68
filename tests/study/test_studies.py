"""Studies, schema and code are in step."""

import re
from pathlib import Path

import pytest

from userturn.study.explaining import schema_text
from userturn.study.loading import checked, load_study
from userturn.study.published import PUBLISHED_FILE
from userturn.study.section import Section
from userturn.study.sources import FileSource, HubSource, WheelSource
from userturn.study.study import Registry, Study
from userturn.study.yaml import read_mapping

ROOT = Path(__file__).resolve().parents[2]
STUDIES = sorted({*(ROOT / "studies").glob("*.yaml")} - {ROOT / PUBLISHED_FILE})
# What has no sensible default: where bytes come from, the registries, what is measured, and what a
# paper published.
REQUIRED = {
    "type", "repo", "package", "version", "member", "sha256", "path", "module",
    "source", "kind", "model", "dataset",
    "prompts", "datasets", "models", "pretrained", "probe",
    "paper", "numbers", "name", "what", "mark", "quantity",
}  # fmt: skip


OFFERED = {"gpqa", "arena_hard"}
"""Datasets for whoever adds them: no study here names them."""


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_is_valid(path):
    study = load_study(path)
    for slug in study.prompts.datasets:
        assert study.dataset[slug].license != "unknown"
    for slug in study.models.pretrained:
        assert study.model[slug].license != "unknown"


def test_the_studies_are_the_ones_the_project_speaks_of():
    assert {"laptop", "real", "conversations", "paper"} <= {path.stem for path in STUDIES}


def test_the_default_study_is_the_laptop_study():
    assert (ROOT / "params.yaml").read_bytes() == (ROOT / "studies/laptop.yaml").read_bytes()


def test_every_entry_is_complete():
    study = load_study(ROOT / "studies/laptop.yaml")
    for entry in [*study.model.values(), *study.dataset.values(), *study.reference.values()]:
        assert entry.license != "unknown"
    for entry in study.model.values():
        assert entry.parameters is not None
        assert entry.family != "other"


def test_every_entry_serves_a_study():
    studies = [load_study(path) for path in STUDIES]
    sets = [study.reference[slug] for study in studies for slug in study.calibrate.sets]
    used = {
        "model": {slug for study in studies for slug in study.models.pretrained},
        "dataset": {slug for study in studies for slug in study.prompts.datasets}
        | {one.prompts for one in sets if one.prompts},
        "reference": {slug for study in studies for slug in study.calibrate.sets}
        | {one.conversations for one in sets if one.conversations},
    }
    used["dataset"] |= OFFERED
    for section, slugs in used.items():
        assert set(getattr(studies[0], section)) == slugs


def test_the_schema_is_that_of_the_code():
    assert (ROOT / "studies/schema.json").read_text(encoding="utf-8") == schema_text()


def sections(kind=Section):
    """Every section there is, however deep it derives from `Section`."""
    return [kind, *(inner for derived in kind.__subclasses__() for inner in sections(derived))]


def test_every_key_says_what_it_is_and_has_a_default():
    assert Study in sections()
    for section in sections():
        for name, field in section.model_fields.items():
            assert field.description, f"{section.__name__}.{name} has no description"
            if field.is_required():
                assert name in REQUIRED, f"{section.__name__}.{name} has no default"


def test_the_paper_study_has_its_models_and_datasets():
    study = load_study(ROOT / "studies/paper.yaml")
    assert len(study.models.probe) == 11
    assert {study.model[slug].family for slug in study.models.probe} == {
        "Qwen3.5", "gpt-oss", "GLM",
    }  # fmt: skip
    assert len(study.prompts.datasets) == 5
    for slug in study.models.probe:
        entry = study.model[slug]
        assert isinstance(entry.source, HubSource), slug
        gpus = entry.engine.tensor_parallel * entry.engine.pipeline_parallel
        assert entry.resources.gpus == gpus, slug
        assert entry.parameters is not None
        stored = 0.6 if entry.engine.dtype == "auto" else 2  # bytes per parameter: MXFP4, bfloat16
        assert entry.parameters * stored < 0.8 * 80 * gpus, f"{slug} does not fit its GPUs"
        if entry.family in ("Qwen3.5", "GLM"):
            assert entry.chat.template_kwargs["enable_thinking"] is False


def test_the_real_study_reads_pinned_files_and_wheels():
    study = load_study(ROOT / "studies/real.yaml")
    for slug in study.prompts.datasets:
        source = study.dataset[slug].source
        assert isinstance(source, FileSource | WheelSource)
        if isinstance(source, FileSource):
            assert source.path.startswith("${USERTURN_DATA}/")
        assert source.sha256
    laptop = load_study(ROOT / "studies/laptop.yaml")
    assert study.model["smollm2_135m"].source == laptop.model["smollm2_135m"].source
    assert study.classify == laptop.classify


def test_examples_of_entries_in_readme_are_valid(tmp_path):
    (example,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    file = tmp_path / "registry.yaml"
    file.write_text(example)
    registry = checked(Registry, read_mapping(file), "README.md")
    assert (list(registry.model), list(registry.dataset)) == (["my_model"], ["my_prompts"])
    assert registry.judge["served"].type == "server"
