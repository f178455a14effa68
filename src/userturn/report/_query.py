"""Every turn of a study, chosen as the page chooses among those that it holds.

What filters and orders go by is kept in memory, some tens of bytes a turn; texts stay in the
artifacts, and only those of the turns that are shown, or searched, are read.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from userturn.artifacts import files
from userturn.artifacts.prompts import read_prompts
from userturn.artifacts.schemas import BASE, PROMPT_KEY, SHOWN, TURN_KEY
from userturn.base import paths
from userturn.report._block import packed
from userturn.tables._results import ordered

if TYPE_CHECKING:
    import polars as pl

    from userturn.study.study import Study

KEY = ("model", *TURN_KEY)
NO_LABEL = "no label"
MOST = 100
"""Turns of one reply."""
SEARCHED = 32
"""Searches whose result is kept, by model and words."""

Order = Literal["", "uptake-down", "uptake-up", "probability-down", "probability-up"]


class Wanted(BaseModel):
    """Which turns, as the page's address says it; an empty text is no matter."""

    model_config = ConfigDict(extra="forbid")

    model: str = ""
    dataset: str = ""
    condition: str = ""
    temperature: float | Literal[""] = ""
    judge: str = ""
    label: str = ""
    agree: Literal["", "no"] = ""
    order: Order = ""
    q: str = ""
    offset: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(ge=1, le=MOST)] = 20


class Every:
    """The turns of a study that have a row of the primary judge.

    Args:
        study: The study, all of whose artifacts are there.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._matching = lru_cache(SEARCHED)(self._search)

    @cached_property
    def index(self) -> pl.DataFrame:
        """A row per turn: KEY, `uptake`, and by judge `label <judge>` and `probability <judge>`.

        Raises:
            ArtifactError: An artifact is missing or corrupt.
        """
        import polars as pl

        frame = pl.concat([self._read(slug) for slug in ordered(self._study)])
        labels = [pl.col(f"label {judge}") for judge in self._study.classify.judges]
        pairs = [(one != other).fill_null(value=False) for one, other in combinations(labels, 2)]
        return frame.with_columns(disagree=pl.any_horizontal(pl.lit(value=False), *pairs))

    def choose(self, wanted: Wanted) -> pl.DataFrame:
        """Keys of the turns that are wanted, in their order, also beyond `offset` and `count`."""
        import polars as pl

        judge = wanted.judge if wanted.judge in self._judges else self._study.classify.primary
        chosen = self.index
        for name in ("model", "dataset", "condition", "temperature"):
            value = getattr(wanted, name)
            if value != "":
                chosen = chosen.filter(pl.col(name) == value)
        if wanted.label:
            chosen = chosen.filter(pl.col(f"label {judge}").fill_null(NO_LABEL) == wanted.label)
        if wanted.agree:
            chosen = chosen.filter("disagree")
        if words := wanted.q.strip().lower():
            slugs = chosen["model"].unique(maintain_order=True).to_list()
            parts = [self._matching(slug, words) for slug in slugs]
            chosen = (
                chosen.join(pl.concat(parts), on=KEY, how="semi", maintain_order="left")
                if parts
                else chosen
            )
        if wanted.order:
            what, _, way = wanted.order.partition("-")
            column = "uptake" if what == "uptake" else f"probability {judge}"
            chosen = chosen.sort(
                column, descending=way == "down", nulls_last=True, maintain_order=True
            )
        return chosen.select(KEY)

    def answer(self, wanted: Wanted) -> dict[str, Any]:
        """How many turns are wanted, and some of them as a block without its head."""
        keys = self.choose(wanted)
        return {
            "count": keys.height,
            **packed(self._study, keys.slice(wanted.offset, wanted.count)),
        }

    def beside(self, turn: str) -> dict[str, Any] | None:
        """All turns of the prompt of a turn, of every model; None where there is no such turn.

        Args:
            turn: Its name in addresses, see `key_of`.
        """
        import polars as pl

        key = key_of(turn)
        if key is None:
            return None
        same = pl.all_horizontal(pl.col(name) == key[name] for name in ("dataset", "item"))
        ours = self.index.filter(same)
        if ours.filter(**key).is_empty():
            return None
        return {"count": ours.height, **packed(self._study, ours.select(KEY))}

    @property
    def _judges(self) -> list[str]:
        return list(self._study.classify.judges)

    def _read(self, slug: str) -> pl.DataFrame:
        """Index of one model."""
        import polars as pl

        columns = (*TURN_KEY, "against", "judge", "label", "probability")
        rows = files.read(paths.artifact("labels", slug), "labels", columns)
        rows = rows.filter(pl.col("against") == SHOWN).drop("against")
        grounding = files.read(
            paths.artifact("grounding", slug), "grounding", (*TURN_KEY, "against", "uptake")
        )
        uptake = grounding.filter(pl.col("against") == SHOWN).drop("against")
        turns = rows.filter(judge=self._study.classify.primary).select(TURN_KEY)
        turns = turns.join(uptake, on=TURN_KEY, how="left", maintain_order="left")
        for judge in self._judges:
            ours = rows.filter(judge=judge).select(
                *TURN_KEY,
                pl.col("label").cast(pl.Categorical).alias(f"label {judge}"),
                pl.col("probability").cast(pl.Float32).alias(f"probability {judge}"),
            )
            turns = turns.join(ours, on=TURN_KEY, how="left", maintain_order="left")
        return turns.select(pl.lit(slug).alias("model"), pl.all())

    def _search(self, slug: str, words: str) -> pl.DataFrame:
        """Keys of a model's turns with some words, in lower case, in query, answer or turn."""
        import polars as pl

        def has(name: str) -> pl.Expr:
            return (
                pl.col(name)
                .str.to_lowercase()
                .str.contains(words, literal=True)
                .fill_null(value=False)
            )

        answers = files.read(paths.artifact("answers", slug), "answers", (*PROMPT_KEY, "text"))
        own = files.read(paths.artifact("user_turns", slug), "user_turns", (*TURN_KEY, "text"))
        changed = files.read(
            paths.artifact("controls", slug), "controls", (*TURN_KEY, "text", "answer")
        )
        asked = self._prompts.filter(has("text") | has("said")).select(PROMPT_KEY)
        answered = answers.filter(has("text")).select(PROMPT_KEY)
        turns = pl.concat([own, changed], how="diagonal")
        behind = pl.col("condition") == BASE
        matching = turns.filter(has("text") | has("answer")).select(TURN_KEY)
        by_prompt = [
            turns.join(asked, on=PROMPT_KEY, how="semi"),
            turns.filter(behind).join(answered, on=PROMPT_KEY, how="semi"),
        ]
        keys = pl.concat([matching, *(one.select(TURN_KEY) for one in by_prompt)]).unique()
        return keys.select(pl.lit(slug).alias("model"), pl.all())

    @cached_property
    def _prompts(self) -> pl.DataFrame:
        import polars as pl

        said = pl.col("earlier").list.eval(pl.element().struct.field("content")).list.join("\n")
        prompts = read_prompts(self._study.prompts.datasets)
        return prompts.select(*PROMPT_KEY, "text", said.alias("said"))


def key_of(turn: str) -> dict[str, Any] | None:
    """Model and key of a turn by its name in the page's addresses; None where it is no such name.

    >>> key_of("m/gsm8k/0001/base/0.7/2")["temperature"]
    0.7
    """
    parts = turn.split("/")
    if len(parts) < 6:
        return None
    model, dataset, *item, condition, temperature, sample = parts
    try:
        return {
            "model": model,
            "dataset": dataset,
            "item": "/".join(item),
            "condition": condition,
            "temperature": float(temperature),
            "sample": int(sample),
        }
    except ValueError:
        return None
