"""The files that carry the registry's entries change where a used entry does, and only there."""

from pathlib import Path
from typing import Any

import pytest

from userturn.stages.entries import run, texts
from userturn.study.study import Study


def changed(laptop: Study, change: Any) -> set[str]:
    """Names of the files that a change of the study changes."""
    raw = laptop.model_dump(mode="json")
    raw["judge"] = {
        slug: {"type": "server", "model": "m", "base_url": "http://localhost"}
        for slug in ("used", "unused")
    }
    raw["classify"]["judges"] = ["likelihood", "used"]
    raw["calibrate"]["sets"] = ["gold_ifbench", "own"]
    before = texts(Study.model_validate(raw))
    change(raw)
    after = texts(Study.model_validate(raw))
    return {path.stem for path in before if before[path] != after[path]}


@pytest.mark.parametrize(
    ("change", "files"),
    [
        (lambda s: None, set()),
        (lambda s: s["judge"]["used"].update(model="n"), {"judges"}),
        (lambda s: s["judge"]["used"].update(rubric="v1", max_tokens=99), {"judges"}),
        (lambda s: s["judge"]["used"].update(concurrency=99, base_url="http://x"), set()),
        (lambda s: s["judge"]["unused"].update(model="n"), set()),
        (lambda s: s["classify"].update(judges=["used", "likelihood"]), set()),
        (lambda s: s["classify"].update(judges=["likelihood"]), {"judges"}),
        (lambda s: s["model"]["smollm2_135m"].update(family="other"), {"models"}),
        (lambda s: s["model"]["smollm2_135m"]["resources"].update(gpus=4), set()),
        (lambda s: s["model"]["smollm2_135m"].update(active_parameters=0.1, disk_gb=9), set()),
        (lambda s: s["model"]["qwen35_2b"].update(family="other"), set()),
        (lambda s: s["reference"]["own"].update(reacts=False), {"references"}),
        (lambda s: s["reference"]["mathchat"].update(reacts=False), set()),
        (lambda s: s["reference"]["gold_ifbench"].update(license="x"), set()),
        (lambda s: s["calibrate"].update(sets=["own", "mathchat"]), {"references", "inputs"}),
        (lambda s: s["dataset"]["ifbench"]["source"].update(member="x"), {"references"}),
        (lambda s: s["dataset"]["ifbench"].update(size=9, prompt_tokens=9), set()),
        (lambda s: s["dataset"]["ifeval"]["source"].update(path="x"), set()),
        (lambda s: s["dataset"].update(new=s["dataset"]["ifbench"]), set()),
    ],
)
def test_an_edit_reaches_the_files_of_what_uses_it(
    laptop: Study, change: Any, files: set[str]
) -> None:
    assert changed(laptop, change) == files


def test_the_stage_writes_them(
    laptop: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(laptop)
    assert {path: path.read_text() for path in Path("data/entries").iterdir()} == texts(laptop)
