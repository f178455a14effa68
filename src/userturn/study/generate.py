"""What is asked of which models: prompts, answers, user turns, perturbations."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from userturn.study.section import Count, NameIn, Section, Share, Slug, Temperature, Unique, field

SELF: Final = "self"
"""The source of answers that is the model itself."""
REFERENCE: Final = "reference"
"""The source of answers that is the dataset."""
Source = Slug
"""SELF, REFERENCE, or a slug of `models.probe`."""


class Prompts(Section):
    """Which prompts the models answer."""

    datasets: Annotated[list[Slug], Field(min_length=1), Unique] = field(..., "Slugs of `dataset`.")
    human: Annotated[list[Slug], Unique] = field(
        list,
        "Those of the datasets whose real next user turns are measured and judged as the speaker "
        "`human`; they have `next_turn` and `reference_answer`.",
    )
    items: Count | None = field(
        12,
        "First n of a seeded order, so that a larger n contains the smaller; null: all.",
        "prompts",
    )


class Models(Section):
    """Which models take part."""

    pretrained: Annotated[list[Slug], Field(min_length=1), Unique] = field(
        ..., "Slugs of `model` whose weights are fetched."
    )
    trained: Annotated[list[Slug], Field(max_length=0), Unique] = field(
        list, "Training recipes; this release has none, so the list is empty."
    )
    probe: Annotated[list[Slug], Field(min_length=1), Unique] = field(
        ..., "Models that answer and generate user turns."
    )
    cross: Annotated[list[Slug], Unique] = field(
        list,
        "Those of models.probe that also write user turns behind the other answers that "
        "generate.answer_source names.",
    )
    expect: Annotated[list[Slug], Unique] = field(
        list,
        "Those of models.probe that say how likely the real next turns of prompts.human are; the "
        "transformers engine runs them.",
    )


class AnswerParams(Section):
    """Sampling of answers."""

    temperature: Temperature = field(0.0, "Softmax temperature; 0 is greedy.")
    top_p: Share = field(1.0, "Nucleus mass.", "share")
    max_tokens: Count = field(192, "Limit of an answer.", "tokens")


class UserTurnParams(Section):
    """Sampling of user turns."""

    temperatures: Annotated[list[Temperature], Field(min_length=1), Unique] = field(
        lambda: [0.0, 0.7, 1.0], "Softmax temperatures; 0 is greedy and has one sample."
    )
    samples: Count = field(4, "User turns per prompt and temperature above 0.", "samples")
    top_p: Share = field(1.0, "Nucleus mass.", "share")
    max_tokens: Count = field(64, "Limit of a user turn.", "tokens")


class Generate(Section):
    """Answers and user turns."""

    answer: AnswerParams = field(AnswerParams, "Sampling of answers.")
    user_turn: UserTurnParams = field(UserTurnParams, "Sampling of user turns.")
    context: Literal["history", "live"] = field(
        "history",
        "`history`: as a real three-message conversation renders; `live`: the answer as it was "
        "rendered when generated, then the user header.",
    )
    answer_source: Source | Annotated[list[Source], Field(min_length=1), Unique] = field(
        SELF,
        "Whose answers user turns are written behind: `self`, the model's own; `reference`, the "
        "dataset's; a slug of models.probe; or a list. The models of models.cross write behind "
        "those of others, as conditions `behind_<source>`, and behind their own in any case; "
        "`reference` alone takes the place of the models' answers.",
    )

    @property
    def own_source(self) -> str:
        """Whose answers the headline's user turns stand behind: SELF, or REFERENCE alone."""
        return REFERENCE if self._sources == [REFERENCE] else SELF

    @property
    def other_sources(self) -> list[str]:
        """Whose answers the models of `models.cross` write behind as well."""
        return [source for source in self._sources if source != self.own_source]

    @property
    def _sources(self) -> list[str]:
        given = self.answer_source
        return [given] if isinstance(given, str) else given


ConditionName = Annotated[str, NameIn("perturbations")]


class Perturb(Section):
    """Controlled perturbations of the answer."""

    conditions: Annotated[list[ConditionName], Unique] = field(
        lambda: ["truncate", "ask", "swap", "close"], "Perturbations (src/userturn/perturbations/)."
    )
    temperatures: Annotated[list[Temperature], Field(min_length=1), Unique] = field(
        lambda: [0.0], "Softmax temperatures of the perturbed conditions."
    )
