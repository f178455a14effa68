"""Which turns the page holds.

A stratum is what shares model, dataset, condition, temperature and the primary judge's label. Every
stratum gives its first turn, then every one its second, and so on until the page is full, by turns
or by text; so a rare label is not crowded out. Inside a stratum the prompts stand in an order that
the study's seed gives, the same in all strata, so that the turns of one prompt come in together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from userturn.artifacts.schemas import PROMPT_KEY, TURN_KEY
from userturn.artifacts.turns import frame, labels_of
from userturn.base.seeds import rank
from userturn.study.study import Study
from userturn.tables._results import ordered

if TYPE_CHECKING:
    import polars as pl

MOST = 5000
"""Turns in the page."""
MOST_BYTES = 11_000_000
"""Text in the page, so that it opens at once: turns twice, for their words, and answers once."""
RULE = (
    "A stratum is what shares model, dataset, condition, temperature and the headline judge's "
    "label. Every stratum gives its first turn, then every one its second, until there are "
    f"{MOST:,} turns or {MOST_BYTES // 10**6} MB of text; inside a stratum the prompts stand in a "
    "seeded order, the same in all."
)
STRATUM = ("model", "dataset", "condition", "temperature", "label")


@dataclass(frozen=True)
class Sample:
    """Turns of a study.

    Attributes:
        keys: Their models and keys, models and prompts in the order of the study.
        total: Turns with a row of the primary judge, from which they are drawn.
    """

    keys: pl.DataFrame
    total: int

    @property
    def whole(self) -> bool:
        """Whether it is all of them."""
        return self.keys.height == self.total

    def of(self, slug: str) -> pl.DataFrame:
        """Keys of one model's turns."""
        return self.keys.filter(model=slug).drop("model")


def draw(study: Study, most: int = MOST, most_bytes: int = MOST_BYTES) -> Sample:
    """Draw turns for the page.

    Args:
        study: The study.
        most: Turns that are drawn at most.
        most_bytes: Text that they may have.

    Raises:
        ArtifactError: The labels of a model are missing, corrupt, or of another study.
    """
    import polars as pl

    labelled = [
        labels_of(slug)
        .filter(judge=study.classify.primary)
        .select(pl.lit(slug).alias("model"), *TURN_KEY, "label")
        for slug in ordered(study)
    ]
    turns = pl.concat(labelled)
    places = {
        key: place
        for place, key in enumerate(
            sorted(set(turns.select(PROMPT_KEY).iter_rows()), key=lambda key: rank(study.seed, key))
        )
    }
    order = pl.DataFrame(
        [(*key, place) for key, place in places.items()],
        schema={"dataset": pl.String, "item": pl.String, "place": pl.Int64},
        orient="row",
    )
    chosen = (
        turns.join(order, on=PROMPT_KEY, how="left", maintain_order="left")
        .sort("place", "sample", maintain_order=True)
        .with_columns(turn=pl.int_range(pl.len()).over(STRATUM))
        .sort("turn", "place", maintain_order=True)
        .head(most)
    )
    fitting = _sizes(study, chosen).filter(pl.col("bytes").cum_sum() <= most_bytes)
    keys = turns.select("model", *TURN_KEY).join(
        fitting, on=("model", *TURN_KEY), how="semi", maintain_order="left"
    )
    return Sample(keys, turns.height)


def _sizes(study: Study, chosen: pl.DataFrame) -> pl.DataFrame:
    """The turns with the `bytes` that each adds to the page: an answer counts where it is new."""
    import polars as pl

    keys = ("model", *TURN_KEY)
    texts = pl.concat(
        frame(study, slug, ours["item"].unique().to_list())
        .join(ours, on=TURN_KEY, how="semi")
        .select(pl.lit(slug).alias("model"), *TURN_KEY, "text", "shown")
        for slug in ordered(study)
        if not (ours := chosen.filter(model=slug)).is_empty()
    )
    new = pl.col("shown").is_first_distinct()
    size = 2 * pl.col("text").str.len_bytes() + pl.col("shown").str.len_bytes() * new
    return (
        chosen.join(texts, on=keys, how="left", maintain_order="left")
        .with_columns(bytes=size.fill_null(0))
        .drop("text", "shown")
    )
