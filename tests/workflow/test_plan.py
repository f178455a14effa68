"""The plan: arithmetic, what is finished, what it warns of, and that it asks no network."""

from __future__ import annotations

import json
import math
import shutil
import socket
from io import StringIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from userturn import __version__, stages
from userturn.base.errors import StudyError, UserturnError
from userturn.commands.plan import SCHEMA, Options, run_plan, shown
from userturn.stats import power
from userturn.study.loading import load_study
from userturn.study.models import ModelEntry
from userturn.study.study import Study
from userturn.turns.grid import turn_keys
from userturn.workflow.asked import Counted
from userturn.workflow.plan import known
from userturn.workflow.plan.assumptions import Assumptions, assume
from userturn.workflow.plan.cost import Load, seconds, weights_gb
from userturn.workflow.plan.make import added, make, plan_of, remaining
from userturn.workflow.plan.result import Plan, Prices
from userturn.workflow.plan.setting import Lengths, Prompts, Setting
from userturn.workflow.plan.warnings import room, too_long

ROOT = Path(__file__).parents[2]
SOURCE = {"type": "generator", "module": "userturn.engines.fake", "version": __version__}
ASSUMED = Assumptions()
PRICES = Prices(gpu_hour=2.0, judge_in=1.0, judge_out=4.0)

tokens = st.floats(0, 1e9)
loads = st.builds(Load, st.integers(1, 10**6), tokens, tokens, tokens, tokens)


def entry(gpus: int = 1, parameters: float | None = 9.0, **keys: Any) -> ModelEntry:
    engine = {"dtype": "bfloat16", "max_num_seqs": 256, **keys.pop("engine", {})}
    return ModelEntry.model_validate(
        {"source": SOURCE, "parameters": parameters, "resources": {"gpus": gpus}, "engine": engine}
        | keys
    )


def paper(**changes: Any) -> Study:
    """The paper's study with some keys changed, `generate__context` for generate.context."""
    raw = load_study(ROOT / "studies/paper.yaml").model_dump(mode="json")
    for key, value in changes.items():
        *sections, name = key.split("__")
        at = raw
        for section in sections:
            at = at[section]
        at[name] = value
    return Study.model_validate(raw)


def setting(
    study: Study, count: int = 500, mean: float = 60, longest: float | None = None
) -> Setting:
    return Setting(
        study,
        {slug: Prompts(count, mean, longest, "registry") for slug in study.prompts.datasets},
        {slug: Lengths(300, 30, False) for slug in study.models.probe},
        ASSUMED,
    )


def planned(study: Study, **known_prompts: Any) -> Plan:
    return plan_of(setting(study, **known_prompts), {}, Path("study.yaml"), PRICES)


# --- the roofline ---------------------------------------------------------------------------------


def test_reading_is_two_operations_per_parameter_and_token() -> None:
    took = seconds(entry(gpus=2), Load(1, tokens_read=1e6), ASSUMED)
    loading = ASSUMED.load_seconds + 18.0 / ASSUMED.load_gb_per_s
    assert took == pytest.approx(loading + 2 * 9e9 * 1e6 / (2 * 989e12 * 0.4))


def test_writing_moves_the_weights_once_per_step_of_a_batch() -> None:
    took = seconds(entry(), Load(128, tokens_out=128_000), ASSUMED)
    nothing = seconds(entry(), Load(128), ASSUMED)
    assert took is not None
    assert nothing is not None
    assert took - nothing == pytest.approx(1000 * 18e9 / (3.35e12 * 0.5))


def test_one_sequence_touches_the_active_experts_alone() -> None:
    def writing(active: float) -> float:
        model = entry(parameters=100, active_parameters=active, gpus=4)
        with_tokens, without = (
            seconds(model, Load(1, tokens_out=out), ASSUMED) for out in (1e4, 0.0)
        )
        assert with_tokens is not None
        assert without is not None
        return with_tokens - without

    assert writing(5) == pytest.approx(writing(100) / 20)


@given(loads, loads, st.integers(1, 16), st.booleans())
def test_more_work_never_takes_less_and_more_gpus_never_more(
    one: Load, other: Load, gpus: int, scores: bool
) -> None:
    both = Load(
        one.requests,
        tokens_read=one.tokens_read + other.tokens_read,
        tokens_out=one.tokens_out + other.tokens_out,
    )
    took = seconds(entry(gpus), one, ASSUMED, scores=scores)
    more = seconds(entry(gpus), both, ASSUMED, scores=scores)
    faster = seconds(entry(gpus + 1), one, ASSUMED, scores=scores)
    assert took is not None
    assert more is not None
    assert faster is not None
    assert faster <= took <= more
    assert math.isfinite(more)


@given(loads)
def test_nothing_asked_takes_no_time_and_no_size_gives_no_time(load: Load) -> None:
    assert seconds(entry(), Load(), ASSUMED) == 0
    assert seconds(entry(parameters=None), load, ASSUMED) is None


@given(loads, st.floats(0, 1))
def test_a_share_of_a_load_is_that_share(load: Load, share: float) -> None:
    part = load.scaled(share)
    assert part.tokens_out == load.tokens_out * share
    assert part.requests <= load.requests


@given(loads, st.integers(0, 2 * 10**6))
def test_what_is_finished_is_not_done_again(load: Load, finished: int) -> None:
    rest = remaining(load, finished)
    assert rest.requests == max(0, load.requests - finished)
    assert remaining(load, None) == load


@given(st.lists(st.none() | st.floats(0, 100)))
def test_a_sum_is_unknown_only_where_all_of_it_is(values: list[float | None]) -> None:
    numbers = [value for value in values if value is not None]
    total = added(values)
    assert total == (sum(numbers) if numbers or not values else None)


def test_weights_are_as_published() -> None:
    assert weights_gb(entry()) == 18
    assert weights_gb(entry(disk_gb=5.5)) == 5.5
    assert weights_gb(entry(parameters=None)) is None


@pytest.mark.parametrize(
    "bad", ["turn_tokens", "turn_tokens=", "turn_tokens=-1", "gpu_flops=inf", "tokens=1",
            "prefill_utilisation=1.5", "load_seconds=nan"]
)  # fmt: skip
def test_assumptions_are_numbers_in_their_range(bad: str) -> None:
    with pytest.raises(UserturnError, match="--assume"):
        assume([bad])


def test_assumptions_can_be_set() -> None:
    assert assume(["turn_tokens=12", "gpu_flops=312e12"]).gpu_flops == 312e12
    assert {name for name, *_ in ASSUMED.stated()} >= {"turn_tokens", "gpu_flops", "discordance"}


# --- what is asked --------------------------------------------------------------------------------


def test_requests_are_the_grid_and_every_comparison_behind_every_context() -> None:
    study = paper()
    plan = planned(study)
    prompts = 500 * len(study.prompts.datasets)
    grid = [len(turn_keys(study, kind, [("", "")])) for kind in ("user_turns", "controls")]
    first = plan.models[0]
    assert first.prompts == prompts
    assert first.requests == prompts * (1 + sum(grid))
    by_kind = {job.kind: job for job in plan.jobs if job.model == first.model}
    # `swap` is compared with both answers; own, neutral, alone and assistant are four contexts
    assert by_kind["likelihoods"].requests == prompts * (sum(grid) + 1) * 4
    assert by_kind["answers"].tokens_out_most == prompts * study.generate.answer.max_tokens
    assert plan.total.requests == first.requests * 11
    assert plan.total.gpu_hours == pytest.approx(sum(job.gpu_hours or 0 for job in plan.jobs))
    assert plan.total.cost == pytest.approx(2 * plan.total.gpu_hours + plan.total.judge_cost)


def test_reference_answers_are_not_asked_for() -> None:
    plan = planned(paper(generate__answer_source="reference"))
    assert "answers" not in {job.kind for job in plan.jobs}


def test_judges_cost_tokens_money_or_gpu_hours() -> None:
    server = {"type": "server", "rubric": "v2"}
    judges = {
        "paid": {**server, "model": "some-model"},
        "ours": {**server, "model": "openai/gpt-oss-120b", "key_env": None},
        "here": {"type": "local"},
    }
    plan = planned(
        paper(
            judge=judges,
            classify__judges=["likelihood", *judges],
            classify__primary="paid",
            classify__judge_model="qwen35_9b",
        )
    )
    asked = {job.kind: job for job in plan.jobs if job.model == "qwen35_2b"}
    paid, ours, here = (asked[f"judge {name}"] for name in judges)
    assert (paid.runs_on, ours.runs_on, here.runs_on) == (None, "gpt_oss_120b", "qwen35_9b")
    assert paid.cost == pytest.approx(paid.tokens_in / 1e6 + 4 * paid.tokens_out / 1e6)
    assert ours.cost == pytest.approx(2 * (ours.gpu_hours or 0))
    assert plan.total.judge_cost == pytest.approx(11 * (paid.cost or 0))
    assert any("judge.paid.max_total_tokens" in warning for warning in plan.warnings)


def test_finished_requests_are_taken_off() -> None:
    study = paper()
    done = {("generate@qwen35_2b", "answers"): Counted(2500, 2500)}
    plan = plan_of(setting(study), done, Path("study.yaml"), PRICES)
    job = next(one for one in plan.jobs if (one.model, one.kind) == ("qwen35_2b", "answers"))
    assert (job.requests, job.finished, job.hours, job.cost) == (2500, 2500, 0, 0)
    assert plan.models[1].finished is None, "nobody knows of the turns"


# --- what it warns of -----------------------------------------------------------------------------


@given(st.floats(1, 1e5), st.none() | st.floats(1, 1e5), st.floats(-100, 1e5))
def test_prompts_are_too_long_where_one_is(mean: float, longest: float | None, left: float) -> None:
    longest = None if longest is None else max(mean, longest)
    said = too_long(Prompts(3, mean, longest, "artifact"), left)
    assert (said is None) == (left > 0 and max(mean, longest or 0) <= left)


def test_room_is_what_is_left() -> None:
    assert room(4096, 128, 40, 30) == 3898


def test_it_warns_where_prompts_do_not_fit_and_only_there() -> None:
    def said(**known_prompts: Any) -> list[str]:
        plan = planned(paper(), **known_prompts)
        return [one for one in plan.warnings if "may not fit" in one]

    limit = 16384 - 4096 - 256 - ASSUMED.template_tokens
    assert said(mean=limit) == []
    assert len(said(mean=limit + 1)) == 5
    assert "and 8 more models" in said(mean=60, longest=limit + 1)[0]


def test_it_warns_where_five_points_could_not_be_seen() -> None:
    needed = math.ceil(power.prompts_needed(0.05, ASSUMED.discordance, 0.95))
    assert not [one for one in planned(paper(), count=needed).warnings if "points" in one]
    few = [one for one in planned(paper(), count=needed - 1).warnings if "points" in one]
    assert len(few) == 5, "all datasets together have enough"
    assert len([one for one in planned(paper(), count=2).warnings if "points" in one]) == 6


def test_it_warns_of_memory_and_walltime() -> None:
    small = {"gpus": 1, "mem_gb": 8, "hours": 0.01}
    plan = planned(
        paper(model__qwen35_122b_a10b__resources=small, model__qwen35_122b_a10b__engine={})
    )
    text = " ".join(plan.warnings)
    assert "model.qwen35_122b_a10b: 488 GB of weights do not fit 1 GPUs (72 GB)" in text
    assert "generate@qwen35_122b_a10b: about" in text
    assert "engine.max_model_len is null" in text


# --- without network, and as text -----------------------------------------------------------------


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a plan asked the network")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)


@pytest.mark.usefixtures("offline")
def test_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "studies/paper.yaml", tmp_path / "params.yaml")
    shutil.copy(ROOT / "registry.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    plan = make(load_study(), Path("params.yaml"), PRICES, ASSUMED)
    made = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    links = {path for path in made if path.is_relative_to("data/inputs/linked")}  # of `status`
    assert made - links == {Path("params.yaml"), Path("registry.yaml")}
    assert {one.dataset: one.prompts for one in plan.datasets}["ifbench_hub"] == 300
    assert plan.total.finished == 0, "nothing was ever asked here"
    assert {one.basis for one in plan.datasets} <= {"registry", "assumed"}


@pytest.mark.usefixtures("offline")
def test_json_has_its_schema_and_reads_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run_plan(Options(ROOT / "studies/paper.yaml", PRICES, ["turn_tokens=20"], True))
    text = capsys.readouterr().out
    jsonschema.validate(json.loads(text), SCHEMA.json_schema(mode="serialization"))
    plan = SCHEMA.validate_json(text)
    assert {one.name: one.value for one in plan.assumptions}["turn_tokens"] == 20
    assert {"models", "total", "jobs", "warnings", "assumptions"} <= set(json.loads(text))


def test_tables_fit_eighty_columns_and_keep_every_name() -> None:
    plan = planned(paper(), mean=20_000)
    console = Console(width=80, file=StringIO())
    console.print(shown(plan))
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for model in plan.models:
        assert f"\n{model.model} " in text
    assert "may not fit" in text


def test_a_dataset_of_unknown_size_is_named() -> None:
    study = paper(prompts__items=None)
    with pytest.raises(StudyError, match=r"dataset\.coval\.size: is missing"):
        known.prompts(study, "coval", ASSUMED, here=False)
    assert known.prompts(study, "gsm8k_hub", ASSUMED, here=False).count == 1319


def test_what_stages_made_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [json.dumps({"prompt": f"Question number {n}?"}) for n in range(6)]
    Path("prompts.jsonl").write_text("\n".join(lines))
    source = {"type": "file", "path": "prompts.jsonl"}
    study = Study.model_validate(
        {
            "prompts": {"datasets": ["own"], "items": 4},
            "models": {"pretrained": ["fake"], "probe": ["fake"]},
            "model": {"fake": {"source": SOURCE, "engine": {"name": "fake"}, "parameters": 1}},
            "dataset": {"own": {"kind": "jsonl", "source": source}},
        }
    )
    before = make(study, Path("x.yaml"), Prices(), ASSUMED)
    assert [(one.prompts, one.basis) for one in before.datasets] == [(4, "source")]
    assert before.total.finished == 0
    for name, slug in stages.instances(study):
        if name in ("prompts", "weights", "generate"):
            stages.run(study, name, slug)
    after = {job.kind: job for job in make(study, Path("x.yaml"), Prices(), ASSUMED).jobs}
    assert (after["answers"].requests, after["answers"].finished) == (4, 4)
    assert after["user turns"].finished == after["user turns"].requests == 4 * 9
    assert after["controls"].finished == 0
    assert after["user turns"].gpu_hours == 0
    lengths = known.lengths(study, "fake", ASSUMED, here=True)
    assert lengths.measured
    assert known.prompts(study, "own", ASSUMED, here=True).basis == "artifact"
