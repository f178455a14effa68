"""Another judge, or another rubric, costs labels alone: no generation, and new rows only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from judge_server import JudgeServer, serve
from userturn.artifacts import files, provenance
from userturn.study.classify import FITTED_CALIBRATION

from .conftest import Clone

pytestmark = pytest.mark.slow

AFTERWARDS = {"entries", "classify@alpha", "tables", "figures", "report"}


@pytest.fixture
def server(pulled: Clone) -> Iterator[JudgeServer]:
    with serve() as server:
        pulled.env["JUDGE_URL"] = server.url
        yield server


def add_judge(params: dict[str, Any]) -> None:
    address = {"base_url": "${JUDGE_URL}", "key_env": None}
    params["judge"] = {"remote": {"type": "server", "model": "m", **address, "rubric": "v1"}}
    params["classify"]["judges"].append("remote")


def labels(clone: Clone) -> dict[str, int]:
    """Rows with a label, by judge."""
    frame = files.read(clone.path / "data/labels/alpha.parquet", "labels")
    return dict(frame.drop_nulls("label").group_by("judge").len().iter_rows())


def test_judging_again_runs_classify_and_sends_new_rows_only(
    pulled: Clone, server: JudgeServer
) -> None:
    before = labels(pulled)
    pulled.edit(add_judge)
    assert pulled.snakemake("-n").scheduled == AFTERWARDS
    run = pulled.snakemake()
    assert run.status == 0, run.text
    assert run.executed == AFTERWARDS
    first = labels(pulled)
    assert first["likelihood"] == before["likelihood"]
    assert first["remote"] > 0
    asked = len(server.prompts)
    assert asked == len(set(server.prompts)) > 0
    rates = (pulled.path / "reports/tables/rates.csv").read_text()
    assert "\nremote,false,alpha," in rates
    assert "\nlikelihood,true,alpha," in rates

    # How it is asked reaches no label.
    pulled.edit(lambda params: params["judge"]["remote"].update(concurrency=2))
    assert pulled.dvc("repro").executed == {"entries"}

    # A colleague without this store: replies come back from DVC's cache and are not paid for again.
    pulled.env["USERTURN_STORE"] = str(pulled.path.parent / "empty")
    assert pulled.dvc("repro", "--force", "--single-item", "classify@alpha").status == 0
    assert len(server.prompts) == asked

    # Another version of the rubric asks about every turn again, and generates nothing.
    rubrics = pulled.path / "src/userturn/judges/llm/rubrics"
    (rubrics / "v3.txt").write_text((rubrics / "v1.txt").read_text() + "Be strict.\n")
    pulled.edit(lambda params: params["judge"]["remote"].update(rubric="v3"))
    run = pulled.dvc("repro")
    assert run.status == 0, run.text
    assert "classify@alpha" in run.executed <= AFTERWARDS
    again = server.prompts[asked:]
    assert again
    assert all("Be strict." in prompt for prompt in again)
    pulled.assert_clean()


def add_optional_judge(params: dict[str, Any]) -> None:
    add_judge(params)
    params["judge"]["remote"] |= {"optional": True, "key_env": "JUDGE_KEY"}


def test_an_optional_judge_is_asked_once_its_key_is_set_and_stays_so(
    pulled: Clone, server: JudgeServer
) -> None:
    pulled.edit(add_optional_judge)
    run = pulled.snakemake()
    assert run.status == 0, run.text
    said = "classify@alpha: the judge 'remote' is not asked, for JUDGE_KEY was set nowhere"
    assert said in run.text
    page = (pulled.path / "reports/index.html").read_text()
    assert "<i>remote</i> of this study was not asked: JUDGE_KEY was set nowhere" in page
    assert "remote" not in labels(pulled)
    assert not server.prompts
    assert "all whole" in pulled.userturn("verify").text

    pulled.env["JUDGE_KEY"] = "sk-test"
    run = pulled.snakemake()
    assert run.executed == AFTERWARDS, run.text
    assert labels(pulled)["remote"] > 0
    pairs = (pulled.path / "reports/tables/agreement.csv").read_text()
    assert "\nlikelihood,remote," in pairs
    assert "was not asked" not in (pulled.path / "reports/index.html").read_text()

    # A machine without the key keeps the labels, and a clone of it does too.
    del pulled.env["JUDGE_KEY"]
    pulled.assert_clean()
    assert pulled.dvc("push").status == 0
    pulled.git("add", "--all")
    pulled.git("commit", "--quiet", "--message=Judged")
    other = Clone(pulled.path.parent / "other", dict(pulled.env))
    pulled.git("clone", "--quiet", str(pulled.path), str(other.path))
    assert other.dvc("pull").status == 0
    dry = other.snakemake("-n")
    assert dry.scheduled == set(), dry.text


def test_a_study_can_use_the_judge_that_its_own_calibration_fits(pulled: Clone) -> None:
    """The shipped judge was fitted on another scorer's likelihoods; every label says so."""
    path = pulled.path / "data/labels/alpha.parquet"
    assert not provenance.read(path)["judges"]["likelihood"]["fits_scorer"]
    pulled.edit(
        lambda params: params["classify"]["likelihood"].update(calibration=FITTED_CALIBRATION)
    )
    run = pulled.snakemake()
    assert run.status == 0, run.text
    assert run.executed == {"calibrate", *AFTERWARDS} - {"entries"}
    assert provenance.read(path)["judges"]["likelihood"]["fits_scorer"]
    pulled.assert_clean()
