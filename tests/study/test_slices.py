"""The parameters of a stage are those that `dvc.yaml` names, and DVC compares the same."""

from contextlib import chdir
from pathlib import Path

import pytest

from userturn import stages
from userturn.study.loading import load_study
from userturn.study.slices import slice_of, value_at
from userturn.study.study import Study

ROOT = Path(__file__).parents[2]


def test_every_stage_has_the_parameters_that_dvc_resolves() -> None:
    from dvc.repo import Repo

    study = load_study(ROOT / "params.yaml")
    with chdir(ROOT), Repo(".") as repo:
        named = {
            stage.addressing: {
                key
                for one in stage.params
                if not one.fs_path.endswith("inputs.json")  # what local files hold is no key
                for key in one.params
            }
            for stage in repo.index.stages
        }
    assert set(named) == {stages.full_name(*instance) for instance in stages.instances(study)}
    for stage, keys in named.items():
        assert set(slice_of(study, stage)) == keys, stage


def test_values_are_those_of_the_study(laptop: Study) -> None:
    values = slice_of(laptop, "generate@smollm2_135m")
    assert values["seed"] == 0
    assert values["generate.user_turn"]["samples"] == 1
    assert values["model.smollm2_135m.chat"]["extra_stop"] == ["<|endoftext|>"]
    assert list(values) == sorted(values)


def test_one_of_several_artifacts_may_depend_on_less(laptop: Study) -> None:
    stage, key = "generate@smollm2_135m", "generate.user_turn"
    less = slice_of(laptop, stage, without=[key])
    assert set(slice_of(laptop, stage)) - set(less) == {key}
    with pytest.raises(ValueError, match="not in list"):
        slice_of(laptop, stage, without=["generate.user_turns"])


def test_the_graph_is_that_of_the_code(
    laptop: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A probe works in a folder without `dvc.yaml`."""
    monkeypatch.chdir(tmp_path)
    assert slice_of(laptop, "figures") == {"figures": laptop.figures.model_dump(mode="json")}


def test_value_at_a_missing_key() -> None:
    assert value_at({"a": {"b": None}}, "a.b") is None
    for key in ("b", "a.c", "a.b.c"):
        with pytest.raises(KeyError):
            value_at({"a": {"b": None}}, key)
