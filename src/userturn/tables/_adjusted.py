"""Follow-up rates adjusted by what the likelihood judge says of held-out turns, see `quantify`."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from userturn.artifacts.labels import Label
from userturn.judges.likelihood import calibration
from userturn.stats import quantify
from userturn.stats.corrected import Corrected
from userturn.study.judges import LIKELIHOOD
from userturn.study.report import ALL
from userturn.study.study import Study
from userturn.tables._groups import Group
from userturn.tables._results import Judged

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def known(study: Study, people: bool = False) -> quantify.Known | None:
    """Held-out turns of the judge of a study; None where it has none.

    Only those that models wrote, where there are such: people's turns differ from them, also in
    how often the judge is right.

    Args:
        study: The study.
        people: Take those that people wrote instead.
    """
    if LIKELIHOOD not in study.classify.judges:
        return None
    held_out: Sequence[Any] = calibration.of_study(study).held_out
    turns = [one for one in held_out if (one.temperature is None) == people] or held_out
    if not turns:
        return None
    judged = quantify.Judged(
        _numbered((one.set, one.prompt) for one in turns),
        _floats(one.labelled for one in turns),
        _floats(one.probability for one in turns),
    )
    settings = _numbered((one.condition, one.temperature) for one in turns)
    return quantify.Known(judged, _floats(one.followup for one in turns), settings)


def adjusted(
    judged: Judged, held_out: quantify.Known | None, group: Group, method: str
) -> Corrected:
    """One estimate of a group's rate.

    Args:
        judged: Turns with the labels of one judge.
        held_out: What is known of the likelihood judge.
        group: Which of the turns.
        method: Key of `quantify.ESTIMATORS`.
    """
    return estimates(judged, held_out, group, (method,))[method]


def estimates(
    judged: Judged, held_out: quantify.Known | None, group: Group, methods: Sequence[str]
) -> dict[str, Corrected]:
    """Several estimates of a group's rate, by method, see `adjusted`."""
    if held_out is None or judged.judge != LIKELIHOOD:
        return dict.fromkeys(methods, quantify.NO_TURNS)
    statistics = judged.study.statistics
    how = quantify.Resampling(statistics.confidence, statistics.bootstrap, judged.study.seed)
    turns = turns_of(judged, group)
    return {method: quantify.ESTIMATORS[method](turns, held_out, how) for method in methods}


def turns_of(judged: Judged, group: Group) -> quantify.Judged:
    """Turns of a group that have a label and a probability."""
    import polars as pl

    dataset, condition, temperature = group
    here = pl.col("condition") == condition
    here &= pl.col("temperature").eq_missing(pl.lit(temperature, pl.Float64))
    if dataset != ALL:
        here &= pl.col("dataset") == dataset
    valid = pl.col("label").is_not_null() & pl.col("probability").is_not_null()
    ours = judged.turns.filter(here & valid & pl.col("skipped").is_null())
    prompt = ours.select(pl.struct("dataset", "item").rank("dense") - 1).to_series()
    return quantify.Judged(
        prompt.cast(pl.Int64).to_numpy(),
        (ours["label"] == Label.FOLLOWUP.value).cast(pl.Float64).to_numpy(),
        ours["probability"].to_numpy(),
    )


def _numbered(names: Iterable[Hashable]) -> NDArray[np.int64]:
    """Each name's place among the different ones."""
    import numpy as np

    places: dict[Hashable, int] = {}
    return np.array([places.setdefault(name, len(places)) for name in names], dtype=np.int64)


def _floats(values: Iterable[Any]) -> NDArray[np.float64]:
    import numpy as np

    return np.array(list(values), dtype=np.float64)
