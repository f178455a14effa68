"""Power of a paired contrast: against another implementation, by simulation, at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from userturn.stats.power import discordance, prompts_needed, smallest_visible


def test_the_two_formulas_are_each_others_inverse():
    for psi, prompts in ((0.2, 155), (0.05, 300), (0.4, 24)):
        delta = smallest_visible(psi, prompts, 0.95)
        assert prompts_needed(delta, psi, 0.95) == pytest.approx(prompts, rel=1e-6)
    assert prompts_needed(0.1, 0.2, 0.99) > prompts_needed(0.1, 0.2, 0.95)
    assert prompts_needed(-0.1, 0.2, 0.95) == pytest.approx(prompts_needed(0.1, 0.2, 0.95))


def test_connors_example():
    """Discordant shares of 0.15 and 0.05: Connor's n by hand."""
    level, power = stats.norm.ppf(0.975), stats.norm.ppf(0.8)
    by_hand = ((level * 0.2**0.5 + power * (0.2 - 0.01) ** 0.5) / 0.1) ** 2
    assert prompts_needed(0.1, 0.2, 0.95) == pytest.approx(by_hand)


def test_four_of_five_studies_see_the_smallest_visible_difference():
    rng = np.random.default_rng(0)
    prompts, psi = 200, 0.3
    delta = smallest_visible(psi, prompts, 0.95)
    shares = (psi - delta) / 2, 1 - psi, (psi + delta) / 2
    lost, _, won = rng.multinomial(prompts, shares, size=4000).T
    z = (won - lost) / np.sqrt(won + lost)
    assert (np.abs(z) > stats.norm.ppf(0.975)).mean() == pytest.approx(0.8, abs=0.03)


def test_edges():
    assert discordance(np.array([])) is None
    assert discordance(np.zeros(8)) == pytest.approx(0.1), "what did not differ still may"
    assert discordance(np.array([1.0, -1.0, 0.5, 0])) == pytest.approx(3.25 / 6)
    assert smallest_visible(0.5, 2, 0.95) is None, "two prompts show nothing"
    assert smallest_visible(0.01, 30, 0.95) > 0.01, "it takes as many differing prompts"
