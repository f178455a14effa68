"""How well a judge's labels agree with labels by reading; pure functions of labels.

A turn without a valid label counts as not called a follow-up, and as missed for its own label;
kappa is over the turns with one. Intervals resample whole prompts, because the turns of one share
its query, and mostly its answer. Where all are right, or none, resampling knows no doubt: there the
interval is Clopper and Pearson's, over prompts.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from userturn.artifacts.labels import Label
from userturn.base.seeds import draw
from userturn.stats import confusion
from userturn.stats.intervals import cluster_rate, greedy_rate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LABELS = tuple(Label)
INVALID = len(LABELS)
"""Column of the turns without a valid label."""
FOLLOWUP = LABELS.index(Label.FOLLOWUP)


@dataclass(frozen=True, slots=True)
class Bounded:
    """An estimate with its confidence bounds; all None where there is nothing to estimate."""

    value: float | None
    low: float | None
    high: float | None


NOTHING = Bounded(None, None, None)


@dataclass(frozen=True, slots=True)
class Settings:
    """How intervals are made.

    Attributes:
        confidence: Coverage, such as 0.95.
        resamples: Bootstrap resamples of prompts.
        seed: Seed of the resampling.
        folds: Folds of prompts for cross-fitted error rates.
    """

    confidence: float
    resamples: int
    seed: int
    folds: int


class Labelled:
    """Turns with both labels.

    Args:
        read: Labels by reading.
        judged: The judge's labels; None where it gave no valid one.
        prompts: The prompt of each turn.
        settings: How intervals are made.
    """

    def __init__(
        self,
        read: Sequence[Label],
        judged: Sequence[str | None],
        prompts: Sequence[Hashable],
        settings: Settings,
    ) -> None:
        import numpy as np

        self.settings = settings
        names = {prompt: at for at, prompt in enumerate(dict.fromkeys(prompts))}
        self.prompt = np.array([names[prompt] for prompt in prompts])
        self.fold = np.array([draw("fold", repr(prompt)) % settings.folds for prompt in names])
        self.read = np.array([LABELS.index(label) for label in read])
        given = [None if label is None else Label(label) for label in judged]
        self.judged = np.array(
            [INVALID if label is None else LABELS.index(label) for label in given]
        )
        self.tables = confusion.tables(read, given, prompts, LABELS)
        rng = np.random.default_rng(settings.seed)
        each = np.full(len(names), 1 / len(names))
        drawn = rng.multinomial(len(names), each, size=settings.resamples)
        self.weights = np.concatenate([np.ones((1, len(names))), drawn])

    @cached_property
    def totals(self) -> Floats:
        """Read by judged label: of the turns, then of each resample."""
        import numpy as np

        totals: Floats = np.tensordot(self.weights, self.tables, 1)
        return totals

    @property
    def confusion(self) -> dict[str, dict[str, int]]:
        """Turns by label read and label judged, without zeros."""
        names = (*map(str, LABELS), "invalid")
        whole = self.totals[0].astype(int)
        return {
            str(label): {names[at]: int(n) for at, n in enumerate(row) if n}
            for label, row in zip(LABELS, whole, strict=True)
            if row.any()
        }

    def precision(self) -> Bounded:
        """Share of the turns called follow-ups that are."""
        called = self.totals[:, :, FOLLOWUP]
        return self._share(called[:, FOLLOWUP], called.sum(axis=1), self.judged == FOLLOWUP)

    def recall(self) -> Bounded:
        """Share of the follow-ups that are called so."""
        are = self.totals[:, FOLLOWUP, :]
        return self._share(are[:, FOLLOWUP], are.sum(axis=1), self.read == FOLLOWUP)

    def agreement(self) -> Bounded:
        """Share of the turns with a valid label whose label is the one read."""
        valid = self.totals[:, :, :INVALID]
        same = valid.trace(axis1=1, axis2=2)
        return self._share(same, valid.sum(axis=(1, 2)), self.judged != INVALID)

    def kappa(self) -> Bounded:
        """Cohen's kappa over the turns with a valid label."""
        return self._bounded(_kappa(self.totals))

    def kappa_followup(self) -> Bounded:
        """The same of follow-up or not."""
        import numpy as np

        valid = self.totals[:, :, :INVALID]
        both = valid[:, FOLLOWUP, FOLLOWUP]
        read, called = valid[:, FOLLOWUP].sum(axis=1), valid[:, :, FOLLOWUP].sum(axis=1)
        neither = valid.sum(axis=(1, 2)) - read - called + both
        cells = np.stack([both, read - both, called - both, neither], axis=1)
        # No turn without a valid label is left.
        tables = np.pad(cells.reshape(-1, 2, 2), ((0, 0), (0, 0), (0, 1)))
        return self._bounded(_kappa(tables))

    def macro_f1(self) -> Bounded:
        """Mean F1 over the labels that are read."""
        import numpy as np

        present = np.flatnonzero(self.totals[0].sum(axis=1))
        each = [confusion.f1(self.totals, int(label)) for label in present]
        return self._bounded(np.nanmean(each, axis=0))

    def rates(self, group: NDArray[np.bool_]) -> dict[str, Bounded]:
        """Follow-up rate of some turns: as read, as judged, and with the judge's errors taken out.

        Every prompt counts the same. `adjusted` is Rogan and Gladen's estimate with the error rates
        of the judge on the turns of all groups, without those of the prompt's own fold: what it
        would have said of prompts that nobody had read.

        Args:
            group: Mask of the turns.
        """
        import numpy as np

        size = len(self.tables)
        count = np.bincount(self.prompt[group], minlength=size)
        shares: list[Floats] = [
            np.bincount(self.prompt[group], given[group] == FOLLOWUP, size) / np.maximum(count, 1)
            for given in (self.read, self.judged)
        ]
        chosen = self.settings
        read, judged = (
            cluster_rate(share[count > 0], chosen.confidence, chosen.resamples, chosen.seed)
            for share in shares
        )
        return {
            "read": Bounded(read.estimate, read.low, read.high),
            "judged": Bounded(judged.estimate, judged.low, judged.high),
            "adjusted": self._bounded(self._adjusted(shares[1], count > 0)),
        }

    def _adjusted(self, share: Floats, there: NDArray[np.bool_]) -> Floats:
        """Adjusted rate of the turns, then of each resample; NaN where the judge tells nothing.

        Args:
            share: Judged rate per prompt.
            there: Which prompts have turns in the group.
        """
        import numpy as np

        # Per prompt: follow-ups called so, follow-ups, others called so, others.
        right = self.tables[:, FOLLOWUP, FOLLOWUP]
        are, called = self.tables[:, FOLLOWUP].sum(axis=1), self.tables[:, :, FOLLOWUP].sum(axis=1)
        cells = np.stack([right, are, called - right, self.tables.sum(axis=(1, 2)) - are], axis=1)
        total = np.zeros(len(self.weights))
        for fold in range(self.settings.folds):
            inside = (self.fold == fold) & there
            if not inside.any():
                continue
            outside = self.fold != fold
            caught, follow, false, others = (self.weights[:, outside] @ cells[outside]).T
            weight = self.weights[:, inside]
            with np.errstate(invalid="ignore", divide="ignore"):
                sensitivity, alarm = caught / follow, false / others
                gain = np.where(sensitivity > alarm, sensitivity - alarm, np.nan)
                adjusted = (weight @ share[inside] - alarm * weight.sum(axis=1)) / gain
            total += np.where(weight.sum(axis=1) > 0, adjusted, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            rate: Floats = np.clip(total / self.weights[:, there].sum(axis=1), 0, 1)
        return rate

    def _share(self, part: Floats, whole: Floats, counted: NDArray[np.bool_]) -> Bounded:
        """A share of turns.

        Args:
            part: How many, of the turns and of each resample.
            whole: Of how many.
            counted: Mask of the turns that make up the whole.
        """
        import numpy as np

        if part[0] in (0, whole[0]):
            prompts = len(set(self.prompt[counted].tolist()))
            right = prompts if part[0] else 0
            exact = greedy_rate(right, prompts, self.settings.confidence)
            return Bounded(exact.estimate, exact.low, exact.high)
        with np.errstate(invalid="ignore"):
            return self._bounded(part / whole)

    def _bounded(self, values: Floats) -> Bounded:
        """Estimate and percentile bounds; resamples in which it is not defined are left out."""
        import numpy as np

        if not np.isfinite(values[0]):
            return NOTHING
        tail = (1 - self.settings.confidence) / 2
        low, high = np.nanquantile(values[1:], [tail, 1 - tail])
        value = float(values[0])
        return Bounded(value, min(float(low), value), max(float(high), value))


def _kappa(tables: Floats) -> Floats:
    """Cohen's kappa of tables, NaN of empty ones too."""
    import numpy as np

    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(confusion.kappa(tables), dtype=np.float64)
