"""Stage `calibrate`: what the likelihood judge is worth on turns whose label is known.

Every reference turn is measured as stage `ground` measures, then labelled twice: with the
thresholds of the study, and with thresholds fitted on the folds that its conversation is not in.
The second is the honest estimate for the fitted thresholds, which are written beside it; they take
part in nothing until they stand in `classify.likelihood`.

Fitted are role voice `V`, relevance `C` and grounding `G`. The restatement and loop thresholds are
not: on turns made by rule they would learn the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import yaml

from userturn import artifacts, evaluation, overlap, paths, reference, weights
from userturn.artifacts import BASE
from userturn.grounding import Turn, measure_all, row
from userturn.judges import likelihood
from userturn.labels import Label
from userturn.params import LikelihoodThresholds, Study
from userturn.reference import Reference
from userturn.scorer import Scorer

CUT = "truncate"
"""Condition of `rest`: its cut answer is compared with other cut answers."""

ALWAYS_MEASURED = (reference.TRUE, "moved")
"""Kinds whose measures are compared; of the others, what rules on the text settle costs nothing."""

Measured = tuple[Reference, dict[str, Any]]
"""A reference turn with its row of artifacts.GROUNDING."""


def run(study: Study) -> None:
    """Measure, fit and judge the reference turns; write `data/calibration/`.

    Raises:
        SourceError: A reference set cannot be read.
        EngineError: The scorer cannot be loaded.
    """
    folds = study.calibrate.folds
    made = reference.make(reference.read(study), folds)
    with Scorer(study, "calibrate") as scorer:
        measured = measure_references(made, scorer, study)
    given = [label_of(pair, study.classify.likelihood) for pair in measured]
    fitted = cross_fitted(measured, folds, study)
    rows = [_row(*found, folds) for found in zip(measured, given, fitted, strict=True)]
    _write(study, rows, scorer)
    thresholds = fit(measured, study)
    path = paths.CALIBRATION / "thresholds.yaml"
    path.write_text(yaml.safe_dump(thresholds.model_dump(), sort_keys=False), encoding="utf-8")
    evaluation.write(artifacts.read(paths.REFERENCE_TURNS, "reference"), study, paths.CALIBRATION)


def measure_references(made: Sequence[Reference], scorer: Scorer, study: Study) -> list[Measured]:
    """Each reference turn with its row of artifacts.GROUNDING, by the code of stage `ground`."""
    turns = []
    for one in made:
        condition = CUT if one.answer != one.at.answer else BASE
        key = (one.at.source, one.item, condition, 0.0, one.kind)
        bare = Turn(key, one.at.query, one.answer, one.answer, one.text, ())
        settled = label_of((one, row(bare, None)), study.classify.likelihood) is not None
        scored = one.kind in ALWAYS_MEASURED or not settled
        turns.append(replace(bare, tokens=scorer.chat.encode_content(one.text)) if scored else bare)
    measures = measure_all(study, turns, scorer, "calibrate")
    found = {turn.key: row(turn, likelihoods) for turn, likelihoods in measures}
    return [(one, found[turn.key]) for one, turn in zip(made, turns, strict=True)]


def label_of(pair: Measured, thresholds: LikelihoodThresholds) -> Label | None:
    """Label that the likelihood judge gives a reference turn."""
    one, measures = pair
    evidence = likelihood.Evidence(
        text=one.text,
        end="eos" if one.text else "empty",
        answer=one.answer,
        **{name: measures[name] for name in likelihood.MEASURES},
    )
    return likelihood.judge(evidence, thresholds)[0]


def cross_fitted(measured: Sequence[Measured], folds: int, study: Study) -> list[Label | None]:
    """Label of each turn by thresholds fitted on the other folds."""
    found: dict[int, Label | None] = {}
    for fold in range(folds):
        inside = [number for number, (one, _) in enumerate(measured) if one.at.fold(folds) == fold]
        outside = [pair for pair in measured if pair[0].at.fold(folds) != fold]
        if inside:
            thresholds = fit(outside, study)
            found |= {number: label_of(measured[number], thresholds) for number in inside}
    return [found[number] for number in range(len(measured))]


def fit(measured: Sequence[Measured], study: Study) -> LikelihoodThresholds:
    """Thresholds of V, C and G.

    V splits user turns from assistant text with the best balanced accuracy. Then C and G: among
    the pairs of thresholds with which `followup` has the precision that the study aims at, the
    pair with the most recall; where none reaches it, the pair with the best F1.
    """
    import numpy as np

    scored = [(one, found) for one, found in measured if found["relevance"] is not None]
    voices = {
        spoken: [found["role_voice"] for one, found in scored if (one.label in of_user) is spoken]
        for of_user in [(Label.FOLLOWUP, Label.UNRELATED, Label.RESTATEMENT)]
        for spoken in (True, False)
    }
    start = study.classify.likelihood
    lowest = start.model_copy(
        update={
            "role_voice": best_cut(voices[True], voices[False], start.role_voice),
            "relevance": -np.inf,
            "grounding": -np.inf,
            "origin": f"calibrate on {', '.join(study.calibrate.sets)}",
        }
    )
    # What the rules in front of C and G let through; what they do not is no follow-up at any C, G.
    through = [
        (one.label is Label.FOLLOWUP, found["relevance"], found["grounding"])
        for one, found in scored
        if found["grounding"] is not None and label_of((one, found), lowest) is Label.FOLLOWUP
    ]
    wanted = sum(one.label is Label.FOLLOWUP for one, _ in measured)
    relevance, grounding = best_pair(through, wanted, study.calibrate.precision) or (
        start.relevance,
        start.grounding,
    )
    fitted = {"relevance": round(relevance, 2), "grounding": round(grounding, 3)}
    fitted["role_voice"] = round(lowest.role_voice, 3)
    return lowest.model_copy(update=fitted)


def best_cut(higher: Sequence[float], lower: Sequence[float], otherwise: float) -> float:
    """Threshold with the best balanced accuracy; `otherwise` where one side has no values."""
    import numpy as np

    if not higher or not lower:
        return otherwise
    values = np.unique([*higher, *lower])
    middles = (values[1:] + values[:-1]) / 2 if len(values) > 1 else values
    above = np.searchsorted(np.sort(higher), middles)
    below = np.searchsorted(np.sort(lower), middles)
    accuracy = 1 - above / len(higher) + below / len(lower)
    best = np.flatnonzero(accuracy == accuracy.max())
    return float(middles[best[len(best) // 2]])


def best_pair(
    through: Sequence[tuple[bool, float, float]], wanted: int, precision: float
) -> tuple[float, float] | None:
    """Thresholds of C and G with the most recall at a precision, or else the best F1.

    Args:
        through: Per turn that the other rules let through: whether it is a follow-up, C, G.
        wanted: Follow-ups in all.
        precision: Least precision aimed at.

    Returns:
        The thresholds; None where there is no follow-up to find.
    """
    import numpy as np

    if not wanted or not any(is_followup for is_followup, _, _ in through):
        return None
    truth, relevance, grounding = map(np.array, zip(*through, strict=True))
    order = np.argsort(-relevance, kind="stable")
    truth, relevance, grounding = truth[order].astype(bool), relevance[order], grounding[order]
    last = np.append(relevance[1:] != relevance[:-1], True)  # equal values fall together
    best: tuple[tuple[bool, float], float, float] | None = None
    # Few candidates for G: it only has to keep out what owes nothing to the answer.
    for least in np.quantile(grounding[truth], np.linspace(0, 0.5, 26)):
        kept = grounding >= least
        hits, all_found = np.cumsum(truth & kept), np.cumsum(kept)
        share = hits / np.maximum(all_found, 1)
        recall = hits / wanted
        f1 = 2 * hits / (all_found + wanted)
        for reaches, merit in ((True, recall), (False, f1)):
            allowed = last & (hits > 0) & (share >= precision if reaches else True)
            if allowed.any():
                at = int(np.flatnonzero(allowed)[np.argmax(merit[allowed])])
                rank = (reaches, float(merit[at]))
                if best is None or rank > best[0]:
                    best = rank, float(relevance[at]), float(least)
                break
    return None if best is None else best[1:]


def _row(pair: Measured, given: Label | None, fitted: Label | None, folds: int) -> dict[str, Any]:
    one, measures = pair
    kept = {name: measures[name] for name in artifacts.REFERENCE if name in measures}
    return {
        **kept,
        "set": one.at.source,
        "item": one.item,
        "kind": one.kind,
        "label": str(one.label),
        "given": given and str(given),
        "fitted": fitted and str(fitted),
        "fold": one.at.fold(folds),
        "query": one.at.query,
        "answer": one.answer,
        "turn": one.text,
        "word_overlap": overlap.content_overlap(one.text, one.answer) if one.text else None,
    }


def _write(study: Study, rows: Iterable[dict[str, Any]], scorer: Scorer) -> None:
    params = {
        "seed": study.seed,
        "context": study.generate.context,
        "ground": study.ground.model_dump(),
        "calibrate": study.calibrate.model_dump(),
        "likelihood": study.classify.likelihood.model_dump(),
    }
    artifacts.write(
        paths.REFERENCE_TURNS,
        "reference",
        rows,
        artifacts.provenance(
            "calibrate",
            params,
            weights=weights.identity(study, study.ground.scorer),
            chat_template=scorer.chat.template_hash,
            engine=scorer.describe(),
        ),
    )
