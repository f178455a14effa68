"""Scores are computed once, kept as one per prompt, and never mixed with others."""

import pytest

from synthetic import fake_study
from userturn.base.errors import EngineError
from userturn.engines.base import ScoreRequest
from userturn.engines.fake import FakeEngine
from userturn.measures.scorer import Scorer
from userturn.stages.weights import run as make_weights
from userturn.study.study import Study

SLUG = "smollm2_135m"
PROMPTS = [
    [
        ScoreRequest((1, 2, prompt), ((5, 6, 7), (8,))),
        ScoreRequest((1, 2, prompt, 3), ((5, 6, 7),)),
    ]
    for prompt in range(10, 16)
]


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Contexts that reach the engine, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    make_weights(fake_study(), SLUG)
    contexts: list[tuple[int, ...]] = []
    score = FakeEngine.score

    def counted(self, requests):
        contexts.extend(request.context for request in requests)
        return score(self, requests)

    monkeypatch.setattr(FakeEngine, "score", counted)
    return contexts


def scores(study: Study) -> list[list[list[list[float]]]]:
    with Scorer(study, "ground@m") as scorer:
        return [list(scorer.score(requests)) for requests in PROMPTS]


def test_a_run_that_broke_goes_on_and_gives_the_same_scores(asked, monkeypatch):
    def breaks(self, requests):
        if requests == PROMPTS[4]:
            raise EngineError("out of memory")
        return whole(self, requests)

    whole = FakeEngine.score
    with monkeypatch.context() as patch:
        patch.setattr(FakeEngine, "score", breaks)
        with pytest.raises(EngineError, match="out of memory"):
            scores(fake_study())
    before = list(asked)
    resumed = scores(fake_study())
    assert sorted(asked) == sorted(request.context for prompt in PROMPTS for request in prompt)
    assert set(asked[len(before) :]).isdisjoint(before)
    monkeypatch.setenv("USERTURN_STORE", "empty")
    assert scores(fake_study()) == resumed


def test_what_is_stored_needs_no_engine(asked, monkeypatch):
    first = scores(fake_study())
    monkeypatch.setattr(FakeEngine, "load", lambda _: pytest.fail("loaded for nothing"))
    assert scores(fake_study()) == first


def test_another_number_format_or_other_targets_are_scored_anew(asked):
    scores(fake_study())
    asked.clear()
    scores(fake_study(dtype="bfloat16"))
    assert len(asked) == 2 * len(PROMPTS)
    asked.clear()
    with Scorer(fake_study(), "ground@m") as scorer:
        longer = [ScoreRequest(PROMPTS[0][0].context, ((5, 6, 7), (8,), (9,)))]
        (found,) = scorer.score(longer)
    assert [len(target) for target in found] == [3, 1, 1]
    assert asked == [longer[0].context]
