"""The headline: the numbers of `reports/metrics.json`, numbers at the leaves.

They are the primary judge's, over all prompts pooled; what has no data is left out.
"""

from __future__ import annotations

import json

from userturn.artifacts.csv_file import Row
from userturn.artifacts.not_asked import not_asked
from userturn.artifacts.schemas import BASE
from userturn.base import paths
from userturn.study.generate import SELF
from userturn.study.judges import LIKELIHOOD
from userturn.study.report import ALL, HUMAN
from userturn.study.study import Study
from userturn.tables._groups import GREEDY
from userturn.tables._results import Results

ADJUSTED = ("adjusted", "adjusted_low", "adjusted_high")
LENIENT = ("lenient", "lenient_low", "lenient_high")
EXPECTED = ("own", "other", "difference", "difference_low", "difference_high", "prompts")
COUNTS = ("prompts", "samples", "invalid", "truncated", "empty", "skipped")


def headline(results: Results) -> Row:
    """Facts of the study, numbers of every model, and what the judge is worth."""
    items = results.prompts.group_by("dataset").len().sort("dataset").rows()
    silent = {judge: why for one in results.models for judge, why in not_asked(one.slug).items()}
    facts = {**study_facts(results.study), "prompts": dict(items)}
    return {
        "study": {**facts, "not_asked": silent} if silent else facts,
        "model": {model.slug: model_numbers(results, model.slug) for model in results.models},
        **({HUMAN: _human(results)} if results.human else {}),
        "calibration": _calibration(),
    }


def study_facts(study: Study) -> Row:
    """What a reader of the numbers must know of the study."""
    primary = study.classify.primary
    if primary == LIKELIHOOD:
        basis = {"thresholds": study.classify.likelihood.origin}
    else:
        basis = {"rubric": study.judge[primary].rubric}
    return {
        "seed": study.seed,
        "judge": primary,
        **basis,
        "confidence": study.statistics.confidence,
    }


def model_numbers(results: Results, slug: str) -> Row:
    """Numbers of one model.

    `highest_rate` is the highest over the temperatures, hence a little optimistic.
    """
    rates, labels, controls = (
        [
            row
            for row in results.table(name)
            if row["primary"] and (row["dataset"], row["model"]) == (ALL, slug)
        ]
        for name in ("rates", "labels", "controls")
    )
    coldest = min(results.study.perturb.temperatures)
    base = [row for row in rates if row["condition"] == BASE and row["rate"] is not None]
    greedy = [row for row in base if row["temperature"] == GREEDY]
    best = max(base, key=lambda row: (row["rate"], -row["temperature"]), default={})
    return {
        "followup_rate": _known(greedy[0] if greedy else {}, "rate", "low", "high", *COUNTS),
        "lenient_rate": _known(greedy[0] if greedy else {}, *LENIENT),
        "adjusted_rate": _known(greedy[0] if greedy else {}, *ADJUSTED),
        "highest_rate": _known(best, "temperature", "rate"),
        "accuracy": {
            row["dataset"]: row["strict"]
            for row in results.table("accuracy")
            if row["model"] == slug and row["strict"] is not None
        },
        "controls": {
            row["condition"]: row["difference"]
            for row in controls
            if row["temperature"] == coldest and row["difference"] is not None
        },
        "smallest_visible": _smallest_visible(results, slug),
        "labels": {
            row["label"]: row["share"]
            for row in labels
            if (row["condition"], row["temperature"]) == (BASE, GREEDY) and row["share"] is not None
        },
        **_extras(results, slug),
    }


def _extras(results: Results, slug: str) -> Row:
    """What only some studies ask: rates behind the answers of others, and what is expected."""
    behind = {
        row["source"]: _known(row, "rate", "low", "high", "difference", *COUNTS)
        for row in results.table("cross")
        if row["primary"]
        and row["source"] != SELF
        and (row["dataset"], row["model"], row["temperature"]) == (ALL, slug, GREEDY)
    }
    expected = [
        _known(row, *EXPECTED)
        for row in results.table("expected")
        if (row["dataset"], row["model"]) == (ALL, slug)
    ]
    extras = {"behind": behind, "expected": expected[0] if expected else {}}
    return {name: numbers for name, numbers in extras.items() if numbers}


def _human(results: Results) -> Row:
    """Rates and labels of the real next turns, all datasets that have them together."""
    rates, labels = (
        [row for row in results.table(name) if row["primary"] and row["dataset"] == ALL]
        for name in ("human", "human_labels")
    )
    return {
        "followup_rate": _known(rates[0], "rate", "low", "high", *COUNTS),
        "lenient_rate": _known(rates[0], *LENIENT),
        "adjusted_rate": _known(rates[0], *ADJUSTED),
        "labels": {row["label"]: row["share"] for row in labels if row["share"] is not None},
    }


def in_short(numbers: Row) -> Row:
    """The few of `model_numbers` that fit side by side, one row per model."""
    strict, lenient, adjusted = (
        numbers[name] for name in ("followup_rate", "lenient_rate", "adjusted_rate")
    )
    bounds = {f"rate_{end}": strict[end] for end in ("low", "high") if end in strict}
    return {
        **_known(strict, "rate"),
        **bounds,
        **_known(lenient, "lenient"),
        **_known(adjusted, "adjusted"),
        **_known(strict, "prompts"),
    }


def _smallest_visible(results: Results, slug: str) -> Row:
    """Smallest difference that each contrast could have shown; of temperatures the highest."""
    rows = [
        row
        for row in results.table("power")
        if row["primary"] and (row["dataset"], row["model"]) == (ALL, slug)
    ]
    coldest = min(results.study.perturb.temperatures)
    warmest = max(results.study.generate.user_turn.temperatures)
    named = {
        row["condition"] if row["contrast"] == "controls" else row["contrast"]: row
        for row in rows
        if row["temperature"] == (coldest if row["contrast"] == "controls" else warmest)
    }
    return {
        name: row["smallest_visible"]
        for name, row in named.items()
        if row["smallest_visible"] is not None
    }


def _calibration() -> Row:
    """How the likelihood judge does on turns with labels by reading; a probe has none."""
    path = paths.CALIBRATION / "report.json"
    report = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return dict(report.get("held_out", {}))


def _known(row: Row, *names: str) -> Row:
    return {name: row[name] for name in names if row.get(name) is not None}
