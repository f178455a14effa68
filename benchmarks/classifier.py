"""Does the judge's classifier find follow-ups better than a threshold does, or worse than trees?

    python benchmarks/classifier.py [data/calibration/turns.parquet]

Reads the reference turns of a finished calibration. What the rules leave open is ranked by
relevance alone, by the judge's classifier, by the same with other penalties, and by boosted trees
over the same measures, which nobody can read. All are fitted on other conversations, and then on
other sets. Prints the precision at a recall of 0.6 of all follow-ups, and the recall at a precision
of 0.9.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from userturn.artifacts import files
from userturn.artifacts.labels import Label
from userturn.base import paths
from userturn.judges.calibration import fit
from userturn.judges.calibration.fit import Example
from userturn.judges.calibration.quality import RECALL
from userturn.judges.likelihood import rules as likelihood
from userturn.judges.likelihood.calibration import SHIPPED, read
from userturn.judges.likelihood.evidence import Evidence
from userturn.stats.ranking import precision_at
from userturn.study.loading import load_study

PRECISION = 0.9
Scorer = Callable[[Sequence[Example], Sequence[Example]], Any]
"""Scores of turns, by what is fitted on others."""


def relevance(_: Sequence[Example], inside: Sequence[Example]) -> Any:
    """Nothing is fitted."""
    return np.array([one.evidence.relevance for one in inside])


def judge(
    outside: Sequence[Example], inside: Sequence[Example], penalty: float = fit.PENALTY
) -> Any:
    """The classifier of the likelihood judge."""
    fitted = fit.classifier(outside, role_voice=0.0, penalty=penalty)
    return np.array([fitted.probability(one.evidence) for one in inside])


def boosting(outside: Sequence[Example], inside: Sequence[Example]) -> Any:
    """Small trees over what the classifier weighs."""
    rows = [[*one.evidence.inputs().values()] for one in (*outside, *inside)]
    truth = [one.label is Label.FOLLOWUP for one in outside]
    model = HistGradientBoostingClassifier(max_depth=3, max_iter=100, random_state=0)
    model.fit(rows[: len(outside)], truth)
    return model.decision_function(rows[len(outside) :])


def held_out(scorer: Scorer, examples: Sequence[Example], groups: Sequence[Any]) -> Any:
    """Scores of every turn by what was fitted without its group."""
    scores = np.zeros(len(examples))
    for group in set(groups):
        mask = np.array([other == group for other in groups])
        outside = [one for one, inside in zip(examples, mask, strict=True) if not inside]
        inside = [one for one, inside in zip(examples, mask, strict=True) if inside]
        scores[mask] = scorer(outside, inside)
    return scores


def operating_points(scores: Any, truth: Any, wanted: int) -> str:
    """Precision at RECALL and recall at PRECISION; follow-ups that the rules lost count as lost."""
    lost = wanted - int(truth.sum())
    scores = scores - scores.min()  # precision_at chooses nothing below zero
    share = precision_at(np.append(scores, [-1.0] * lost), np.append(truth, [True] * lost), RECALL)
    hits = np.cumsum(truth[np.argsort(-scores, kind="stable")])
    reached = hits[hits / np.arange(1, len(hits) + 1) >= PRECISION]
    return f"{share:.3f} | {reached.max() / wanted if reached.size else 0:.3f}"


def main() -> None:
    """Print one line per ranking."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else paths.REFERENCE_TURNS
    rows = files.read(path, "reference").to_dicts()
    thresholds = load_study().classify.likelihood
    role_voice = read(SHIPPED).role_voice
    examples, sets = [], []
    for row in rows:
        end = "eos" if row["turn"] else "empty"
        evidence = Evidence.of(row["turn"], end, row["answer"], row)
        if likelihood.rules(evidence, thresholds, role_voice) is None:
            examples.append(Example(Label(row["label"]), evidence, row["fold"]))
            sets.append(row["set"])
    truth = np.array([one.label is Label.FOLLOWUP for one in examples])
    wanted = sum(row["label"] == Label.FOLLOWUP for row in rows)
    print(f"{len(rows)} turns, {wanted} follow-ups; left open: {len(examples)}, {truth.sum()}")
    print(f"ranking | precision at recall {RECALL} | recall at precision {PRECISION}")
    print(f"relevance alone | {operating_points(relevance([], examples), truth, wanted)}")
    folds = [one.group for one in examples]
    rankings: dict[str, Scorer] = {"the judge": judge, "boosted trees": boosting}
    for penalty in (0.05, 0.2, 0.5):
        rankings[f"the judge with penalty 1/{penalty}"] = partial(judge, penalty=penalty)
    for held, groups in (("conversations", folds), ("sets", sets)):
        for name, scorer in rankings.items() if len(set(groups)) > 1 else ():
            scores = held_out(scorer, examples, groups)
            print(f"{name}, other {held} | {operating_points(scores, truth, wanted)}")


if __name__ == "__main__":
    main()
