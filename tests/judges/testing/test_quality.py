"""What is said of a judge is what the libraries say, and its errors can be taken out again."""

import random

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score, precision_score, recall_score

from userturn.artifacts.labels import Label
from userturn.judges.testing.quality import Labelled, Settings

SETTINGS = Settings(confidence=0.95, resamples=500, seed=0, folds=5)


def by_chance(count: int, seed: int = 0) -> tuple[list[Label], list[str | None], list[str]]:
    """Labels of a judge that is right two times in three, some of them invalid."""
    rng = random.Random(seed)
    read = [rng.choice(list(Label)) for _ in range(count)]
    judged = [
        None
        if rng.random() < 0.1
        else label.value
        if rng.random() < 0.67
        else rng.choice(list(Label)).value
        for label in read
    ]
    return read, judged, [str(n // 3) for n in range(count)]


def test_every_number_is_that_of_the_library() -> None:
    read, judged, prompts = by_chance(240)
    pairs = Labelled(read, judged, prompts, SETTINGS)
    given = [label or "invalid" for label in judged]
    asked = {"labels": ["followup"], "average": "micro"}
    assert pairs.precision().value == pytest.approx(precision_score(read, given, **asked))
    assert pairs.recall().value == pytest.approx(recall_score(read, given, **asked))
    f1 = f1_score(read, given, labels=sorted(set(read)), average="macro", zero_division=0)
    assert pairs.macro_f1().value == pytest.approx(f1)
    valid = [(a.value, b) for a, b in zip(read, judged, strict=True) if b]
    assert pairs.kappa().value == pytest.approx(cohen_kappa_score(*zip(*valid, strict=True)))
    binary = [(a == "followup", b == "followup") for a, b in valid]
    expected = cohen_kappa_score(*zip(*binary, strict=True))
    assert pairs.kappa_followup().value == pytest.approx(expected)
    assert pairs.agreement().value == pytest.approx(np.mean([a == b for a, b in valid]))
    for bounded in (pairs.precision(), pairs.recall(), pairs.kappa(), pairs.macro_f1()):
        assert bounded.low < bounded.value < bounded.high
    counts = pairs.confusion
    assert sum(n for row in counts.values() for n in row.values()) == 240
    assert sum(row.get("invalid", 0) for row in counts.values()) == judged.count(None)


def test_a_judge_that_is_always_right_or_never_asked_has_its_doubts_stated() -> None:
    read, _, prompts = by_chance(60)
    right = Labelled(read, [label.value for label in read], prompts, SETTINGS)
    assert right.precision().value == right.recall().value == right.kappa().value == 1
    assert right.precision().low < 1  # as few prompts as there are do not prove it
    silent = Labelled(read, [None] * 60, prompts, SETTINGS)
    assert silent.precision().value is silent.kappa().value is silent.agreement().value is None
    assert silent.recall().value == silent.macro_f1().value == 0


def test_the_adjusted_rate_is_the_read_one_where_the_judge_errs_alike_everywhere() -> None:
    rng = random.Random(1)
    group = [n % 2 for n in range(4000)]
    read = [Label.FOLLOWUP if rng.random() < (0.1, 0.2)[g] else Label.ON_TOPIC for g in group]
    called = [rng.random() < (0.7 if label is Label.FOLLOWUP else 0.2) for label in read]
    judged = ["followup" if one else "on_topic" for one in called]
    pairs = Labelled(read, judged, [n // 2 for n in range(4000)], SETTINGS)
    for which in (0, 1):
        rates = pairs.rates(np.array(group) == which)
        assert rates["judged"].value > rates["read"].value + 0.05
        assert rates["adjusted"].value == pytest.approx(rates["read"].value, abs=0.04)
        assert rates["adjusted"].low < rates["read"].value < rates["adjusted"].high


def test_a_judge_no_better_than_chance_has_no_adjusted_rate() -> None:
    read, _, prompts = by_chance(90)
    pairs = Labelled(read, ["followup"] * 90, prompts, SETTINGS)
    rates = pairs.rates(np.ones(90, dtype=bool))
    assert rates["judged"].value == 1
    assert rates["adjusted"].value is None
