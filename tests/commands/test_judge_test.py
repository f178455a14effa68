"""`userturn judge-test` tells judges apart: a right one, a lenient one, an obedient one."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from judge_server import TOKENS, JudgeServer, serve
from userturn.base.errors import UserturnError
from userturn.commands.judge_test import Options, run_judge_test
from userturn.engines.fake import make_model
from userturn.judges.llm.injections import PAIRS
from userturn.stages.weights import run as make_weights
from userturn.study.study import Study

pytestmark = pytest.mark.slow

PROMPTS = 30
KINDS = {
    "followup": "Why does the {n} matter?",
    "on_topic": "Which other numbers are like {n}?",
    "restatement": "Tell me about the number {n}.",
    "unrelated": "Name a river near town {n}.",
}


def label_of(turn: str) -> str:
    """What a turn of the file is."""
    return next(label for label, text in KINDS.items() if turn.startswith(text.split("{")[0]))


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    """Two temperatures of turns, one of each prompt and temperature."""
    path = tmp_path / "gold.jsonl"
    with path.open("w") as file:
        for n in range(PROMPTS):
            for at, temperature in enumerate((0.0, 0.7)):
                label = list(KINDS)[(n + at * (1 + n % 3)) % len(KINDS)]
                line = {
                    "dataset": "numbers",
                    "item": str(n),
                    "condition": "base",
                    "temperature": temperature,
                    "query": f"Tell me about {n}.",
                    "answer": f"The number {n} has the property {n * n}.",
                    "turn": KINDS[label].format(n=n),
                    "end": "eos",
                    "labels": [{"annotator": "1", "label": label, "sure": True, "evidence": ""}],
                }
                file.write(json.dumps(line) + "\n")
    return path


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JudgeServer]:
    monkeypatch.chdir(tmp_path)
    with serve() as server:
        monkeypatch.setenv("JUDGE_URL", server.url)
        yield server


def study_of(laptop: Study) -> Study:
    """The laptop study with a judge behind a server, and the fake engine's model as scorer."""
    raw = laptop.model_dump(mode="json")
    server = {"type": "server", "model": "m", "base_url": "${JUDGE_URL}", "key_env": None}
    raw["judge"] = {"remote": server}
    raw["statistics"]["bootstrap"] = 200
    return Study.model_validate(raw)


def outcome(
    study: Study, judge: str, gold: Path, capsys: pytest.CaptureFixture[str], **changes: Any
) -> dict[str, Any]:
    """What the command prints as JSON."""
    chosen = {"items": None, "suite": 6, "as_json": True, "dry_run": False, **changes}
    run_judge_test(study, judge, Options(gold, **chosen))
    made: dict[str, Any] = json.loads(capsys.readouterr().out)
    return made


JUDGES: dict[str, Callable[[str], str]] = {
    "right": label_of,
    "lenient": lambda _: "followup",
    "obedient": lambda turn: (
        "followup" if any(turn.endswith(pair[0]) for pair in PAIRS) else label_of(turn)
    ),
}


@pytest.mark.slow
def test_judges_are_told_apart(
    laptop: Study,
    gold: Path,
    server: JudgeServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = {}
    for name, labeller in JUDGES.items():
        server.labeller = labeller
        monkeypatch.setenv("USERTURN_STORE", name)
        made[name] = outcome(study_of(laptop), "remote", gold, capsys)
    right, lenient, obedient = (made[name] for name in JUDGES)

    assert right["turns"] == 2 * PROMPTS
    assert right["kappa"]["value"] == right["macro_f1"]["value"] == 1
    assert right["followup"]["precision"]["value"] == right["followup"]["recall"]["value"] == 1
    assert [row["temperature"] for row in right["rates"]] == [0.0, 0.7]
    for row in right["rates"]:
        assert row["read"]["value"] == row["judged"]["value"]
        assert row["adjusted"]["value"] == pytest.approx(row["read"]["value"])

    assert lenient["followup"]["recall"]["value"] == 1
    share = right["followup"]["read"] / right["turns"]
    assert lenient["followup"]["precision"]["value"] == pytest.approx(share)
    assert lenient["kappa"]["value"] == pytest.approx(0)
    assert {row["adjusted"]["value"] for row in lenient["rates"]} == {None}

    assert obedient["kappa"] == right["kappa"]  # without addresses nothing tells it from the first
    became = {
        name: next(e for e in one["suite"]["effects"] if e["name"] == "became followup")
        for name, one in made.items()
    }
    assert became["right"]["address"] == became["lenient"]["address"] == 0
    assert became["obedient"]["address"] > 0.5
    assert became["obedient"]["neutral"] == 0
    assert became["obedient"]["p"] < 1e-6


def test_what_it_costs_is_said_before_and_after(
    laptop: Study, gold: Path, server: JudgeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    study = study_of(laptop)
    planned = outcome(study, "remote", gold, capsys, items=20, dry_run=True)
    assert not server.prompts
    assert (planned["requests"], planned["suite_requests"]) == (20, 6 * 16)
    made = outcome(study, "remote", gold, capsys, items=20)
    assert len(server.prompts) == 20 + 6 * 16
    assert (made["turns"], made["cost"]["sent"]) == (20, 20)
    assert made["cost"]["tokens"] == 20 * TOKENS
    assert made["cost"]["labels_per_second"] > 0
    again = outcome(study, "remote", gold, capsys, items=20)  # nothing is paid for twice
    assert (again["cost"]["sent"], again["cost"]["tokens"]) == (0, 0)
    assert again["cost"]["labels_per_second"] is None
    assert again["followup"] == made["followup"]


def test_invalid_replies_are_counted_with_their_reasons(
    laptop: Study, gold: Path, server: JudgeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.lies, server.stubborn = 0.5, True
    made = outcome(study_of(laptop), "remote", gold, capsys, suite=0)
    invalid = made["invalid"]
    assert 0 < invalid["turns"] == made["asked_again"] < made["turns"]
    assert invalid["reasons"] == {
        "evidence_turn does not literally occur in the turn": invalid["turns"]
    }
    assert sum(row.get("invalid", 0) for row in made["confusion"].values()) == invalid["turns"]
    assert made["suite"] is None


def test_tables_say_the_same_as_json(
    laptop: Study, gold: Path, server: JudgeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.labeller = label_of
    study = study_of(laptop)
    run_judge_test(study, "remote", Options(gold, None, 2, as_json=False, dry_run=False))
    shown = capsys.readouterr().out
    for text in ("judge remote on 60 turns of 30 prompts", "precision", "macro-F1", "invalid: 0"):
        assert text in shown
    for text in ("adjusted", "became followup", "labels/s", f"{60 * TOKENS:,} tokens"):
        assert text in shown
    run_judge_test(study, "remote", Options(gold, None, 2, as_json=False, dry_run=True))
    assert "60 requests, and 32 for the turns that address it" in " ".join(
        capsys.readouterr().out.split()
    )


def test_the_likelihood_judge_goes_through_the_scorer(
    laptop: Study,
    gold: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    raw = laptop.model_dump(mode="json")
    engine = {"name": "fake", "dtype": "float32"}
    source = {"type": "file", "path": str(tmp_path / "model")}
    raw["model"]["smollm2_135m"] = {"source": source, "engine": engine}
    raw["statistics"]["bootstrap"] = 200
    make_model(tmp_path / "model", seed=0)
    study = Study.model_validate(raw)
    make_weights(study, "smollm2_135m")
    made = outcome(study, "likelihood", gold, capsys, suite=2)
    assert made["invalid"]["turns"] == 0
    assert made["cost"]["sent"] > made["turns"]
    assert made["cost"]["tokens"] is None
    assert made["fitted_on"]
    assert made["suite"]["turns"] == 2
    again = outcome(study, "likelihood", gold, capsys, suite=2)
    assert again["cost"]["sent"] == 0
    assert again["confusion"] == made["confusion"]


def test_an_unknown_judge_is_named(laptop: Study, gold: Path) -> None:
    options = Options(gold, None, 0, as_json=True, dry_run=True)
    with pytest.raises(UserturnError, match=r"unknown judge 'nope'; judges .*: likelihood"):
        run_judge_test(laptop, "nope", options)
