"""What the likelihood judge is worth: measures and labels against what reference turns are.

Takes rows of kind `reference` and writes tables (columns.py) and `report.json`. Intervals of
shares are Wilson's; those of AUC and macro-F1 resample whole conversations, because all turns made
of one share its query and answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from userturn.artifacts import csv_file
from userturn.artifacts.csv_file import Row
from userturn.artifacts.labels import Label
from userturn.base import files
from userturn.judges.calibration import columns
from userturn.judges.likelihood import calibration
from userturn.stats import intervals, ranking
from userturn.study.classify import FITTED_CALIBRATION
from userturn.study.study import Study

if TYPE_CHECKING:
    import polars as pl

ALL = "all"
SHORT = "short"
"""Follow-ups of fewer than SHORT_WORDS words, of all sets."""
SHORT_WORDS = 9
CALIBRATIONS = ("given", "fitted", "elsewhere")
"""Labels by the judge of the study, by one fitted on the other folds, by one on the other sets."""
RECALL = 0.6
"""Of all follow-ups: where the precision of the ranking by probability is reported."""
COMPARED = ("grounding", "relevance", "word_overlap")
"""Columns of kind `reference` whose AUC is reported."""
HARDEST = "moved"
RESAMPLES = 500
"""Of conversations; each computes an AUC or F1 anew."""


def write(turns: pl.DataFrame, study: Study, folder: Path) -> None:
    """Write every table and the summary.

    Args:
        turns: Rows of kind `reference`.
        study: Gives confidence, resamples and seed.
        folder: Where the files go.
    """
    judges = [name for name in CALIBRATIONS if turns[name].is_not_null().any()]
    auc = list(auc_rows(turns, study))
    labels = [row for name in judges for row in label_rows(turns, name, study)]
    kinds = [row for name in judges for row in kind_rows(turns, name, study)]
    confusion = [row for name in judges for row in confusion_rows(turns, name)]
    csv_file.write(folder / "auc.csv", columns.AUC, auc)
    csv_file.write(folder / "precision_recall.csv", columns.PRECISION_RECALL, labels)
    csv_file.write(folder / "kinds.csv", columns.KINDS, kinds)
    csv_file.write(folder / "confusion.csv", columns.CONFUSION, confusion)
    summary = {
        "sets": {str(name): len(part) for (name,), part in _per_set(turns)},
        "given_was_fitted_on": _seen(study),
        "auc": {row["measure"]: _some(row, "auc") for row in auc if row["set"] == ALL},
        **{name: _summary(turns, name, labels, study) for name in judges},
    }
    files.write_text(folder / "report.json", json.dumps(summary, indent=2) + "\n")


def _seen(study: Study) -> list[str]:
    """Sets of the study on whose turns the judge of the study was fitted: of these it knows more.

    A judge that is fitted here labels every turn by a fit without its conversation.
    """
    if study.classify.likelihood.calibration == FITTED_CALIBRATION:
        return []
    fitted_on = calibration.of_study(study).origin.get("sets", [])
    return [name for name in study.calibrate.sets if name in fitted_on]


def auc_rows(turns: pl.DataFrame, study: Study) -> Iterator[Row]:
    """AUC of each measure: real follow-ups against turns moved within their set."""
    import numpy as np
    import polars as pl

    real = pl.col("kind").eq("true") & pl.col("label").eq(Label.FOLLOWUP)
    chosen = turns.filter(real | pl.col("kind").eq(HARDEST)).drop_nulls(COMPARED)
    followup_sets = chosen.filter(real)["set"].unique()
    chosen = chosen.filter(pl.col("set").is_in(followup_sets.to_list()))
    for name, part in _with_all(chosen):
        truth = part.select(real).to_series().to_numpy()
        if truth.all() or not truth.any():
            continue
        for measure in COMPARED:
            values = part[measure].to_numpy()

            def auc(
                places: Any, values: Any = values, truth: Any = truth
            ) -> float:  # bound now: the loop goes on
                return ranking.auc(values[places], truth[places])

            yield {
                "set": name,
                "followups": int(truth.sum()),
                "moved": int((~truth).sum()),
                "measure": measure,
                "auc": auc(np.arange(len(truth))),
                **_resampled(part, auc, study),
            }


def label_rows(turns: pl.DataFrame, judge: str, study: Study) -> Iterator[Row]:
    """Precision, recall and F1 of every label, per set, over all sets, and for short follow-ups."""
    import polars as pl

    confidence = study.statistics.confidence
    for name, part in _with_all(turns):
        for label in Label:
            known, given = pl.col("label").eq(label), pl.col(judge).eq(label).fill_null(False)
            hits = part.filter(known & given).height
            is_label, gets_label = part.filter(known).height, part.filter(given).height
            if is_label or gets_label:
                yield {
                    "calibration": judge,
                    "set": name,
                    "label": str(label),
                    "turns": is_label,
                    **_share("precision", hits, gets_label, confidence),
                    **_share("recall", hits, is_label, confidence),
                    "f1": 2 * hits / (is_label + gets_label),
                    "confidence": confidence,
                }
    few = turns.with_columns(words=pl.col("turn").str.split(" ").list.len())
    few = few.filter(pl.col("label").eq(Label.FOLLOWUP), pl.col("words") < SHORT_WORDS)
    hits = few.filter(pl.col(judge).eq(Label.FOLLOWUP)).height
    yield {
        "calibration": judge,
        "set": SHORT,
        "label": str(Label.FOLLOWUP),
        "turns": few.height,
        **_share("precision", 0, 0, confidence),
        **_share("recall", hits, few.height, confidence),
        "f1": None,
        "confidence": confidence,
    }


def confusion_rows(turns: pl.DataFrame, judge: str) -> Iterator[Row]:
    """How often each kind of turn got each label, per set."""
    import polars as pl

    key = ["set", "kind", "label", judge]
    counted = turns.group_by(key).agg(pl.len().alias("count")).sort(key, nulls_last=True)
    for row in counted.iter_rows(named=True):
        given = row.pop(judge) or "no label"
        yield {**row, "calibration": judge, "given": given}


def kind_rows(turns: pl.DataFrame, judge: str, study: Study) -> Iterator[Row]:
    """Share labelled `followup` of each kind of turn: high for `true`, near zero for the rest."""
    import polars as pl

    shifts = pl.when(pl.col("kind").eq("true") & pl.col("label").ne(Label.FOLLOWUP))
    kinds = turns.with_columns(kind=shifts.then(pl.lit("topic shift")).otherwise(pl.col("kind")))
    for (kind,), part in sorted(kinds.group_by("kind")):
        hits = part.filter(pl.col(judge).eq(Label.FOLLOWUP)).height
        share = _share("followup", hits, part.height, study.statistics.confidence)
        yield {
            "calibration": judge,
            "kind": kind,
            "turns": part.height,
            "followup": share["followup"],
            "low": share["followup_low"],
            "high": share["followup_high"],
            "confidence": study.statistics.confidence,
        }


def _summary(turns: pl.DataFrame, judge: str, labels: list[Row], study: Study) -> Row:
    """Macro-F1 with its interval, and precision and recall of follow-ups.

    `at_recall` is the precision with which the turns likeliest to be follow-ups hold RECALL of all
    follow-ups, whatever the least probability; null where they never do.
    """
    import numpy as np
    import polars as pl

    present = sorted(set(turns["label"]))
    code = {label: number for number, label in enumerate(present)}
    other = len(present)  # a label that no turn has by construction, or none
    known = np.array([code[label] for label in turns["label"]])
    given = np.array([code.get(label, other) for label in turns[judge]])

    def macro(places: Any) -> float:
        pairs = known[places] * (other + 1) + given[places]
        counts = np.bincount(pairs, minlength=other * (other + 1)).reshape(other, other + 1)
        hits = np.diag(counts)
        f1 = 2 * hits / np.maximum(counts.sum(1) + counts[:, :other].sum(0), 1)
        return float(f1.mean())

    rows = {row["set"]: row for row in labels if _is_followup(row, judge)}
    followup = _some(rows[ALL], "precision", "recall", "turns") if ALL in rows else None
    # A turn that a rule called a follow-up stands in front of all others.
    chance = pl.when(pl.col(judge).eq(Label.FOLLOWUP)).then(1.0).otherwise(-1.0)
    scores = turns.select(pl.coalesce(f"{judge}_probability", chance)).to_series().to_numpy()
    truth = turns["label"].eq(Label.FOLLOWUP).to_numpy()

    def at_recall(places: Any) -> float:
        return ranking.precision_at(scores[places], truth[places], RECALL)

    everything = np.arange(len(known))
    at = at_recall(everything)
    ranked = {"value": at, **_resampled(turns, at_recall, study)} if not np.isnan(at) else None
    return {
        "macro_f1": {"value": macro(everything), **_resampled(turns, macro, study)},
        "at_recall": ranked and {"recall": RECALL, **ranked},
        "followup": followup,
        "short_followups": _some(rows[SHORT], "recall", "turns"),
    }


def _is_followup(row: Row, judge: str) -> bool:
    return bool(row["calibration"] == judge and row["label"] == Label.FOLLOWUP)


def _resampled(part: pl.DataFrame, statistic: Callable[[Any], float], study: Study) -> Row:
    """Percentile interval over resampled conversations."""
    conversations = part.select("set", "item").with_row_index()
    members = [group["index"].to_numpy() for _, group in conversations.group_by("set", "item")]
    members.sort(key=lambda places: int(places[0]))
    confidence = study.statistics.confidence
    low, high = ranking.resampled(members, statistic, confidence, RESAMPLES, study.seed)
    return {"low": low, "high": high, "confidence": confidence}


def _share(name: str, hits: int, of: int, confidence: float) -> Row:
    share = intervals.greedy_rate(hits, of, confidence)
    return {name: share.estimate, f"{name}_low": share.low, f"{name}_high": share.high}


def _with_all(turns: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    for (name,), part in _per_set(turns):
        yield str(name), part
    yield ALL, turns


def _per_set(turns: pl.DataFrame) -> list[tuple[tuple[Any, ...], pl.DataFrame]]:
    return sorted(turns.group_by("set"), key=lambda part: str(part[0]))


def _some(row: Row, *names: str) -> Row:
    """Some values of a row with their bounds."""
    bounds = [f"{name}_{side}" for name in names for side in ("low", "high")]
    kept = (*names, *bounds, "low", "high")
    return {name: row[name] for name in kept if name in row}
