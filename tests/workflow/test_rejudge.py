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
