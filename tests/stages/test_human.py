"""Stages `human` and `expect`: what people said next, as a speaker and as expected."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from userturn import __version__, stages, tables
from userturn.artifacts import files, schemas
from userturn.artifacts.prompts import read_prompts
from userturn.base import paths
from userturn.base.errors import StudyError
from userturn.chat.loading import load_chat
from userturn.engines import create
from userturn.engines.base import ScoreRequest
from userturn.models import weights
from userturn.study.report import ALL, HUMAN
from userturn.study.study import Study
from userturn.workflow.verify import verify

SOURCE = {"type": "generator", "module": "userturn.engines.fake", "version": __version__}
EARLIER = [
    {"role": "user", "content": "May I ask?"},
    {"role": "assistant", "content": "You may."},
]
ROWS = [
    {"id": "a", "prompt": "Keep basil?", "answer": "Six hours of sun.", "next_turn": "Why six?"},
    {
        "id": "b",
        "messages": [*EARLIER, {"role": "user", "content": "Boil an egg?"}],
        "answer": "Eight minutes.",
        "next_turn": "And for a soft one?",
    },
    {"id": "c", "prompt": "Only an answer?", "answer": "Nobody went on."},
    {"id": "d", "prompt": "Nothing known?"},
    {"id": "e", "prompt": "Thanks?", "answer": "Yes.", "next_turn": "Thanks!"},
]
STEPS = ("prompts", "weights", "generate", "score", "perturb", "ground", "classify")

Run = Callable[..., Study]


def make_study(
    human: list[str],
    expect: list[str],
    judges: list[str] | None = None,
    cross: list[str] | None = None,
) -> Study:
    return Study.model_validate(
        {
            "prompts": {"datasets": ["talks", "plain"], "items": None, "human": human},
            "models": {"pretrained": ["fake"], "probe": ["fake"], "expect": expect}
            | {"cross": cross or []},
            "generate": {"answer_source": ["self", "reference"] if cross else "self"}
            | {"user_turn": {"temperatures": [0.0], "samples": 1}},
            "perturb": {"conditions": ["truncate"]},
            "classify": {"judges": judges or ["likelihood"]},
            "judge": {"model": {"type": "local"}},
            "statistics": {"bootstrap": 100},
            "model": {"fake": {"source": SOURCE, "engine": {"name": "fake"}}},
            "dataset": {
                name: {"kind": "jsonl", "source": {"type": "file", "path": f"{name}.jsonl"}}
                for name in ("talks", "plain")
            },
        }
    )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run stages of a study in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    for name, rows in (("talks", ROWS), ("plain", ROWS[3:4])):
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(*names: str, **keys: Any) -> Study:
        study = make_study(**keys)
        for name, slug in stages.instances(study):
            if name in names:
                stages.run(study, name, slug)
        return study

    return run


def test_real_turns_go_through_measures_and_every_judge(run: Run) -> None:
    judges = ["likelihood", "model"]
    run("prompts", "weights", "human", human=["talks"], expect=[], judges=judges)
    rows = files.read(paths.artifact("next_turns", "talks"), "next_turns")
    assert set(rows.select("item", "judge").rows()) == {(i, j) for i in "abe" for j in judges}
    one = rows.filter(item="b", judge="likelihood").row(0, named=True)
    spelled = "".join(one["token_texts"])
    assert spelled == "And for a soft one?"
    assert one["uptake"] == pytest.approx(
        (math.fsum(one["log_p"]) - math.fsum(one["log_p_neutral"])) / one["tokens"], abs=1e-9
    )
    thanks = rows.filter(item="e", judge="likelihood").row(0, named=True)
    assert thanks["label"] == "generic", "rules read the text, as of a model's turn"


def test_a_dataset_without_next_turns_is_named(run: Run) -> None:
    with pytest.raises(StudyError, match=r"prompts\.human: no prompt of 'plain'"):
        run("prompts", "weights", "human", human=["plain"], expect=[])


def test_people_are_a_speaker_of_their_own_in_tables_and_numbers(run: Run) -> None:
    run(*STEPS, "tables", human=[], expect=[])
    plain = {name: tables.path_of(name).read_bytes() for name in ("rates", "labels", "models")}
    numbers = json.loads(tables.METRICS.read_text())
    assert tables.read("human") == tables.read("human_labels") == tables.read("expected") == []
    assert "human" not in numbers
    run(*STEPS, "human", "expect", "tables", human=["talks"], expect=["fake"])
    for name, content in plain.items():
        assert tables.path_of(name).read_bytes() == content, name
    rows = files.read(paths.artifact("next_turns", "talks"), "next_turns")
    valid = rows.filter(pl.col("label").is_not_null())
    made = tables.read("human")
    assert [(row["model"], row["dataset"]) for row in made] == [(HUMAN, "talks"), (HUMAN, ALL)]
    for row in made:
        assert (row["condition"], row["temperature"]) == (schemas.BASE, None)
        assert (row["samples"], row["prompts"]) == (3, valid.height)
        assert row["followups"] == (valid["label"] == "followup").sum()
        assert row["low"] <= row["rate"] <= row["high"]
    shares = [row for row in tables.read("human_labels") if row["dataset"] == ALL]
    assert sum(row["count"] for row in shares) == valid.height
    with_people = json.loads(tables.METRICS.read_text())
    people = with_people.pop("human")
    assert people["followup_rate"]["rate"] == pytest.approx(made[-1]["rate"])
    expected = with_people["model"]["fake"].pop("expected")
    assert with_people == numbers, "the models' numbers are as without people"
    row = tables.read("expected")[-1]
    assert expected == {
        name: row[name]
        for name in ("own", "other", "difference", "difference_low", "difference_high", "prompts")
    }


def test_expectation_is_the_engines_likelihood_behind_either_answer(run: Run) -> None:
    study = run("prompts", "weights", "expect", human=["talks"], expect=["fake"])
    rows = files.read(paths.artifact("expected", "fake"), "expected")
    assert set(rows["item"]) == set("abe")
    chat = load_chat(study, "fake")
    engine = create(study.model["fake"].engine, weights.materialise(study, "fake"))
    engine.load()
    answers = {row["id"]: row["answer"] for row in ROWS if "answer" in row}
    prompts = {row["item"]: row for row in read_prompts(["talks"]).iter_rows(named=True)}
    from userturn.artifacts import messages

    used = set()
    for row in rows.iter_rows(named=True):
        query = messages.asked(prompts[row["item"]])
        target = tuple(chat.encode_turn(prompts[row["item"]]["next_turn"]))

        def score(answer: str, query: Any = query, target: Any = target) -> list[float]:
            request = ScoreRequest(chat.user_context(query, answer, "history"), (target,))
            return [round(one, 3) for one in next(engine.score([request]))[0]]

        assert row["log_p"] == score(answers[row["item"]])
        assert row["own"] == pytest.approx(math.fsum(row["log_p"]) / row["tokens"])
        (other,) = [
            item
            for item, answer in answers.items()
            if item != row["item"] and score(answer) == row["log_p_other"]
        ]
        used.add(other)
    assert len(used) == 3, "no two turns stand behind the same answer"


def test_verify_names_what_is_missing_among_peoples_turns(run: Run) -> None:
    keys = {"human": ["talks"], "expect": ["fake"]}
    study = run(*STEPS, "human", "expect", **keys)
    folders = ("next_turns", "expected")
    assert [one for one in verify(study).problems if one.path.parent.name in folders] == []
    for kind, slug in (("next_turns", "talks"), ("expected", "fake")):
        path = paths.artifact(kind, slug)
        facts = {"stage": {"next_turns": "human", "expected": "expect"}[kind] + f"@{slug}"}
        files.write(path, kind, files.read(path, kind).to_dicts()[1:], {**facts, "weights": "w"})
    texts = {one.path.parent.name: one.text for one in verify(study).problems}
    assert "lacks 1 rows" in texts["next_turns"] or "was made by the weights" in texts["next_turns"]
    problems = [one.text for one in verify(study).problems if one.path.parent.name in folders]
    assert sum("lacks 1 rows" in text for text in problems) == 2


def test_the_page_says_what_people_said_and_whose_answers_there_are(run: Run) -> None:
    shown = ("entries", *STEPS, "tables", "figures", "report")
    Path("registry.yaml").write_text("{}")
    run(*shown, human=[], expect=[])
    page = Path("reports/index.html").read_text()
    headings = ("What people said next", "What the models expect people to say", "Behind whose")
    assert not any(heading in page for heading in headings)
    keys = {"human": ["talks"], "expect": ["fake"], "cross": ["fake"]}
    run(*shown, "human", "expect", "cross", **keys)
    page = Path("reports/index.html").read_text()
    assert all(heading in page for heading in headings)
    rate = tables.read("human")[-1]["rate"]
    assert f'value="{rate:.6g}"' in page
    assert "people" in Path("reports/figures/label_shares.svg").read_text()
