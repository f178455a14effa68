"""What is fitted is the best there is, and never saw what it is tested on."""

import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from userturn.artifacts.labels import Label
from userturn.judges.calibration import fit
from userturn.judges.calibration.fit import Example, best_cut, best_least
from userturn.judges.likelihood.evidence import Evidence
from userturn.study.classify import LikelihoodThresholds

VALUES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=15)
THRESHOLDS = LikelihoodThresholds()


def balanced(threshold: float, higher: list[float], lower: list[float]) -> float:
    return sum(v >= threshold for v in higher) / len(higher) + sum(
        v < threshold for v in lower
    ) / len(lower)


@given(VALUES, VALUES)
def test_no_threshold_separates_better(higher, lower):
    found = best_cut(higher, lower, 0.0)
    values = sorted({*higher, *lower})
    middles = [(a + b) / 2 for a, b in pairwise(values)] or values
    best = max(balanced(middle, higher, lower) for middle in middles)
    assert balanced(found, higher, lower) == pytest.approx(best)


RANKED = st.lists(st.tuples(st.integers(0, 10).map(lambda n: n / 10), st.booleans()), max_size=25)


@given(RANKED, st.integers(0, 5), st.sampled_from([0.5, 0.9]))
@settings(max_examples=200)
def test_the_least_probability_keeps_its_precision_and_none_finds_more(ranked, missed, precision):
    chances = np.array([chance for chance, _ in ranked])
    truth = np.array([is_followup for _, is_followup in ranked], dtype=bool)
    wanted = int(truth.sum()) + missed
    found = best_least(chances, truth, wanted, precision)
    if not truth.any():
        assert found == 0.5
        return

    def of(least: float) -> tuple[float, float, float]:
        chosen = truth[chances >= least]
        hits = int(chosen.sum())
        share = hits / len(chosen) if len(chosen) else 0.0
        return share, hits / wanted, 2 * hits / (len(chosen) + wanted)

    rivals = [of(chance) for chance in chances]
    reached, recall, f1 = of(found)
    if any(share >= precision for share, _, _ in rivals):
        assert reached >= precision
        assert recall == max(r for share, r, _ in rivals if share >= precision)
    else:
        assert f1 == pytest.approx(max(merit for _, _, merit in rivals))


def examples(seed: int = 0, count: int = 300, signal: float = 1.0) -> list[Example]:
    """Turns that the rules leave open, whose relevance and role voice say what they are."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        is_followup = rng.random() < 0.3
        evidence = Evidence(
            text=rng.choice(("Why does that happen?", "What do whales eat in winter?")),
            end="eos",
            answer="Rain falls.",
            tokens=rng.randint(5, 20),
            grounding=rng.gauss(0.2, 0.2),
            role_voice=abs(rng.gauss(0.5, 0.2)),
            relevance=rng.gauss(12 * signal * is_followup, 5),
            restatement=rng.random() * 0.6,
            echo=rng.random() * 0.3,
            loop=0.0,
        )
        label = Label.FOLLOWUP if is_followup else Label.UNRELATED
        made.append(Example(label, evidence, number % 5))
    return made


def test_probabilities_are_those_of_the_library():
    made = examples()
    found = fit.fit(made, THRESHOLDS, 0.9, {})
    names = list(found.measures)
    table = np.array([[one.evidence.inputs()[name] for name in names] for one in made])
    scaled = (table - table.mean(axis=0)) / table.std(axis=0)
    pairs = [(i, j) for i in range(len(names)) for j in range(i, len(names))]
    pairs = [(i, j) for i, j in pairs if not (i == j and names[i] == "refers_back")]
    terms = np.column_stack([scaled, *(scaled[:, i] * scaled[:, j] for i, j in pairs)])
    library = LogisticRegression(
        C=fit.PENALTY, l1_ratio=1, solver="liblinear", intercept_scaling=10, max_iter=2000,
        random_state=0,
    ).fit(terms, [one.label is Label.FOLLOWUP for one in made])  # fmt: skip
    expected = library.predict_proba(terms)[:, 1]
    assert [found.probability(one.evidence) for one in made] == pytest.approx(expected, abs=2e-3)


def test_the_fit_finds_what_carries_the_signal_and_keeps_its_precision_on_new_turns():
    made = examples(count=600)
    found = fit.fit(made, THRESHOLDS, 0.8, {"sets": ["x"]})
    assert next(iter(found.weights)) == "relevance"
    assert found.origin == {"sets": ["x"], "turns": 600, "left_by_rules": 600, "followups": sum(
        one.label is Label.FOLLOWUP for one in made
    )}  # fmt: skip
    new = examples(seed=1, count=600)
    said = fit.judged(new, THRESHOLDS, found)
    chosen = [one.label for one, of in zip(new, said, strict=True) if of.label is Label.FOLLOWUP]
    assert chosen.count(Label.FOLLOWUP) / len(chosen) > 0.7
    assert len(chosen) > 60


def test_what_is_held_out_takes_no_part_in_its_own_label():
    made = examples()
    within = [one.group for one in made]
    before = fit.cross_fitted(made, within, THRESHOLDS, 0.9)
    turned = [
        replace(one, label=Label.UNRELATED if one.label is Label.FOLLOWUP else Label.FOLLOWUP)
        if one.group == 2
        else one
        for one in made
    ]
    after = fit.cross_fitted(turned, within, THRESHOLDS, 0.9)
    held = [number for number, group in enumerate(within) if group == 2]
    assert [before[number] for number in held] == [after[number] for number in held]
    assert before != after


def test_one_value_leaves_nothing_to_fit_on():
    made = examples(count=20)
    assert fit.cross_fitted(made, ["own"] * 20, THRESHOLDS, 0.9) == [None] * 20


def test_turns_of_one_kind_give_their_share_and_no_classifier():
    alike = [one for one in examples() if one.label is Label.UNRELATED][:18]
    found = fit.fit(alike, THRESHOLDS, 0.9, {})
    assert not found.weights
    assert found.probability(alike[0].evidence) == pytest.approx(1 / 20, rel=1e-3)
    assert fit.fit([], THRESHOLDS, 0.9, {}).probability(alike[0].evidence) == 0.5


def test_chance_alone_is_not_found():
    """Without a signal, what is labelled a follow-up is one no more often than by chance."""
    made = examples(signal=0.0, count=400)
    said = fit.cross_fitted(made, [one.group for one in made], THRESHOLDS, 0.9)
    chosen = [one.label for one, of in zip(made, said, strict=True) if of.label is Label.FOLLOWUP]
    share = chosen.count(Label.FOLLOWUP) / max(1, len(chosen))
    assert share < 0.5
