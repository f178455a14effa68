"""The page sets the paper's numbers beside the study's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from synthetic import make_study, write_artifacts
from userturn import report
from userturn.stages import figures as figures_stage
from userturn.stages import report as stage
from userturn.stages import tables as tables_stage
from userturn.study.published import PUBLISHED_FILE

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def test_measured_numbers_stand_in_front_and_the_others_with_their_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = make_study({"qwen35_0_8b": ("Qwen3.5", 0.8)}, ("gsm8k",), figures={"formats": ["svg"]})
    write_artifacts(study, items=6)

    def page() -> str:
        tables_stage.run(study)
        figures_stage.run(study)
        stage.run(study)
        return report.PAGE.read_text(encoding="utf-8")

    assert "No published numbers" in page()
    Path("studies").mkdir()
    shutil.copy(ROOT / PUBLISHED_FILE, PUBLISHED_FILE)
    text = page()
    part = text.split('<section id="published"')[1].split("</section>")[0]
    before, _, missing = part.partition("Not measured here")
    assert "GSM8K accuracy of Qwen3.5-0.8B" in before
    assert '<data value="0.41">' in before
    assert "GSM8K accuracy of Qwen3.5-397B-A17B" in missing
    assert "does not probe the model qwen35_397b_a17b" in missing
    assert text.index('id="plots"') < text.index('id="published"') < text.index('id="contrasts"')
