"""Likelihoods are computed once per context and target, and survive what generation survives."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from synthetic import fake_study
from userturn.base import paths
from userturn.base.errors import EngineError
from userturn.engines import watchdog
from userturn.engines.base import ScoreRequest
from userturn.engines.kinds.fake import FakeEngine
from userturn.measures.scorer import Scorer
from userturn.stages.weights import run as make_weights
from userturn.store.database import Store
from userturn.store.kinds import LIKELIHOODS
from userturn.study.study import Study

ROOT = Path(__file__).parents[2]
SLUG = "smollm2_135m"
REQUESTS = [
    ScoreRequest((1, 2, prompt), ((5, 6, 7), (8,)) if prompt % 2 else ((5, 6, 7),))
    for prompt in range(10, 60)
]
PAIRS = sum(len(request.targets) for request in REQUESTS)


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Contexts and targets that reach the engine, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    make_weights(fake_study(), SLUG)
    pairs: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    score = FakeEngine.score

    def counted(self, requests):
        for request, scores in zip(requests, score(self, requests), strict=True):
            pairs.extend((request.context, target) for target in request.targets)
            yield scores

    monkeypatch.setattr(FakeEngine, "score", counted)
    return pairs


def scores(study: Study, requests=tuple(REQUESTS)) -> list[list[list[float]]]:
    with Scorer(study, "ground@m") as scorer:
        return list(scorer.score(requests))


def stored() -> int:
    with Store(paths.completion_store(f"scores-{SLUG}"), LIKELIHOODS) as store:
        return len(store)


def test_a_run_that_broke_goes_on_and_gives_the_same_scores(asked, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("USERTURN_FAKE_FAIL_AT", "20")
        with pytest.raises(EngineError, match="breaks at request 20"):
            scores(fake_study())
    before = list(asked)
    assert stored() == len(before) > 0
    resumed = scores(fake_study())
    assert len(asked) == len(set(asked)) == PAIRS
    monkeypatch.setenv("USERTURN_STORE", "empty")
    assert scores(fake_study()) == resumed


def test_what_is_stored_needs_no_engine(asked, monkeypatch):
    first = scores(fake_study())
    monkeypatch.setattr(FakeEngine, "load", lambda _: pytest.fail("loaded for nothing"))
    assert scores(fake_study()) == first


def test_one_target_more_is_all_that_is_scored(asked):
    scores(fake_study())
    asked.clear()
    longer = [ScoreRequest(REQUESTS[0].context, (*REQUESTS[0].targets, (9,)))]
    (values,) = scores(fake_study(), longer)
    assert [len(target) for target in values] == [3, 1]
    assert asked == [(longer[0].context, (9,))]


def test_another_number_format_is_scored_anew(asked):
    scores(fake_study())
    asked.clear()
    scores(fake_study(dtype="bfloat16"))
    assert len(asked) == PAIRS


def test_out_of_memory_goes_on(asked, monkeypatch, caplog):
    expected = scores(fake_study())
    monkeypatch.setenv("USERTURN_STORE", "empty")
    monkeypatch.setenv("USERTURN_FAKE_MEMORY_AT", "20")
    assert scores(fake_study()) == expected
    assert "likelihoods are finished and stored; out of memory" in caplog.text
    assert "going on with" in caplog.text


HANG = """
import logging
from tests.measures.test_scorer import fake_study, scores

logging.basicConfig(format="%(message)s", level=logging.INFO)
scores(fake_study(hang_seconds=0.5))
"""


@pytest.mark.slow
def test_a_hung_scorer_ends_the_process_and_loses_nothing(asked, monkeypatch):
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        "USERTURN_FAKE_HANG_AT": "20",
    }
    done = subprocess.run(
        [sys.executable, "-c", HANG],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == watchdog.STATUS
    assert f"of {PAIRS} likelihoods are finished and stored, and then none" in done.stderr
    assert "Traceback" not in done.stderr
    kept = stored()
    assert kept >= 19
    scores(fake_study())
    assert len(asked) == PAIRS - kept
