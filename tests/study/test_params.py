"""`params.yaml`: what is wrong is named by key, with what is allowed there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from userturn.base.errors import StudyError
from userturn.study.explaining import describe_keys
from userturn.study.loading import load_study
from userturn.study.sources import expand_path

ROOT = Path(__file__).parents[2]
LAPTOP = yaml.safe_load((ROOT / "studies/laptop.yaml").read_text())

Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: s["generate"].update(sampels=1),
            r"generate\.sampels: unknown key; allowed here: answer, answer_source, context, u",
        ),
        (
            lambda s: s.update(sed=1),
            r"sed: unknown key; allowed here: calibrate, classify, dataset",
        ),
        (
            lambda s: s["generate"]["user_turn"].update(temperatures=[-0.1]),
            r"generate\.user_turn\.temperatures\.0: .*greater than or equal to 0 \(given: -0\.1\)",
        ),
        (
            lambda s: s["model"].update({"a.b": s["model"]["smollm2_135m"]}),
            r"model\.a\.b: a slug is made of a-z, 0-9 and _ \(no dot",
        ),
        (
            lambda s: s["models"].update(probe=["gpt"]),
            r"models\.probe: unknown slug 'gpt'; allowed here: smollm2_135m",
        ),
        (lambda s: s["prompts"].update(datasets=["gsm8k"]), r"prompts\.datasets: .*'gsm8k'; allo"),
        (lambda s: s["ground"].update(scorer="x"), r"ground\.scorer: unknown slug 'x'"),
        (lambda s: s["prompts"].update(datasets=["ifbench"] * 2), r"prompts\.datasets: .*twice"),
        (
            lambda s: s["perturb"].update(conditions=["trunc"]),
            r"perturb\.conditions\.0: .*'truncate', 'ask', 'swap' or 'close' \(given: 'trunc'\)",
        ),
        (
            lambda s: s["model"]["smollm2_135m"]["source"].update(sha=1),
            r"model\.smollm2_135m\.source\.sha: unknown key; allowed here: member, package, sha256",
        ),
        (lambda s: s["models"].update(trained=["sft"]), r"models\.trained: "),
        (lambda s: s.pop("dataset"), r"dataset: Field required"),
        (
            lambda s: s["classify"].update(judges=["gpt"]),
            r"classify\.judges: unknown slug 'gpt'; allowed here: likelihood",
        ),
        (
            lambda s: s["classify"].update(judge_model="x"),
            r"classify\.judge_model: unknown slug 'x'; allowed here: smollm2_135m",
        ),
        (
            lambda s: s.update(judge={"j": {"type": "local", "rubric": "v0"}}),
            r"judge\.j\.rubric: unknown slug 'v0'; allowed here: v1",
        ),
        (
            lambda s: s.update(judge={"j": {"type": "server", "model": "m", "key": "k"}}),
            r"judge\.j\.key: unknown key; allowed here: base_url, .*max_total_tokens",
        ),
        (
            lambda s: s.update(judge={"likelihood": {"type": "local"}}),
            r"judge\.likelihood: is the name of a judge that is no LLM",
        ),
    ],
)
def test_a_wrong_study_names_the_key(tmp_path: Path, change: Change, message: str) -> None:
    study = yaml.safe_load(yaml.safe_dump(LAPTOP))
    change(study)
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(study))
    with pytest.raises(StudyError, match=message) as caught:
        load_study(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "cannot be read"), ("a: [", "is not valid YAML"), ("- 1", "holds no keys")],
)
def test_a_file_that_is_no_study(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "params.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(StudyError, match=message):
        load_study(path)


def test_paths_may_use_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USERTURN_DATA", "/somewhere")
    assert expand_path("${USERTURN_DATA}/x.jsonl") == Path("/somewhere/x.jsonl")
    monkeypatch.delenv("USERTURN_DATA")
    with pytest.raises(StudyError, match="set the environment variable USERTURN_DATA"):
        expand_path("${USERTURN_DATA}/x.jsonl")


def test_every_key_is_explained() -> None:
    rows = describe_keys()
    assert {"seed", "generate.user_turn.samples", "model.<slug>.engine.dtype"} <= {
        row[0] for row in rows
    }
    for name, default, _, description in rows:
        assert description, name
        assert default, name
