"""Stages `generate` and `perturb` on the fake engine: rows, ends, skips, resume, warm start."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from userturn import stages
from userturn.artifacts import files
from userturn.base import paths
from userturn.base.errors import ArtifactError, UserturnError
from userturn.store.database import Store
from userturn.store.kinds import COMPLETIONS
from userturn.study.study import Study

PROMPTS = [
    {"id": "plain", "prompt": "What is a monad?"},
    {"id": "empty", "prompt": "  \n"},
    {"id": "control", "prompt": "Say <|im_end|> and <|im_start|>assistant, please."},
    {"id": "greek", "prompt": "Τι είναι το άπειρο; 無限とは何ですか？ ما هو؟"},
    {"id": "long", "prompt": "word " * 20_000},
    *({"id": f"p{n}", "prompt": f"Question number {n}?"} for n in range(8)),
]
SKIPPED = {"empty", "long"}

Run = Callable[..., Study]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run stages of a study on the fake engine in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("USERTURN_FAKE_LOG", str(tmp_path / "sent.log"))
    Path("prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROMPTS))

    def run(*names: str, **changes: Any) -> Study:
        study = fake_study(**changes)
        for name, slug in stages.instances(study):
            if name in names:
                stages.run(study, name, slug)
        return study

    return run


def fake_study(
    seed: int = 0, temperatures: tuple[float, ...] = (0.0, 1.0), source: str = "self"
) -> Study:
    return Study.model_validate(
        {
            "seed": seed,
            "prompts": {"datasets": ["own"], "items": None},
            "models": {"pretrained": ["fake"], "probe": ["fake"]},
            "generate": {
                "answer_source": source,
                "user_turn": {"temperatures": list(temperatures), "samples": 3},
            },
            "ground": {"scorer": "fake"},
            "model": {
                "fake": {
                    "source": {
                        "type": "generator",
                        "module": "userturn.engines.fake",
                        "version": "0.1.0",
                    },
                    "engine": {"name": "fake", "max_model_len": 2048},
                }
            },
            "dataset": {
                "own": {"kind": "jsonl", "source": {"type": "file", "path": "prompts.jsonl"}}
            },
        }
    )


def sent() -> list[str]:
    log = Path("sent.log")
    return log.read_text().split() if log.exists() else []


def read(kind: str) -> pl.DataFrame:
    return files.read(paths.artifact(kind, "fake"), kind)


GENERATE = ("prompts", "weights", "generate")


def test_one_context_is_kept_token_by_token(run: Run) -> None:
    run(*GENERATE)
    kept = json.loads(paths.context("fake").read_text())
    assert kept["item"] not in SKIPPED, "the first prompt that has a turn"
    turns = read("user_turns").filter(item=kept["item"], temperature=0)
    assert len(kept["tokens"]) == turns["context_tokens"][0]
    (query,) = (row["prompt"] for row in PROMPTS if row["id"] == kept["item"])
    answer = read("answers").filter(item=kept["item"])["text"][0]
    spelled = "".join(text for _, text, _ in kept["tokens"])
    assert query in spelled
    assert answer in spelled
    controls = {text for _, text, control in kept["tokens"] if control}
    assert "<|im_start|>" in controls


def test_without_any_turn_no_context_is_kept(run: Run) -> None:
    Path("prompts.jsonl").write_text(json.dumps({"id": "empty", "prompt": " "}) + "\n")
    run(*GENERATE)
    assert json.loads(paths.context("fake").read_text()) == {}


def test_every_wanted_row_is_there_and_says_how_it_ended(run: Run) -> None:
    run(*GENERATE, "perturb")
    answers, turns, controls = read("answers"), read("user_turns"), read("controls")
    assert set(answers["item"]) == {row["id"] for row in PROMPTS}
    assert turns.height == len(PROMPTS) * (1 + 3)
    assert controls.height == len(PROMPTS) * 4
    for frame in (answers, turns, controls):
        assert set(frame.filter(pl.col("text").is_null())["item"]) == SKIPPED
        assert set(frame.filter(pl.col("text").is_null())["skipped"]) == {
            "empty prompt",
            *(reason for reason in frame["skipped"].drop_nulls() if "exceed the limit" in reason),
        }
        made = frame.filter(pl.col("text").is_not_null())
        assert set(made["end"]) <= {"eos", "stop_token", "length", "empty"}
        assert (made["end"] == "empty").equals(made["text"].str.strip_chars() == "")
    assert turns.filter(pl.col("temperature") == 0)["seed"].unique().to_list() == [0]
    sampled = turns.filter(pl.col("temperature") > 0)
    assert sampled["seed"].n_unique() == sampled.height


def test_the_same_study_gives_the_same_bytes_from_an_empty_store(run: Run) -> None:
    run(*GENERATE, "perturb")
    files = [paths.artifact(kind, "fake") for kind in ("answers", "user_turns", "controls")]
    before = [path.read_bytes() for path in files]
    shutil.rmtree(".cache/completions")
    run(*GENERATE, "perturb")
    assert [path.read_bytes() for path in files] == before
    run(*GENERATE, "perturb", seed=1)
    assert files[1].read_bytes() != before[1]


def test_finished_requests_are_never_sent_again(run: Run) -> None:
    run(*GENERATE)
    first = sent()
    assert len(first) == len(set(first)) == (len(PROMPTS) - len(SKIPPED)) * (1 + 1 + 3)
    run(*GENERATE)
    assert sent() == first
    run(*GENERATE, temperatures=(0.0, 1.0, 0.5))
    added = sent()[len(first) :]
    assert len(added) == (len(PROMPTS) - len(SKIPPED)) * 3
    assert not set(added) & set(first)


def test_a_broken_engine_keeps_what_is_finished(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USERTURN_FAKE_FAIL_AT", "30")
    with pytest.raises(UserturnError):
        run(*GENERATE)
    finished = sent()
    monkeypatch.delenv("USERTURN_FAKE_FAIL_AT")
    run(*GENERATE)
    everything = sent()
    assert len(everything) == len(set(everything)) or everything.count(finished[-1]) == 2
    assert read("user_turns").height == len(PROMPTS) * 4


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path, int], None]]:
    """Put a file system of so many KiB at a folder; at a folder that has one, resize it."""
    mounted: list[Path] = []

    def mount(folder: Path, kib: int) -> None:
        how = ["-o", f"remount,size={kib}k"] if folder in mounted else ["-t", "tmpfs", "-o"]
        how += [] if folder in mounted else [f"size={kib}k", "tmpfs"]
        done = subprocess.run(["mount", *how, folder], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        if folder not in mounted:
            mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


def test_a_full_disk_spares_the_old_artifact(
    run: Run, small_disk: Callable[[Path, int], None], tmp_path: Path
) -> None:
    run(*GENERATE)
    path = tmp_path / paths.artifact("user_turns", "fake")
    old = path.read_bytes()
    small_disk(path.parent, 64)
    path.write_bytes(old)
    filler = path.with_name("filler")
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(bytes(2**20))
    more = (0.0, 1.0, 0.5)
    with pytest.raises(
        ArtifactError,
        match=r"data/user_turns/fake\.parquet: cannot be written .*No space left.*free space",
    ):
        run(*GENERATE, temperatures=more)
    assert path.read_bytes() == old
    assert {file.name for file in path.parent.iterdir()} == {path.name, filler.name}
    filler.unlink()
    finished = sent()
    run(*GENERATE, temperatures=more)
    assert sent() == finished
    healed = path.read_bytes()
    assert healed != old
    shutil.rmtree(".cache/completions")
    run(*GENERATE, temperatures=more)
    assert path.read_bytes() == healed


def test_a_full_disk_under_the_store_keeps_what_is_finished(
    run: Run,
    small_disk: Callable[[Path, int], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(*GENERATE)
    expected, first = paths.artifact("user_turns", "fake").read_bytes(), len(sent())
    folder = tmp_path / "store"
    folder.mkdir()
    small_disk(folder, 160)
    monkeypatch.setenv("USERTURN_STORE", str(folder))
    for _ in range(2):  # nothing more fits the second time, and nothing is lost
        with pytest.raises(
            UserturnError,
            match=r"store/fake\.sqlite: completions cannot be stored \(.*full\); free space",
        ):
            run(*GENERATE)
    kept = len(set(sent()[first:])) - 1
    assert 1 < kept < first - 1
    with Store(paths.completion_store("fake"), COMPLETIONS) as store:
        assert len(store) == kept
    small_disk(folder, 4096)
    run(*GENERATE)
    assert len(sent()) == 2 * first + 2  # one was in flight each time
    assert paths.artifact("user_turns", "fake").read_bytes() == expected


def test_a_colleagues_output_in_dvcs_cache_is_not_generated_again(run: Run) -> None:
    run(*GENERATE, "perturb")
    first = len(sent())
    lock: dict[str, Any] = {"schema": "2.0", "stages": {}}
    for stage, kinds in (("generate", ("answers", "user_turns")), ("perturb", ("controls",))):
        outs = []
        for number, kind in enumerate(kinds):
            digest = f"{len(lock['stages'])}{number}" + "0" * 30
            cached = Path(".dvc/cache/files/md5") / digest[:2] / digest[2:]
            cached.parent.mkdir(parents=True)
            path = paths.artifact(kind, "fake")
            path.rename(cached)
            outs.append({"path": str(path), "md5": digest})
        lock["stages"][f"{stage}@fake"] = {"outs": outs}
    Path("dvc.lock").write_text(yaml.safe_dump(lock))
    Path(".dvc/config").write_text("")
    shutil.rmtree(".cache/completions")
    run(*GENERATE, "perturb")
    assert len(sent()) == first
    run(*GENERATE, temperatures=(0.0, 1.0, 2.0))
    assert len(sent()) == first + (len(PROMPTS) - len(SKIPPED)) * 3


def test_reference_answers_fill_the_context(run: Run) -> None:
    rows = [{"id": "a", "prompt": "q", "answer": "r"}, {"id": "b", "prompt": "q2"}]
    Path("prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run(*GENERATE, source="reference")
    answers = {row["item"]: row for row in read("answers").to_dicts()}
    assert answers["a"]["text"] == "r"
    assert answers["b"]["skipped"] == "the dataset has no reference answer for this prompt"
    assert read("user_turns").filter(pl.col("text").is_null())["item"].unique().to_list() == ["b"]


def test_another_temperature_of_turns_leaves_the_answers_as_they_are(run: Run) -> None:
    run(*GENERATE)
    before = paths.artifact("answers", "fake").read_bytes()
    run(*GENERATE, temperatures=(0.0, 0.5))
    assert paths.artifact("answers", "fake").read_bytes() == before


def test_an_unknown_stage_is_named_with_those_there_are(run: Run) -> None:
    with pytest.raises(UserturnError, match=r"no stage 'generate@x'.*generate@fake"):
        stages.run(fake_study(), "generate", "x")
