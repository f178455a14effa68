"""The whole test of a judge: labels, then what they are worth, as one object for JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from userturn.artifacts.labels import Label
from userturn.artifacts.schemas import BASE
from userturn.judges.kinds import Row
from userturn.judges.likelihood import calibration
from userturn.judges.llm.injections import PAIRS
from userturn.judges.testing import judged, suite
from userturn.judges.testing.gold import GoldTurn, sample
from userturn.judges.testing.judged import Cost
from userturn.judges.testing.quality import Labelled, Settings
from userturn.study.judges import LIKELIHOOD
from userturn.study.study import Study

Report = dict[str, Any]


def make(study: Study, judge: str, turns: Sequence[GoldTurn], addressed: int) -> Report:
    """Have a judge label gold turns, then some of them with text that addresses it.

    Args:
        study: The study.
        judge: `likelihood`, or a slug of its registry.
        turns: The gold turns.
        addressed: How many turns with a valid label get the addresses.

    Raises:
        EngineError: A model cannot be reached or breaks; what was replied is stored.
        JudgeError: A cost ceiling is reached; what was replied is stored.
        ArtifactError: The calibration of the likelihood judge is missing or is none.
    """
    rows, cost = judged.label(study, judge, turns)
    labels = [row["label"] for row in rows]
    valid = [turn for turn, label in zip(turns, labels, strict=True) if label and turn.text.strip()]
    chosen = sample(tuple(dict.fromkeys(valid)), addressed, study.seed)
    return {
        "judge": judge,
        **summary(study, turns, labels),
        "invalid": _invalid(rows),
        "asked_again": sum(len(row["request_ids"] or ()) > 1 for row in rows),
        "suite": _suite(study, judge, turns, chosen),
        "cost": _cost(cost),
        "fitted_on": _fitted_on(study, judge),
    }


def summary(study: Study, turns: Sequence[GoldTurn], labels: Sequence[str | None]) -> Report:
    """What labels are worth, against those by reading."""
    import numpy as np

    chosen = study.statistics
    settings = Settings(chosen.confidence, chosen.bootstrap, study.seed, study.calibrate.folds)
    read, prompts = [turn.label for turn in turns], [turn.prompt for turn in turns]
    pairs = Labelled(read, labels, prompts, settings)
    groups = [(turn.condition, turn.temperature) for turn in turns]
    rates = []
    for group in sorted(set(groups), key=_order):
        mask = np.array([one == group for one in groups])
        bounded = {name: asdict(rate) for name, rate in pairs.rates(mask).items()}
        size = {"turns": int(mask.sum()), "prompts": len(set(pairs.prompt[mask].tolist()))}
        rates.append({"condition": group[0], "temperature": group[1], **size, **bounded})
    return {
        "turns": len(turns),
        "prompts": len(set(prompts)),
        "confidence": chosen.confidence,
        "followup": {
            "read": read.count(Label.FOLLOWUP),
            "judged": list(labels).count(Label.FOLLOWUP),
            "precision": asdict(pairs.precision()),
            "recall": asdict(pairs.recall()),
            "kappa": asdict(pairs.kappa_followup()),
        },
        "agreement": asdict(pairs.agreement()),
        "kappa": asdict(pairs.kappa()),
        "macro_f1": asdict(pairs.macro_f1()),
        "confusion": pairs.confusion,
        "rates": rates,
    }


def _order(group: tuple[str, float | None]) -> tuple[bool, str, float]:
    """Unperturbed turns first, by temperature."""
    condition, temperature = group
    return condition != BASE, condition, -1.0 if temperature is None else temperature


def _invalid(rows: Sequence[Row]) -> Report:
    reasons = Counter(row["invalid"] for row in rows if row["label"] is None)
    turns = reasons.total()
    return {"turns": turns, "share": turns / len(rows), "reasons": dict(reasons.most_common())}


def _suite(
    study: Study, judge: str, turns: Sequence[GoldTurn], chosen: Sequence[GoldTurn]
) -> Report | None:
    """Effects of addresses on chosen turns, None without any.

    All turns are labelled once more, from the store: measures compare a turn with other prompts,
    so those have to be there too.
    """
    if not chosen:
        return None
    rows, _ = judged.label(study, judge, [*turns, *suite.addressed(chosen)])
    labels = [row["label"] for row in rows]
    given = dict(zip(turns, labels, strict=False))
    made = suite.effects([given[turn] for turn in chosen], labels[len(turns) :])
    return {"turns": len(chosen), "pairs": len(PAIRS), "effects": [asdict(one) for one in made]}


def _cost(cost: Cost) -> Report:
    """Speed is that of asking: not known where the store had replies."""
    asked = cost.sent >= cost.turns > 0
    return {**asdict(cost), "labels_per_second": cost.turns / cost.seconds if asked else None}


def _fitted_on(study: Study, judge: str) -> list[str]:
    """Sets on whose turns the likelihood judge was fitted: of these it knows more."""
    if judge != LIKELIHOOD:
        return []
    return [str(name) for name in calibration.of_study(study).origin.get("sets", [])]
