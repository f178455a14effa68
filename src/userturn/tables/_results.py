"""What tables are made of: the artifacts of a study, read once, and the tables made so far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from userturn.artifacts import files
from userturn.artifacts.csv_file import Row
from userturn.artifacts.not_asked import not_asked
from userturn.artifacts.prompts import read_prompts
from userturn.artifacts.schemas import OWN, PROMPT_KEY, SHOWN, TURN_KEY
from userturn.artifacts.turns import labels_of, measured, real_turns
from userturn.base import paths
from userturn.base.errors import ArtifactError
from userturn.base.registry import load
from userturn.study.report import HUMAN
from userturn.study.study import Study
from userturn.tables._groups import Group, by_prompt
from userturn.tables._table import GROUP, Table

if TYPE_CHECKING:
    import polars as pl

    from userturn.tables._groups import Groups


@dataclass(frozen=True)
class Judged:
    """The user turns of one model with the labels of one judge.

    Attributes:
        study: The study.
        model: Slug of the model.
        judge: Name of the judge.
        turns: Rows of `ModelResults.turns` with the columns of kind `labels`.
        unseen: The same of `ModelResults.unseen`; only turns that the judge was asked about.
    """

    study: Study
    model: str
    judge: str
    turns: pl.DataFrame
    unseen: pl.DataFrame

    @property
    def primary(self) -> bool:
        """Whether the judge is the one of the headline."""
        return self.judge == self.study.classify.primary

    @cached_property
    def groups(self) -> Groups:
        """Counts by prompt in each group, see `by_prompt`."""
        return by_prompt(self.turns)

    def identity(self, group: Group) -> Row:
        """The columns that say what a row is of."""
        return dict(zip(GROUP, (self.judge, self.primary, self.model, *group), strict=True))


@dataclass(frozen=True)
class ModelResults:
    """The artifacts of one probed model.

    Attributes:
        study: The study.
        slug: Slug of the model.
        answers: Rows of kind `answers` with the columns of kind `scores`.
        turns: Rows of `turns.measured`, sorted by their key, each with its `length` in tokens of
            the model. Measured, as they are judged, against the answer that their context showed.
        unseen: The turns under `swap` against their prompt's own answer, which they never saw.
        judged: Turns with labels, by judge.
        expected: Rows of kind `expected`; None of a model that was not asked.
    """

    study: Study
    slug: str
    answers: pl.DataFrame
    turns: pl.DataFrame
    unseen: pl.DataFrame
    judged: tuple[Judged, ...]
    expected: pl.DataFrame | None = None


@dataclass(frozen=True)
class Results:
    """What a study found.

    Attributes:
        study: The study.
        prompts: Rows of kind `prompts` of all datasets.
        models: Results of each probed model: families in the order of the study, each from small to
            large.
        human: The real next turns with labels, by judge; none where the study has none.
    """

    study: Study
    prompts: pl.DataFrame
    models: tuple[ModelResults, ...]
    human: tuple[Judged, ...] = ()
    _made: dict[str, list[Row]] = field(default_factory=dict, repr=False)

    def table(self, name: str) -> list[Row]:
        """Rows of a table, made once: a table may be made of the rows of others."""
        if name not in self._made:
            table: Table = load("tables", name, "TABLE")
            self._made[name] = table.rows(self)
        return self._made[name]

    def judged(self) -> Iterator[Judged]:
        """Every model's turns by every judge: models in their order, then judges in theirs."""
        for model in self.models:
            yield from model.judged


def read_results(study: Study) -> Results:
    """Read what the tables of a study are made of.

    Raises:
        ArtifactError: An artifact is missing, corrupt or does not belong to the others.
    """
    prompts = read_prompts(study.prompts.datasets)
    models = tuple(_read_model(study, slug) for slug in ordered(study))
    return Results(study, prompts, models, tuple(_read_human(study)))


def ordered(study: Study) -> list[str]:
    """Probed models: families in the order of the study, each from small to large.

    Models of one size, such as stages of one model's training, stand in the study's order.
    """
    families = list(dict.fromkeys(study.model[slug].family for slug in study.models.probe))

    def place(slug: str) -> tuple[int, float]:
        entry = study.model[slug]
        size = float("inf") if entry.parameters is None else entry.parameters
        return families.index(entry.family), size

    return sorted(study.models.probe, key=place)


def _read_model(study: Study, slug: str) -> ModelResults:
    import polars as pl

    turns, unseen = (
        measured(study, slug, against, tokens=False)
        .with_columns(length=pl.col("token_ids").list.len())
        .drop("token_ids", "against")
        .sort(TURN_KEY)
        for against in (SHOWN, OWN)
    )
    shown, own, silent = labels_of(slug), labels_of(slug, OWN), not_asked(slug)
    return ModelResults(
        study=study,
        slug=slug,
        answers=_read_answers(slug),
        turns=turns,
        unseen=unseen,
        judged=tuple(
            Judged(
                study,
                slug,
                judge,
                turns=_label(turns, shown.filter(judge=judge), judge, slug),
                unseen=unseen.join(own.filter(judge=judge), on=TURN_KEY, how="inner"),
            )
            for judge in study.classify.judges
            if judge not in silent
        ),
        expected=_read_expected(slug) if slug in study.models.expect else None,
    )


def _read_expected(slug: str) -> pl.DataFrame:
    return files.read(paths.artifact("expected", slug), "expected").sort(PROMPT_KEY)


def _read_human(study: Study) -> Iterator[Judged]:
    """The real next turns by judge, as turns of a speaker that has no controls."""
    import polars as pl

    if not study.prompts.human:
        return
    labelled = pl.concat(
        [files.read(paths.artifact("next_turns", one), "next_turns") for one in study.prompts.human]
    )
    rows = read_prompts(study.prompts.human).iter_rows(named=True)
    turns = pl.DataFrame(real_turns(rows), infer_schema_length=None)
    silent = {judge for one in study.prompts.human for judge in not_asked(one, "next_turns")}
    for judge in study.classify.judges:
        if judge in silent:
            continue
        ours = turns.join(labelled.filter(judge=judge), on=PROMPT_KEY, how="left")
        if missing := ours["judge"].null_count():
            raise ArtifactError(
                f"{paths.DATA / 'next_turns'}: {missing} real next turns have no row of judge "
                f"'{judge}'; run `dvc repro`"
            )
        ours = ours.with_columns(pl.col("temperature").cast(pl.Float64)).sort(PROMPT_KEY)
        yield Judged(study, HUMAN, judge, ours, ours.clear())


def _read_answers(slug: str) -> pl.DataFrame:
    """Answers with their scores."""
    answers = files.read(paths.artifact("answers", slug), "answers")
    scores = files.read(paths.artifact("scores", slug), "scores")
    if missing := answers.join(scores, on=PROMPT_KEY, how="anti").height:
        raise ArtifactError(
            f"{paths.artifact('scores', slug)}: lacks {missing} answers; run `dvc repro`"
        )
    return answers.join(scores, on=PROMPT_KEY, how="left").sort(PROMPT_KEY)


def _label(turns: pl.DataFrame, ours: pl.DataFrame, judge: str, slug: str) -> pl.DataFrame:
    """Turns with one judge's label."""
    import polars as pl

    generated = turns.filter(pl.col("skipped").is_null())
    missing = generated.join(ours, on=TURN_KEY, how="anti").height
    if missing:
        raise ArtifactError(
            f"{paths.artifact('labels', slug)}: {missing} user turns have no row of judge "
            f"'{judge}'; run `dvc repro`"
        )
    return turns.join(ours, on=TURN_KEY, how="left").sort(TURN_KEY)
