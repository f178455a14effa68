"""Would a classifier over the measures find follow-ups better than the rules do?

    python benchmarks/classifier.py [data/calibration/turns.parquet]

Reads the reference turns of a finished calibration. What the rules on the text and role voice leave
open is ranked by relevance alone, as the likelihood judge does, and by classifiers over the
measures, which are fitted on other conversations, and then on other sets. Prints the precision at a
recall of 0.6 of all follow-ups, and the recall at a precision of 0.9.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from userturn import artifacts, paths
from userturn.judges.likelihood import MEASURES, Evidence, judge
from userturn.params import load_study

RECALL, PRECISION = 0.6, 0.9


def logistic() -> Any:
    """All measures, their squares and products."""
    return make_pipeline(
        StandardScaler(),
        PolynomialFeatures(2),
        StandardScaler(),
        LogisticRegression(C=0.1, max_iter=5000),
    )


def boosting() -> Any:
    """Small trees; what a model that nobody can read would reach."""
    return HistGradientBoostingClassifier(max_depth=3, max_iter=100, random_state=0)


def features(row: dict[str, Any]) -> list[float]:
    """Measures of one turn, those in nats per token too, and its length."""
    size = row["tokens"]
    return [
        row["relevance"],
        row["relevance"] / size,
        row["grounding"],
        row["role_voice"],
        row["restatement"] or 0,
        row["echo"] or 0,
        row["log_p"] / size,
        float(np.log(size)),
    ]


def operating_points(scores: Any, truth: Any, wanted: int) -> str:
    """Precision at RECALL and recall at PRECISION; what the text rules lost counts as lost."""
    hits = np.cumsum(truth[np.argsort(-scores, kind="stable")])
    precision = hits / np.arange(1, len(hits) + 1)
    there = hits >= RECALL * wanted
    at_recall = f"{precision[there].max():.2f}" if there.any() else "never"
    reached = hits[precision >= PRECISION]
    at_precision = reached.max() / wanted if reached.size else 0.0
    return f"{at_recall} | {at_precision:.2f}"


def held_out(model: Callable[[], Any], x: Any, truth: Any, groups: Any) -> Any:
    """Scores of every turn by a model that was fitted without its group."""
    scores = np.zeros(len(truth))
    for group in np.unique(groups):
        inside = groups == group
        fitted = model().fit(x[~inside], truth[~inside])
        scores[inside] = fitted.decision_function(x[inside])
    return scores


def main() -> None:
    """Print one line per ranking."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else paths.REFERENCE_TURNS
    rows = artifacts.read(path, "reference").to_dicts()
    open_ended = {"relevance": -np.inf, "grounding": -np.inf}
    thresholds = load_study().classify.likelihood.model_copy(update=open_ended)
    wanted = sum(row["label"] == "followup" for row in rows)
    left = [
        row
        for row in rows
        if row["relevance"] is not None
        and judge(
            Evidence(row["turn"], "eos", row["answer"], *(row[name] for name in MEASURES)),
            thresholds,
        )[0]
        == "followup"
    ]
    frame = pl.DataFrame(left)
    truth = (frame["label"] == "followup").to_numpy()
    x = np.array([features(row) for row in left])
    print(f"{len(rows)} turns, {wanted} follow-ups; left open: {len(left)}, {truth.sum()}")
    print(f"ranking | precision at recall {RECALL} | recall at precision {PRECISION}")
    print(f"relevance alone | {operating_points(x[:, 0], truth, wanted)}")
    for name, model in (("quadratic logistic", logistic), ("boosted trees", boosting)):
        for held, column in (("conversations", "fold"), ("sets", "set")):
            scores = held_out(model, x, truth, frame[column].to_numpy())
            print(f"{name}, other {held} | {operating_points(scores, truth, wanted)}")


if __name__ == "__main__":
    main()
