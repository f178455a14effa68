"""What a plan is made of: the study, its prompts and lengths, and the jobs that come of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from userturn.study.study import Study
from userturn.workflow.plan.assumptions import Assumptions
from userturn.workflow.plan.cost import Load

Basis = Literal["artifact", "source", "registry", "assumed"]


@dataclass(frozen=True, slots=True)
class Prompts:
    """The prompts of one dataset that a study takes.

    Attributes:
        count: How many.
        tokens: Their mean length.
        longest: Length of the longest; None where they were not looked at.
        basis: What says so: the artifact of stage `prompts`, the source on this machine, the
            registry, or an assumption.
    """

    count: int
    tokens: float
    longest: float | None
    basis: Basis


@dataclass(frozen=True, slots=True)
class Lengths:
    """Mean lengths of what one model writes, tokens, and whether they were measured."""

    answer: float
    turn: float
    measured: bool


@dataclass(frozen=True)
class Setting:
    """A study and what is known of it before it runs.

    Attributes:
        study: The study.
        prompts: Its prompts by dataset.
        lengths: What each probed model writes.
        assumed: Everything else.
    """

    study: Study
    prompts: Mapping[str, Prompts]
    lengths: Mapping[str, Lengths]
    assumed: Assumptions

    @property
    def count(self) -> int:
        """Prompts of all datasets."""
        return sum(one.count for one in self.prompts.values())

    @property
    def query_tokens(self) -> float:
        """Tokens of all prompts together, each once."""
        return sum(one.count * one.tokens for one in self.prompts.values())


@dataclass(frozen=True, slots=True)
class Job:
    """What one stage asks of one model, all requests of a kind.

    Attributes:
        stage: Stage as DVC names it.
        kind: What the requests are for, as `userturn status` calls it.
        about: The probed model whose rows it makes; None for jobs of the whole study.
        runs_on: Slug of the model that computes; None: one that is not in the registry.
        load: Everything that it asks.
        scores: It scores given tokens and writes none.
        priced: A server that takes money per token.
    """

    stage: str
    kind: str
    about: str | None
    runs_on: str | None
    load: Load
    scores: bool = False
    priced: bool = False


JobKind = Callable[[Setting], Iterable[Job]]
"""What a module of `jobs/` defines as JOBS."""
