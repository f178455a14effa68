"""Stage `tables`: every rate with its counts and interval, as CSV, and the headline as JSON.

How the numbers are made, in all tables:

- A rate is the mean over prompts of the share of a prompt's validly labelled turns; invalid and
  skipped turns are counted beside it. Empty and truncated turns have labels and are in it.
- `dataset = all` pools the prompts of all datasets, so that every prompt counts the same.
- Numbers have six significant digits; an empty cell means that there is nothing to report.
- Holm corrects over all rows of a table that share a judge, datasets and `all` together.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from userturn import artifacts, stats
from userturn.artifacts import BASE, TURN_KEY
from userturn.artifacts.labels import Label
from userturn.base import paths
from userturn.base.errors import ArtifactError
from userturn.judges.human import labels as human
from userturn.judges.human import sample
from userturn.perturbations import EXPECTED
from userturn.stats import corrected
from userturn.study.judges import LIKELIHOOD
from userturn.study.report import ALL
from userturn.tables import checks

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from userturn.study.study import Study

    Groups = defaultdict[tuple[str, str, float], pl.DataFrame]  # made by `by_prompt`

Row = dict[str, Any]
Group = tuple[str, str, float]  # dataset or ALL, condition, temperature

GREEDY = 0.0
EXAMPLES_PER_LABEL = 10
EXCERPT = 240  # characters
METRICS = paths.REPORTS / "metrics.json"
FOLDER = paths.REPORTS / "tables"

_MEASURES = ("grounding", "relevance", "role_voice", "restatement")
_GROUP = ("judge", "primary", "model", "dataset", "condition", "temperature")
_CONTRAST = (
    "rate_base", "rate", "difference", "low", "high", "confidence", "method",
    "p", "p_holm", "test", "prompts",
)  # fmt: skip
TABLES: dict[str, tuple[str, ...]] = {
    "models": ("model", "family", "parameters"),
    "rates": (
        *_GROUP, "rate", "low", "high", "confidence", "method",
        "prompts", "samples", "followups", "invalid", "truncated", "empty", "skipped",
    ),
    "labels": (*_GROUP, "label", "share", "count", "valid"),
    "accuracy": (
        "model", "dataset", "verifier", "strict", "strict_low", "strict_high",
        "loose", "loose_low", "loose_high", "confidence", "method",
        "prompts", "scored", "not_scored", "reasons", "truncated", "skipped",
    ),
    "controls": (*_GROUP, *_CONTRAST, "expected", "moved_as_expected"),
    "temperature": (*_GROUP, *_CONTRAST),
    "turns": (
        "model", "condition", "temperature", "samples", "skipped", "mean_tokens",
        "eos", "stop_token", "length", "empty", "memorised", "distinct_texts",
        "grounding", "relevance", "role_voice", "restatement",
    ),
    "corrected": (
        *_GROUP, "rate", "low", "high", "confidence",
        "rogan_gladen", "rogan_gladen_low", "rogan_gladen_high", "rogan_gladen_note",
        "prediction_powered", "prediction_powered_low", "prediction_powered_high",
        "prediction_powered_note",
        "sensitivity", "specificity", "annotators", "labelled", "labelled_prompts",
    ),
    "checks": checks.COLUMNS,
    "examples": (
        "model", "label", *TURN_KEY, "query", "answer", "turn",
        "grounding", "relevance", "role_voice", "restatement", "reason",
    ),
}  # fmt: skip
"""Columns of every `reports/tables/<name>.csv`."""


def build(study: Study) -> None:
    """Write `reports/tables/*.csv` and `reports/metrics.json` from the artifacts of a study.

    Raises:
        ArtifactError: An artifact is missing, corrupt or does not belong to the others.
    """
    import polars as pl

    for kind in ("answers", "user_turns", "controls", "grounding", "labels"):
        artifacts.prune(paths.DATA / kind, study.models.probe)
    artifacts.prune(paths.DATA / "prompts", study.prompts.datasets)
    prompts = pl.concat(
        artifacts.read(paths.artifact("prompts", slug), "prompts")
        for slug in study.prompts.datasets
    )
    tables: dict[str, list[Row]] = {name: [] for name in TABLES}
    tables["checks"] += checks.reference_rows()
    people = human.read_all()
    for slug in _ordered_models(study):
        entry = study.model[slug]
        tables["models"].append(
            {"model": slug, "family": entry.family, "parameters": entry.parameters}
        )
        answers = artifacts.read(paths.artifact("answers", slug), "answers")
        turns = _read_turns(study, slug)
        tables["accuracy"] += accuracy_rows(study, slug, answers)
        looks = turn_rows(study, slug, turns)
        tables["turns"] += looks
        tables["checks"] += checks.model_rows(study, slug, turns, looks)
        labels = artifacts.read(paths.artifact("labels", slug), "labels")
        truth = sample.truth(study, slug, people)
        for judge in study.classify.judges:
            labelled = _label(turns, labels, judge, slug)
            groups = by_prompt(labelled)
            rates = rate_rows(study, slug, judge, groups)
            tables["rates"] += rates
            tables["corrected"] += corrected_rows(rates, labelled, truth)
            tables["labels"] += label_rows(study, slug, judge, groups)
            tables["controls"] += control_rows(study, slug, judge, groups)
            tables["temperature"] += temperature_rows(study, slug, judge, groups)
            if judge == study.classify.primary:
                tables["examples"] += example_rows(study, slug, labelled, answers, prompts)
    for name in ("controls", "temperature"):
        _correct(tables[name])
    for name, rows in tables.items():
        write_csv(FOLDER / f"{name}.csv", TABLES[name], rows)
    numbers = {**headline(study, tables, prompts), "calibration": _calibration()}
    metrics = json.dumps(_rounded(numbers), indent=2)
    write_bytes(METRICS, f"{metrics}\n".encode())


def _calibration() -> Row:
    """How the likelihood judge does on turns of known label.

    A probe has none, nor has a judge fitted here whose conversations are all of one fold.
    """
    path = paths.CALIBRATION / "report.json"
    report = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return dict(report.get("given", {}))


# --- reading ------------------------------------------------------------------------------------


def _ordered_models(study: Study) -> list[str]:
    """Probed models: families in the order of the study, each from small to large."""
    families = list(dict.fromkeys(study.model[slug].family for slug in study.models.probe))

    def place(slug: str) -> tuple[int, float, str]:
        entry = study.model[slug]
        size = float("inf") if entry.parameters is None else entry.parameters
        return families.index(entry.family), size, slug

    return sorted(study.models.probe, key=place)


def _read_turns(study: Study, model: str) -> pl.DataFrame:
    """User turns of all conditions with their measures; `answer` is null in `base`."""
    import polars as pl

    frames = [artifacts.read(paths.artifact("user_turns", model), "user_turns")]
    if study.perturb.conditions:
        frames.append(artifacts.read(paths.artifact("controls", model), "controls"))
    measures = artifacts.read(paths.artifact("grounding", model), "grounding").drop("tokens")
    return (
        pl.concat(frames, how="diagonal")
        .with_columns(
            tokens=pl.col("token_ids").list.len(),
            answer=pl.col("answer") if len(frames) == 2 else pl.lit(None, pl.String),
        )
        .drop("token_ids")
        .join(measures, on=TURN_KEY, how="left")
        .sort(TURN_KEY)
    )


def _label(turns: pl.DataFrame, labels: pl.DataFrame, judge: str, model: str) -> pl.DataFrame:
    """Turns with one judge's label."""
    import polars as pl

    ours = labels.filter(pl.col("judge") == judge)
    generated = turns.filter(pl.col("skipped").is_null())
    missing = generated.join(ours, on=TURN_KEY, how="anti").height
    if missing:
        raise ArtifactError(
            f"{paths.artifact('labels', model)}: {missing} user turns have no row of judge "
            f"'{judge}'; run `dvc repro`"
        )
    return turns.join(ours, on=TURN_KEY, how="left").sort(TURN_KEY)


def by_prompt(labelled: pl.DataFrame) -> Groups:
    """One row per prompt in each (dataset or ALL, condition, temperature); empty where none is.

    Columns: `dataset`, `item`, the counts `samples`, `valid`, `invalid`, `truncated`, `empty_turns`
    and `skipped`, and one count per label.
    """
    import polars as pl

    generated = pl.col("skipped").is_null()
    valid = generated & pl.col("label").is_not_null()
    counts = {
        "samples": generated,
        "valid": valid,
        "invalid": generated & pl.col("label").is_null(),
        "truncated": pl.col("end") == "length",
        "empty_turns": pl.col("end") == "empty",
        "skipped": ~generated,
        **{label.value: valid & (pl.col("label") == label.value) for label in Label},
    }
    prompts = (
        labelled.group_by("dataset", "item", "condition", "temperature")
        .agg(flag.sum().cast(pl.Int64).alias(name) for name, flag in counts.items())
        .sort("dataset", "item")
        .with_columns(pool=pl.col("dataset"))
    )
    pooled = pl.concat([prompts, prompts.with_columns(pool=pl.lit(ALL))])
    parts = pooled.partition_by("pool", "condition", "temperature", as_dict=True)
    return defaultdict(prompts.clear, {_group(*key): frame for key, frame in parts.items()})


def _group(dataset: Any, condition: Any, temperature: Any) -> Group:
    return str(dataset), str(condition), float(temperature)


# --- one function per table ---------------------------------------------------------------------


def rate_rows(study: Study, model: str, judge: str, groups: Groups) -> list[Row]:
    """Genuine follow-up rates; `samples` are the generated turns, `invalid` those without label."""
    rows = []
    for group in _grid(study):
        frame = groups[group]
        followups = _shares(frame, Label.FOLLOWUP)
        interval = stats.rate(followups, _clustered(frame), *_settings(study))
        rows.append(
            {
                **_identity(study, model, judge, group),
                **_bounds(interval, "rate"),
                "confidence": study.statistics.confidence,
                "method": interval.method,
                "prompts": followups.size,
                "followups": int(frame["followup"].sum()),
                "empty": int(frame["empty_turns"].sum()),
                **{
                    name: int(frame[name].sum())
                    for name in ("samples", "invalid", "truncated", "skipped")
                },
            }
        )
    return rows


def label_rows(study: Study, model: str, judge: str, groups: Groups) -> list[Row]:
    """Share and count of every label, zero included; `valid` is the number of labelled turns."""
    rows = []
    for group in _grid(study):
        frame = groups[group]
        for label in Label:
            shares = _shares(frame, label)
            rows.append(
                {
                    **_identity(study, model, judge, group),
                    "label": label.value,
                    "share": float(shares.mean()) if shares.size else None,
                    "count": int(frame[label.value].sum()),
                    "valid": int(frame["valid"].sum()),
                }
            )
    return rows


def corrected_rows(
    rates: Sequence[Row], labelled: pl.DataFrame, truth: Mapping[human.Turn, sample.Truth]
) -> list[Row]:
    """Rates of the unperturbed turns, corrected by human labels (corrected.py); none without any.

    The corrected rates are those of all generated turns: one without a valid label of the judge
    counts as one that the judge does not call a follow-up. Sensitivity and specificity are the
    model's, over all datasets and temperatures; `labelled` counts the group's own turns.
    """
    import numpy as np
    import polars as pl

    if not truth:
        return []
    base = labelled.filter(pl.col("skipped").is_null() & (pl.col("condition") == BASE))
    model = rates[0]["model"]
    known = [truth.get((model, *key), sample.UNLABELLED) for key in base.select(TURN_KEY).rows()]
    turns = corrected.Turns(
        base.select(pl.struct("dataset", "item").rank("dense") - 1).to_series().to_numpy(),
        (base["label"] == Label.FOLLOWUP.value).fill_null(False).to_numpy().astype(float),
        np.array([found.followup for found in known], dtype=float),
        np.array([found.weight for found in known], dtype=float),
    )
    annotators = np.array([found.annotators for found in known])
    sensitivity, specificity = corrected.error_rates(turns)
    rows = []
    for rate in rates:
        if rate["condition"] != BASE or rate["rate"] is None:
            continue
        here = pl.col("temperature") == rate["temperature"]
        if rate["dataset"] != ALL:
            here &= pl.col("dataset") == rate["dataset"]
        group = base.select(here).to_series().to_numpy()
        own = turns.part(group)
        adjusted = {
            "rogan_gladen": corrected.rogan_gladen(turns, group, rate["confidence"]),
            "prediction_powered": corrected.prediction_powered(turns, group, rate["confidence"]),
        }
        row = {name: rate[name] for name in (*_GROUP, "rate", "low", "high", "confidence")}
        for name, result in adjusted.items():
            row |= {
                name: result.estimate,
                f"{name}_low": result.low,
                f"{name}_high": result.high,
                f"{name}_note": result.note or None,
            }
        rows.append(
            {
                **row,
                "sensitivity": sensitivity,
                "specificity": specificity,
                "annotators": int(annotators[group].max()),
                "labelled": int((own.weight > 0).sum()),
                "labelled_prompts": own.labelled_prompts,
            }
        )
    return rows


def control_rows(study: Study, model: str, judge: str, groups: Groups) -> list[Row]:
    """Each perturbation against `base` at its temperature, over the same prompts.

    `moved_as_expected` is `yes` or `no` where the interval of the difference excludes zero, else
    `undecided`.
    """
    rows = []
    for dataset, condition, temperature in _grid(study):
        if condition == BASE:
            continue
        group = dataset, condition, temperature
        contrast = _contrast(study, groups[dataset, BASE, temperature], groups[group])
        rows.append(
            {
                **_identity(study, model, judge, group),
                **_contrast_columns(study, contrast),
                "expected": EXPECTED[condition],
                "moved_as_expected": _moved(contrast.difference, EXPECTED[condition]),
            }
        )
    return rows


def temperature_rows(study: Study, model: str, judge: str, groups: Groups) -> list[Row]:
    """Each temperature against greedy in `base`; no rows where the study has no greedy turns."""
    if GREEDY not in study.generate.user_turn.temperatures:
        return []
    rows = []
    for dataset, condition, temperature in _grid(study):
        if condition != BASE or temperature == GREEDY:
            continue
        group = dataset, condition, temperature
        contrast = _contrast(study, groups[dataset, BASE, GREEDY], groups[group])
        rows.append({**_identity(study, model, judge, group), **_contrast_columns(study, contrast)})
    return rows


def accuracy_rows(study: Study, model: str, answers: pl.DataFrame) -> list[Row]:
    """Task accuracy per dataset, over the answers that could be scored.

    An answer that could not be scored is never wrong: it is counted in `not_scored` with why.
    `prompts` are all prompts, so prompts = scored + not_scored + skipped.
    """
    import polars as pl

    rows = []
    for dataset in study.prompts.datasets:
        ours = answers.filter(pl.col("dataset") == dataset)
        given = ours.filter(pl.col("skipped").is_null())
        unscored = given.filter(pl.col("score").is_null())
        verifiers = ours["verifier"].drop_nulls().unique().sort().to_list()
        reasons = unscored.group_by("unscored").len().sort("unscored").rows()
        strict, loose = (
            stats.rate(given[name].drop_nulls().to_numpy(), False, *_settings(study))
            for name in ("score", "score_loose")
        )
        rows.append(
            {
                "model": model,
                "dataset": dataset,
                "verifier": ", ".join(verifiers) or "none",
                **_bounds(strict, "strict", "strict_low", "strict_high"),
                **_bounds(loose, "loose", "loose_low", "loose_high"),
                "confidence": study.statistics.confidence,
                "method": strict.method,
                "prompts": ours.height,
                "scored": given.height - unscored.height,
                "not_scored": unscored.height,
                "reasons": "; ".join(f"{why or 'no reason given'} ({n})" for why, n in reasons)
                if verifiers
                else "no published verifier",
                "truncated": int((given["end"] == "length").sum()),
                "skipped": ours.height - given.height,
            }
        )
    return rows


def turn_rows(study: Study, model: str, turns: pl.DataFrame) -> list[Row]:
    """What user turns look like without a judge, per condition and temperature.

    `eos`, `stop_token`, `length` and `empty` are shares of the generated turns. `memorised` is the
    share of the turns with text whose text, case and spacing aside, also stands for another prompt.
    """
    import polars as pl

    text = pl.col("text").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    generated = turns.filter(pl.col("skipped").is_null()).with_columns(normalised=text)
    ends = ("eos", "stop_token", "length", "empty")
    rows = []
    for condition, temperature in _settings_grid(study):
        here = (pl.col("condition") == condition) & (pl.col("temperature") == temperature)
        ours = generated.filter(here)
        spoken = ours.filter(pl.col("normalised") != "")
        texts = spoken.group_by("normalised").agg(
            prompts=pl.struct("dataset", "item").n_unique(), turns=pl.len()
        )
        repeated = texts.filter(pl.col("prompts") > 1)["turns"].sum()
        rows.append(
            {
                "model": model,
                "condition": condition,
                "temperature": temperature,
                "samples": ours.height,
                "skipped": turns.filter(here).height - ours.height,
                "mean_tokens": ours["tokens"].mean(),
                **{end: (ours["end"] == end).mean() for end in ends},
                "memorised": repeated / spoken.height if spoken.height else None,
                "distinct_texts": texts.height,
                **{name: ours[name].mean() for name in _MEASURES},
            }
        )
    return rows


def example_rows(
    study: Study, model: str, labelled: pl.DataFrame, answers: pl.DataFrame, prompts: pl.DataFrame
) -> list[Row]:
    """Up to ten turns per label of the primary judge, for readers who check the labels.

    The choice is by a hash of the study's seed and the turn's key: random, yet the same whatever
    other turns there are. Query and answer are excerpts on one line; the turn stands as generated.
    """
    import polars as pl

    context = prompts.join(answers, on=("dataset", "item"), how="left", suffix="_answer").select(
        "dataset",
        "item",
        query=pl.col("text"),
        shown=pl.col(
            "reference_answer" if study.generate.answer_source == "reference" else "text_answer"
        ),
    )
    keys = labelled.select(TURN_KEY).rows()
    ranks = [hashlib.sha256(json.dumps([study.seed, *key]).encode()).hexdigest() for key in keys]
    chosen = (
        labelled.with_columns(rank=pl.Series(ranks, dtype=pl.String))
        .filter(pl.col("label").is_not_null() & pl.col("skipped").is_null())
        .sort("rank")
        .group_by("label", maintain_order=True)
        .head(EXAMPLES_PER_LABEL)
        .join(context, on=("dataset", "item"), how="left", maintain_order="left")
    )
    return [
        {
            "model": model,
            "label": label.value,
            **{name: row[name] for name in (*TURN_KEY, *_MEASURES, "reason")},
            "query": _excerpt(row["query"]),
            "answer": _excerpt(row["shown"] if row["answer"] is None else row["answer"]),
            "turn": row["text"],
        }
        for label in Label
        for row in chosen.filter(pl.col("label") == label.value).iter_rows(named=True)
    ]


def headline(study: Study, tables: dict[str, list[Row]], prompts: pl.DataFrame) -> Row:
    """The numbers of `reports/metrics.json`: primary judge, pooled prompts, numbers at the leaves.

    `highest_rate` is the highest over the temperatures, hence a little optimistic; what has no
    data is left out.
    """
    pooled = {
        name: [row for row in tables[name] if row["primary"] and row["dataset"] == ALL]
        for name in ("rates", "labels", "controls")
    }
    coldest = min(study.perturb.temperatures)
    models = {}
    for slug in (row["model"] for row in tables["models"]):
        base, labels, controls = (
            [row for row in pooled[name] if row["model"] == slug] for name in pooled
        )
        base = [row for row in base if row["condition"] == BASE and row["rate"] is not None]
        greedy = [row for row in base if row["temperature"] == GREEDY]
        best = max(base, key=lambda row: (row["rate"], -row["temperature"]), default={})
        counts = ("prompts", "samples", "invalid", "truncated", "empty", "skipped")
        models[slug] = {
            "followup_rate": _some(greedy[0] if greedy else {}, "rate", "low", "high", *counts),
            "highest_rate": _some(best, "temperature", "rate"),
            "accuracy": {
                row["dataset"]: row["strict"]
                for row in tables["accuracy"]
                if row["model"] == slug and row["strict"] is not None
            },
            "controls": {
                row["condition"]: row["difference"]
                for row in controls
                if row["temperature"] == coldest and row["difference"] is not None
            },
            "labels": {
                row["label"]: row["share"]
                for row in labels
                if (row["condition"], row["temperature"]) == (BASE, GREEDY)
                and row["share"] is not None
            },
        }
    items = prompts.group_by("dataset").len().sort("dataset").rows()
    primary = study.classify.primary
    if primary == LIKELIHOOD:
        basis = {"thresholds": study.classify.likelihood.origin}
    else:
        basis = {"rubric": study.judge[primary].rubric}
    facts = {
        "seed": study.seed,
        "judge": primary,
        **basis,
        "confidence": study.statistics.confidence,
        "prompts": dict(items),
    }
    return {"study": facts, "model": models}


# --- shared by the tables -----------------------------------------------------------------------


def _settings_grid(study: Study) -> list[tuple[str, float]]:
    """Every (condition, temperature) of a study, `base` first, temperatures ascending."""
    base = [(BASE, temperature) for temperature in sorted(study.generate.user_turn.temperatures)]
    return base + [
        (condition, temperature)
        for condition in study.perturb.conditions
        for temperature in sorted(study.perturb.temperatures)
    ]


def _grid(study: Study) -> list[Group]:
    return [
        (dataset, condition, temperature)
        for dataset in (*study.prompts.datasets, ALL)
        for condition, temperature in _settings_grid(study)
    ]


def _identity(study: Study, model: str, judge: str, group: Group) -> Row:
    primary = judge == study.classify.primary
    return dict(zip(_GROUP, (judge, primary, model, *group), strict=True))


def _settings(study: Study) -> tuple[float, int, int]:
    return study.statistics.confidence, study.statistics.bootstrap, study.seed


def _shares(frame: pl.DataFrame, label: Label) -> NDArray[np.float64]:
    """Share of a label among the valid turns of each prompt that has one."""
    valid = frame["valid"].to_numpy()
    shares: NDArray[np.float64] = frame[label.value].to_numpy()[valid > 0] / valid[valid > 0]
    return shares


def _clustered(frame: pl.DataFrame) -> bool:
    return bool((frame["valid"] > 1).any())


def _contrast(study: Study, base: pl.DataFrame, changed: pl.DataFrame) -> stats.Contrast:
    """Follow-up rates of two groups over the prompts that have a valid turn in both."""
    pairs = base.filter(base["valid"] > 0).join(
        changed.filter(changed["valid"] > 0), on=("dataset", "item"), how="inner"
    )
    pairs = pairs.sort("dataset", "item")
    return stats.paired_contrast(
        (pairs["followup"] / pairs["valid"]).to_numpy(),
        (pairs["followup_right"] / pairs["valid_right"]).to_numpy(),
        *_settings(study),
    )


def _bounds(interval: stats.Interval, *names: str) -> Row:
    estimate, low, high = names if len(names) == 3 else (*names, "low", "high")
    return {estimate: interval.estimate, low: interval.low, high: interval.high}


def _contrast_columns(study: Study, contrast: stats.Contrast) -> Row:
    return {
        "rate_base": contrast.base,
        "rate": contrast.changed,
        **_bounds(contrast.difference, "difference"),
        "confidence": study.statistics.confidence,
        "method": contrast.difference.method,
        "p": contrast.p,
        "p_holm": None,  # known when the table is complete: see _correct
        "test": contrast.test,
        "prompts": contrast.prompts,
    }


def _moved(difference: stats.Interval, expected: str) -> str | None:
    if difference.low is None or difference.high is None:
        return None
    if difference.low <= 0 <= difference.high:
        return "undecided"
    return "yes" if (difference.low > 0) == (expected == "up") else "no"


def _correct(rows: Sequence[Row]) -> None:
    """Fill `p_holm`, with one family of tests per judge."""
    for judge in {row["judge"] for row in rows}:
        family = [row for row in rows if row["judge"] == judge]
        for row, p in zip(family, stats.holm([row["p"] for row in family]), strict=True):
            row["p_holm"] = p


def _excerpt(text: str | None) -> str | None:
    """One line of at most EXCERPT characters, cut in the middle: turns react to how answers end."""
    if text is None:
        return None
    line = " ".join(text.split())
    half = EXCERPT // 2
    return line if len(line) <= EXCERPT else f"{line[:half]} […] {line[-half:]}"


def _some(row: Row, *names: str) -> Row:
    return {name: row[name] for name in names if row.get(name) is not None}


# --- writing ------------------------------------------------------------------------------------


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write rows in their order, atomically; the same rows give the same bytes.

    Floats have six significant digits, None is an empty cell.

    Raises:
        ValueError: A row has other columns.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        if row.keys() != set(columns):
            odd = ", ".join(sorted(row.keys() ^ set(columns)))
            raise ValueError(f"{path}: a row does not fit the columns: {odd}")
        writer.writerow({name: _cell(value) for name, value in row.items()})
    write_bytes(path, text.getvalue().encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value + 0.0:.6g}" if isinstance(value, float) else value


def _rounded(value: Any) -> Any:
    """A JSON value with floats as in the tables."""
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return float(_cell(value)) if isinstance(value, float) else value
