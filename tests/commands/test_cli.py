"""The command line: quick to start, and errors that name the mend."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from userturn.base.errors import StudyError, UserturnError
from userturn.commands.probe import Probed, probe_study
from userturn.study.classify import FITTED_CALIBRATION, SHIPPED_CALIBRATION
from userturn.study.loading import load_study

ROOT = Path(__file__).parents[2]
LONG = 300 * "a"
COMMAND = Path(sys.executable).with_name("userturn")


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("code", ["import userturn", "import userturn.commands.cli"])
def test_imports_load_nothing_heavy(code: str) -> None:
    check = f"{code}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    heavy = {"torch", "vllm", "transformers", "datasets", "polars", "pyarrow", "matplotlib", "dvc"}
    assert not heavy & set(done.stdout.split())


@pytest.mark.slow
def test_help_starts_quickly() -> None:
    def seconds() -> float:
        start = time.perf_counter()
        assert run("--help").returncode == 0
        return time.perf_counter() - start

    # Python's own start is subtracted, so that a loaded machine does not decide.
    bare = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import typer"], check=True)
        bare.append(time.perf_counter() - start)
    assert min(seconds() for _ in range(5)) < min(bare) + 0.3


@pytest.mark.slow
def test_every_command_has_help() -> None:
    commands = re.findall(
        r"^  ([\w-]+)  ", run("--help").stdout.split("Commands:")[1], re.MULTILINE
    )
    expected = {
        "stage",
        "params",
        "show",
        "status",
        "verify",
        "probe",
        "annotate",
        "agreement",
        "judge-test",
        "turns",
        "compare",
        "plan",
        "repeatability",
    }
    assert expected <= set(commands)
    for command in commands:
        assert "Usage" in run(command, "--help").stdout


def test_params_explains_keys() -> None:
    text = run("params", "generate.user_turn").stdout
    assert "generate.user_turn.temperatures" in text
    assert "samples" in text
    assert "model.<slug>" not in text
    everything = run("params").stdout
    assert "\nregistry.yaml\n" in everything
    assert max(map(len, everything.splitlines())) <= 80
    assert run("params", "--schema").stdout == (ROOT / "studies/schema.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("stage", "generate", "nope"),
            "no stage 'generate@nope' in this study; stages: entr",
        ),
        (("show", "--model", "nope", "--dataset", "mt_bench"), "unknown model 'nope'"),
        (("probe", "--model", "nope", "--prompts", "x"), "nope/config.json: does not exist"),
        (("params", "nope"), "no key begins with 'nope'; keys begin with: seed, prompts, "),
        (("annotate", "--annotator", "A.B"), "annotator 'A.B': a name is made of a-z, 0-9 and _"),
        (("annotate", "--annotator", LONG), "a name is made of a-z, 0-9 and _, at most 64 of them"),
        (("stage", "generate", LONG), "aaa.log: File name too long"),
        (("show", "--model", LONG, "--dataset", "mt_bench"), "no directory, and the study has"),
        (("probe", "--model", LONG, "--prompts", "x"), "config.json: does not exist; name a model"),
    ],
)
def test_mistakes_are_named_without_a_traceback(arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_what_would_redraw_a_terminal_is_spelled_out(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text('"\\e[2J\\u202e": 1\n')
    (tmp_path / "registry.yaml").touch()
    done = run("stage", "tables", cwd=tmp_path)
    assert "\\u001b[2J\\u202e: unknown key" in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize("name", ["params.yaml", "registry.yaml"])
def test_a_pipe_is_no_study(tmp_path: Path, name: str) -> None:
    for file in ("params.yaml", "registry.yaml"):
        shutil.copy(ROOT / file, tmp_path)
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    done = run("stage", "tables", cwd=tmp_path)
    assert f"{name}: is no file, but a folder, a pipe or a device" in done.stderr


def test_a_folder_without_a_study_is_named(tmp_path: Path) -> None:
    done = run("stage", "tables", cwd=tmp_path)
    assert done.returncode == 1
    assert "params.yaml: cannot be read" in done.stderr


def test_a_probe_of_a_study_that_never_fitted_its_judge_is_named(tmp_path: Path) -> None:
    study = (ROOT / "params.yaml").read_text()
    shutil.copy(ROOT / "registry.yaml", tmp_path)
    (tmp_path / "params.yaml").write_text(study.replace(SHIPPED_CALIBRATION, FITTED_CALIBRATION))
    for name in ("config.json", "p.jsonl"):
        (tmp_path / name).touch()
    done = run("probe", "--model", ".", "--prompts", "p.jsonl", cwd=tmp_path)
    assert done.returncode == 1
    assert f"{FITTED_CALIBRATION}: does not exist; run `dvc repro calibrate`" in done.stderr
    assert not (tmp_path / "probe").exists()


def test_a_probe_of_no_prompts_is_refused(tmp_path: Path) -> None:
    for name in ("config.json", "p.jsonl"):
        (tmp_path / name).touch()
    done = run("probe", "--model", ".", "--prompts", "p.jsonl", "--items", "0", cwd=tmp_path)
    assert done.returncode == 1
    assert "prompts.items: Input should be greater than or equal to 1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_probe_counts_conversations_too(tmp_path: Path) -> None:
    said = [("user", "Hi"), ("assistant", "Hello"), ("user", "Why?")]
    messages = [{"role": role, "content": content} for role, content in said]
    lines = [{"prompt": "Why?"}, {"messages": messages}]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "config.json").touch()
    done = run("probe", "--model", ".", "--prompts", "p.jsonl", "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "p.jsonl: 2 prompts, 2 taken" in done.stdout
    (tmp_path / "p.jsonl").write_text(json.dumps({"messages": messages[:2]}) + "\n")
    done = run("probe", "--model", ".", "--prompts", "p.jsonl", "--dry-run", cwd=tmp_path)
    assert "line 1: 'messages' must be user and assistant turns by turns" in done.stderr


def test_a_probed_model_has_a_name_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "My model-v1.0"
    folder.mkdir()
    (folder / "config.json").touch()
    prompts = tmp_path / "p.jsonl"
    monkeypatch.chdir(ROOT)
    named = probe_study(Probed(str(folder), prompts, name="mine"))
    assert named.models.probe == ["mine"]
    assert probe_study(Probed(str(folder), prompts)).models.probe == ["my_model_v1_0"]
    with pytest.raises(StudyError, match="smollm2_135m: is a model of this folder's study"):
        probe_study(Probed(str(folder), prompts, name="smollm2_135m"))
    with pytest.raises(StudyError, match=r"model\.A-B: a slug is made of a-z, 0-9 and _"):
        probe_study(Probed(str(folder), prompts, name="A-B"))


def test_a_model_of_the_hub_is_probed_by_its_name_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    probed = Probed("owner/Some-Model", Path("p.jsonl"))
    assert probed.source == {"type": "hub", "repo": "owner/Some-Model"}
    assert probed.slug == "some_model"
    Path("owner/Some-Model").mkdir(parents=True)  # a directory comes first
    with pytest.raises(UserturnError, match=r"owner/Some-Model/config\.json: does not exist"):
        _ = probed.source
    for path in ("./model", "/models/one", "a/b/c", "../one"):
        with pytest.raises(UserturnError, match="does not exist"):
            _ = Probed(path, Path("p.jsonl")).source


@pytest.mark.slow
def test_probe_of_ones_own_model(
    tmp_path: Path, smollm2_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USERTURN_CACHE", str(ROOT / ".cache"))  # holds the scorer's weights
    monkeypatch.setenv("USERTURN_STORE", str(tmp_path / "store"))
    prompts = tmp_path / "p.jsonl"
    prompts.write_text('{"prompt": "What is a leap year?"}\n{"prompt": "Name a prime number."}\n')
    own = ("probe", "--model", str(smollm2_dir), "--prompts", str(prompts))
    study = (ROOT / "params.yaml").read_text()
    shutil.copy(ROOT / "registry.yaml", tmp_path)
    (tmp_path / "params.yaml").write_text(re.sub(r"max_tokens: \d+", "max_tokens: 16", study))
    dry = run(*own, "--dry-run", cwd=tmp_path)
    assert dry.returncode == 0, dry.stderr
    assert "answers: 2 requests of up to 16 tokens" in dry.stdout
    assert not (tmp_path / "probe").exists()
    done = run(*own, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "genuine follow-up rate" in done.stdout
    assert "not calibrated" not in done.stderr  # the study's scorer scores it, not the model itself
    assert (tmp_path / "probe/reports/metrics.json").exists()
    probed = load_study(tmp_path / "probe/params.yaml")
    assert len(probed.model) == 2  # the model and the scorer, and no others of the registry
    assert list(probed.dataset) == ["prompts"]
    other = run(*own, "--items", "1", cwd=tmp_path)
    assert "holds another study" in other.stderr
