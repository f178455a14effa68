"""What the likelihood judge is worth: measures and labels against what reference turns are.

Takes rows of kind `reference` and writes tables (columns.py) and `report.json`. Precision, recall
and agreement are of turns with labels by reading; of turns made by rule, each kind stands apart.
Intervals resample whole prompts, because the turns of one share its query, and mostly its answer.
Where all are right, or none, resampling knows no doubt: there they are Clopper and Pearson's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from userturn.artifacts import csv_file
from userturn.artifacts.csv_file import Row
from userturn.artifacts.labels import Label
from userturn.base import files
from userturn.judges.calibration import columns
from userturn.judges.calibration.reference import READ
from userturn.judges.likelihood import calibration
from userturn.stats import confusion, intervals, ranking
from userturn.study.classify import FITTED_CALIBRATION
from userturn.study.study import Study

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Counts = NDArray[np.float64]

WHOLES = {"written": "gold", "real": "read"}
"""How tables call all turns that models wrote, and all real ones; by kind."""
CALIBRATIONS = ("given", "fitted", "elsewhere")
"""Labels by the judge of the study, by one fitted on the other folds, by one on the other sets."""
RECALL = 0.6
"""Of all follow-ups: where the precision of the ranking by probability is reported."""
COMPARED = ("uptake", "relevance", "role_voice", "restatement", "echo", "loop")
"""Columns of kind `reference` whose AUC is reported."""
RESAMPLES = 500
"""Of prompts, for statistics that each resample computes anew."""
LABELS = tuple(Label)
FOLLOWUP = LABELS.index(Label.FOLLOWUP)


def write(turns: pl.DataFrame, study: Study, folder: Path) -> None:
    """Write every table and the summary.

    Args:
        turns: Rows of kind `reference`.
        study: Gives confidence, resamples and seed.
        folder: Where the files go.
    """
    import polars as pl

    judges = [name for name in CALIBRATIONS if turns[name].is_not_null().any()]
    read = turns.filter(pl.col("kind").is_in(READ))
    auc = list(auc_rows(read, study))
    labels = [row for name in judges for row in label_rows(read, name, study)]
    kinds = [row for name in judges for row in kind_rows(turns, name, study)]
    counts = [row for name in judges for row in confusion_rows(turns, name)]
    csv_file.write(folder / "auc.csv", columns.AUC, auc)
    csv_file.write(folder / "precision_recall.csv", columns.PRECISION_RECALL, labels)
    csv_file.write(folder / "kinds.csv", columns.KINDS, kinds)
    csv_file.write(folder / "confusion.csv", columns.CONFUSION, counts)
    summary = {
        "sets": {name: len(part) for name, part in _per_set(turns)},
        "given_was_fitted_on": _seen(study),
        "held_out": held_out(study),
        "auc": {
            name: {row["measure"]: row["auc"] for row in auc if row["set"] == name}
            for name in WHOLES
        },
        **{name: _summary(read, name, study) for name in judges},
    }
    files.write_text(folder / "report.json", json.dumps(summary, indent=2) + "\n")


def _seen(study: Study) -> list[str]:
    """Sets of the study on whose turns the judge of the study was fitted: of these it knows more.

    A judge that is fitted here labels every turn by a fit without its prompt.
    """
    if study.classify.likelihood.calibration == FITTED_CALIBRATION:
        return []
    names = calibration.of_study(study).origin.get("sets", [])
    known = [study.reference[name].turns for name in names if name in study.reference]
    fitted_on = [*filter(None, known)]
    return [name for name in study.calibrate.sets if study.reference[name].turns in fitted_on]


def held_out(study: Study) -> Row:
    """How well the judge of the study finds follow-ups, by fits without each turn's prompt.

    Of turns that models wrote, and of real ones: what its file says of the turns it was fitted on.
    """
    summary = {}
    turns = calibration.of_study(study).held_out
    for name, part in (
        ("written", [one for one in turns if one.condition is not None]),
        ("real", [one for one in turns if one.condition is None]),
    ):
        if part:
            known, given = (
                [getattr(one, kind) for one in part] for kind in ("followup", "labelled")
            )
            prompts = [(one.set, one.prompt) for one in part]
            told = Told(confusion.tables(known, given, prompts, [True, False]), study)
            summary[name] = {
                "turns": len(part),
                **told.of_label(0),
                "read_rate": sum(known) / len(part),
                "judged_rate": sum(given) / len(part),
            }
    return summary


def auc_rows(read: pl.DataFrame, study: Study) -> Iterator[Row]:
    """AUC of each measure alone: follow-ups against all other turns."""
    import numpy as np
    import polars as pl

    for name, part in _with_all(read):
        for measure in COMPARED:
            scored = part.filter(pl.col(measure).is_not_null())
            truth = scored["label"].eq(Label.FOLLOWUP).to_numpy()
            if truth.all() or not truth.any():
                continue
            values = scored[measure].to_numpy()

            def auc(
                places: Any, values: Any = values, truth: Any = truth
            ) -> float:  # bound now: the loop goes on
                return ranking.auc(values[places], truth[places])

            yield {
                "set": name,
                "measure": measure,
                "turns": len(truth),
                "followups": int(truth.sum()),
                "auc": auc(np.arange(len(truth))),
                **_resampled(scored, auc, study),
            }


def label_rows(read: pl.DataFrame, judge: str, study: Study) -> Iterator[Row]:
    """Precision, recall and F1 of every label: per set, and of both wholes."""
    for name, part in _with_all(read):
        told = Told.of(part, judge, study)
        for place, label in enumerate(LABELS):
            if told.total[place].any() or told.total[:, place].any():
                yield {
                    "calibration": judge,
                    "set": name,
                    "label": str(label),
                    "turns": int(told.total[place].sum()),
                    **told.of_label(place),
                    "confidence": study.statistics.confidence,
                }


@dataclass(frozen=True)
class Told:
    """Known and given labels of some turns, as contingency tables.

    Attributes:
        of_prompts: A table per prompt, see stats/confusion.py.
        study: Gives confidence, resamples and seed.
    """

    of_prompts: Counts
    study: Study

    @classmethod
    def of(cls, turns: pl.DataFrame, judge: str, study: Study) -> Told:
        """Labels of rows of kind `reference` by one judge."""
        given = [label and Label(label) for label in turns[judge]]
        known = [Label(label) for label in turns["label"]]
        prompts = turns.select("set", "item").rows()
        return cls(confusion.tables(known, given, prompts, LABELS), study)

    @cached_property
    def total(self) -> Counts:
        """The table of all."""
        counts: Counts = self.of_prompts.sum(axis=0)
        return counts

    @cached_property
    def drawn(self) -> Counts:
        """Tables of resamples."""
        statistics = self.study.statistics
        return confusion.resampled(self.of_prompts, statistics.bootstrap, self.study.seed)

    def bounded(self, name: str, statistic: Callable[[Counts], Any]) -> Row:
        """A statistic as `name`, with its bounds as `name_low` and `name_high`; None of nothing."""
        import numpy as np

        value = float(statistic(self.total))
        if np.isnan(value):
            return dict.fromkeys((name, f"{name}_low", f"{name}_high"))
        tail = (1 - self.study.statistics.confidence) / 2
        low, high = np.nanquantile(statistic(self.drawn), [tail, 1 - tail])
        return {name: value, f"{name}_low": float(low), f"{name}_high": float(high)}

    def of_label(self, place: int) -> Row:
        """Precision, recall and F1 of a label."""
        hits = int(self.total[place, place])
        row: Row = {}
        for name, statistic, of in (
            ("precision", confusion.precision, int(self.total[:, place].sum())),
            ("recall", confusion.recall, int(self.total[place].sum())),
        ):
            if hits in (0, of):
                row |= _share(name, hits, of, self.study.statistics.confidence)
            else:
                row |= self.bounded(name, partial(statistic, label=place))
        return row | self.bounded("f1", partial(confusion.f1, label=place))


def confusion_rows(turns: pl.DataFrame, judge: str) -> Iterator[Row]:
    """How often each kind of turn got each label, per set."""
    import polars as pl

    key = ["set", "kind", "label", judge]
    counted = turns.group_by(key).agg(pl.len().alias("count")).sort(key, nulls_last=True)
    for row in counted.iter_rows(named=True):
        given = row.pop(judge) or "no label"
        yield {**row, "calibration": judge, "given": given}


def kind_rows(turns: pl.DataFrame, judge: str, study: Study) -> Iterator[Row]:
    """Share labelled `followup` of each kind of turn: near zero for those made to be none."""
    import polars as pl

    confidence = study.statistics.confidence
    for (kind,), part in sorted(turns.group_by("kind")):
        hits = part.filter(pl.col(judge).eq(Label.FOLLOWUP)).height
        share = _share("followup", hits, part.height, confidence)
        yield {
            "calibration": judge,
            "kind": kind,
            "turns": part.height,
            "followup": share["followup"],
            "low": share["followup_low"],
            "high": share["followup_high"],
            "confidence": confidence,
        }


def _summary(read: pl.DataFrame, judge: str, study: Study) -> Row:
    """Agreement with readers, and precision and recall of follow-ups; of each set and both wholes.

    `at_recall` is the precision with which the turns likeliest to be follow-ups hold RECALL of all
    follow-ups, whatever the least probability; null where they never do.
    """
    return {name: _agreement(part, judge, study) for name, part in _with_all(read)}


def _agreement(part: pl.DataFrame, judge: str, study: Study) -> Row:
    import numpy as np

    told = Told.of(part, judge, study)
    truth = part["label"].eq(Label.FOLLOWUP).to_numpy()
    scores = part[f"{judge}_probability"].fill_null(-1.0).to_numpy()

    def at_recall(places: Any) -> float:
        return ranking.precision_at(scores[places], truth[places], RECALL)

    at = at_recall(np.arange(len(truth)))
    bounds = {} if np.isnan(at) else _resampled(part, at_recall, study)
    return {
        "turns": len(part),
        **told.bounded("kappa", confusion.kappa),
        **told.bounded("macro_f1", confusion.macro_f1),
        **{
            name: value
            for name, value in told.of_label(FOLLOWUP).items()
            if not name.startswith("f1")
        },
        "read_rate": float(truth.mean()),
        "judged_rate": float(told.total[:, FOLLOWUP].sum() / len(part)),
        "mean_probability": float(part[f"{judge}_probability"].fill_null(0.0).to_numpy().mean()),
        "at_recall": None if np.isnan(at) else {"recall": RECALL, "precision": at, **bounds},
    }


def _resampled(part: pl.DataFrame, statistic: Callable[[Any], float], study: Study) -> Row:
    """Percentile interval over resampled prompts."""
    prompts = part.select("set", "item").with_row_index()
    members = [group["index"].to_numpy() for _, group in prompts.group_by("set", "item")]
    members.sort(key=lambda places: int(places[0]))
    confidence = study.statistics.confidence
    low, high = ranking.resampled(members, statistic, confidence, RESAMPLES, study.seed)
    return {"low": low, "high": high, "confidence": confidence}


def _share(name: str, hits: int, of: int, confidence: float) -> Row:
    share = intervals.greedy_rate(hits, of, confidence)
    return {name: share.estimate, f"{name}_low": share.low, f"{name}_high": share.high}


def _with_all(read: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Each set, all turns that models wrote, all real ones."""
    yield from _per_set(read)
    for name, kind in WHOLES.items():
        if len(part := read.filter(kind=kind)):
            yield name, part


def _per_set(turns: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    parts = ((str(name), part) for (name,), part in turns.group_by("set"))
    return sorted(parts, key=lambda part: part[0])
