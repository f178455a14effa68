"""What a paired contrast could have shown; pure functions of numbers.

Connor (Biometrics 43, 1987, doi:10.2307/2531961) for two paired proportions: with psi the share of
prompts that differ between the settings, delta the difference, and n prompts,

    delta * sqrt(n) = z(1 - alpha / 2) * sqrt(psi) + z(power) * sqrt(psi - delta^2)

Where prompts have several samples, psi is the mean square of their differences, which for single
turns is that share. The level is that of the study's intervals, not corrected for many tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

POWER = 0.8
"""Share of studies that would see the difference."""


def discordance(differences: NDArray[np.float64]) -> float | None:
    """`psi` of pairs, with half a pair at each of -1, 0, 0 and 1 as in their interval.

    So that a study in which no prompt differs still cannot see everything; None without pairs.
    """
    if not differences.size:
        return None
    return float(((differences**2).sum() + 1) / (differences.size + 2))


def smallest_visible(psi: float, prompts: int, confidence: float) -> float | None:
    """Least true difference that POWER of such studies would see; None where none is.

    A difference takes at least as many differing prompts as itself, so `psi` grows with it.
    """
    from scipy.optimize import brentq

    def lacking(delta: float) -> float:
        needed = prompts_needed(delta, psi, confidence)
        return needed - prompts

    if lacking(1.0) > 0:
        return None
    return float(brentq(lacking, 1e-6, 1.0))


def prompts_needed(delta: float, psi: float, confidence: float) -> float:
    """Prompts with which POWER of studies would see a difference.

    >>> round(prompts_needed(0.1, 0.2, 0.95))
    155

    Args:
        delta: The true difference, not 0.
        psi: Share of prompts that differ.
        confidence: One less the level of the two-sided test.
    """
    from math import sqrt

    from scipy.stats import norm

    psi = max(psi, abs(delta))
    level, power = norm.ppf((1 + confidence) / 2), norm.ppf(POWER)
    return float(((level * sqrt(psi) + power * sqrt(psi - delta**2)) / delta) ** 2)
