"""Agreement of given labels with known ones, from contingency tables; pure functions.

A table has a row per known label and a column per given one, and a last column for turns without a
given label. Functions take tables of any shape in front (..., labels, labels + 1), so one call
works out a statistic of all resamples. Shares of nothing are NaN.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

from userturn.stats.agreement import kappa_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def tables(
    known: Sequence[Hashable],
    given: Sequence[Hashable | None],
    prompts: Sequence[Hashable],
    labels: Sequence[Hashable],
) -> Floats:
    """One table per prompt (prompts, labels, labels + 1).

    Args:
        known: Label of each turn.
        given: Label that it got; None for none.
        prompts: Prompt of each turn.
        labels: Every label.
    """
    import numpy as np

    place = {label: at for at, label in enumerate(labels)}
    prompt = {key: at for at, key in enumerate(dict.fromkeys(prompts))}
    made: Floats = np.zeros((len(prompt), len(labels), len(labels) + 1))
    for of, told, key in zip(known, given, prompts, strict=True):
        made[prompt[key], place[of], len(labels) if told is None else place[told]] += 1
    return made


def resampled(of_prompts: Floats, resamples: int, seed: int) -> Floats:
    """Sums over prompts drawn with replacement (resamples, labels, labels + 1)."""
    import numpy as np

    size = len(of_prompts)
    draws = np.random.default_rng(seed).multinomial(size, [1 / size] * size, size=resamples)
    drawn: Floats = np.tensordot(draws.astype(float), of_prompts, 1)
    return drawn


def precision(counts: Floats, label: int) -> Any:
    """Share of the turns given a label that have it."""
    return _share(counts[..., label, label], counts[..., label].sum(axis=-1))


def recall(counts: Floats, label: int) -> Any:
    """Share of the turns of a label that are given it."""
    return _share(counts[..., label, label], counts[..., label, :].sum(axis=-1))


def f1(counts: Floats, label: int) -> Any:
    """Harmonic mean of both."""
    known, given = counts[..., label, :].sum(axis=-1), counts[..., label].sum(axis=-1)
    return _share(2 * counts[..., label, label], known + given)


def macro_f1(counts: Floats) -> Any:
    """Mean F1 over the labels that turns have."""
    import numpy as np

    labels = range(counts.shape[-2])
    present = np.stack([counts[..., label, :].sum(axis=-1) > 0 for label in labels], axis=-1)
    each = np.stack([f1(counts, label) for label in labels], axis=-1)
    return _share(np.where(present, np.nan_to_num(each), 0).sum(axis=-1), present.sum(axis=-1))


def kappa(counts: Floats) -> Any:
    """Cohen's kappa over the turns that got a label."""
    return kappa_of(counts[..., :-1])


def _share(hits: Any, of: Any) -> Any:
    import numpy as np

    with np.errstate(invalid="ignore"):
        return np.divide(hits, of)
