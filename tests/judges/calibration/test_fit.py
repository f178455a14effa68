"""What is fitted is the library's, and never saw what it is tested on."""

import random
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier

from userturn.artifacts.labels import Label
from userturn.judges.calibration import fit
from userturn.judges.calibration.fit import Example
from userturn.judges.likelihood.evidence import Evidence

TEXTS = {
    Label.FOLLOWUP: ("Why does the salt rain fall?", 3.0),
    Label.ON_TOPIC: ("What do whales eat in winter?", 0.0),
    Label.UNRELATED: ("Name the tallest mountain of all.", 0.0),
}


def examples(seed: int = 0, count: int = 150, signal: float = 1.0) -> list[Example]:
    """Turns that the rules leave open, whose uptake says whether they are follow-ups."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        label = rng.choice(list(TEXTS))
        text, gain = TEXTS[label] if signal else TEXTS[Label.ON_TOPIC]
        pieces = text.split(" ")
        behind = {
            name: [
                rng.gauss(-3 + signal * gain * (name in ("own", "assistant")), 1) for _ in pieces
            ]
            for name in ("own", "neutral", "alone", "assistant")
        }
        evidence = Evidence(text, "eos", "What is rain?", "Rain falls.", (*pieces,), behind)
        sure = rng.random() < 0.6
        made.append(Example(label, evidence, number % 5, "ab"[number % 2], read=True, sure=sure))
    return made


@pytest.mark.parametrize("labels", [3, 2])
def test_probabilities_are_those_of_the_library(labels):
    kept = list(TEXTS)[:labels]
    made = [one for one in examples() if one.label in kept]
    calibration = fit.fit(made, {})
    names = list(made[0].inputs)
    table = np.array([[one.inputs[name] for name in names] for one in made], dtype=np.float32)
    library = GradientBoostingClassifier(**fit.SETTINGS).fit(
        table,
        [kept.index(one.label) for one in made],
        sample_weight=[1.0 if one.sure else 0.5 for one in made],
    )
    ours = [list(calibration.probabilities(one.inputs).values()) for one in made]
    assert np.array(ours) == pytest.approx(library.predict_proba(table), abs=1e-3)
    assert list(calibration.trees) == kept
    assert calibration.origin["turns"] == calibration.origin["left_by_rules"] == len(made)


def test_the_fit_finds_what_carries_the_signal_on_new_turns():
    calibration = fit.fit(examples(), {"sets": ["x"]})
    assert calibration.origin["sets"] == ["x"]
    said = [(one.label, one.judged(calibration).label) for one in examples(seed=1)]
    assert sum(known is given for known, given in said) / len(said) > 0.9


@pytest.mark.slow
def test_what_is_held_out_takes_no_part_in_its_own_label():
    made = examples()
    within = [one.fold for one in made]
    before = fit.cross_fitted(made, within)
    turned = [
        replace(one, label=Label.UNRELATED if one.label is Label.FOLLOWUP else Label.FOLLOWUP)
        if one.fold == 2
        else one
        for one in made
    ]
    after = fit.cross_fitted(turned, within)
    held = [number for number, group in enumerate(within) if group == 2]
    assert [before[number] for number in held] == [after[number] for number in held]
    assert before != after


def test_turns_made_by_rule_are_judged_and_never_fitted_on():
    made = examples()
    moved = [replace(one, label=Label.FOLLOWUP, read=False) for one in examples(seed=2, count=40)]
    alone, beside = fit.fit(made, {}), fit.fit([*made, *moved], {})
    assert alone == beside
    verdicts = fit.cross_fitted([*made, *moved], [one.source for one in (*made, *moved)])
    assert None not in verdicts


def test_one_value_leaves_nothing_to_fit_on():
    made = examples(count=20)
    assert fit.cross_fitted(made, ["own"] * 20) == [None] * 20
    bare = [replace(one, read=False) for one in made]
    assert fit.cross_fitted(bare, [one.fold for one in bare]) == [None] * 20


def test_turns_of_one_label_and_none_give_no_trees():
    alike = [one for one in examples() if one.label is Label.ON_TOPIC]
    for made in (alike, []):
        calibration = fit.fit(made, {})
        assert not any(calibration.trees.values())
        assert alike[0].judged(calibration).probability == 0


@pytest.mark.slow
def test_chance_alone_is_not_found():
    """Without a signal, what is labelled a follow-up is one no more often than by chance."""
    made = examples(signal=0.0, count=300)
    said = fit.cross_fitted(made, [one.fold for one in made])
    chosen = [one.label for one, of in zip(made, said, strict=True) if of.label is Label.FOLLOWUP]
    assert chosen.count(Label.FOLLOWUP) <= max(3, 0.6 * len(chosen))
