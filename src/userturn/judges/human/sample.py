"""Which turns people label: a stratified sample of the unperturbed turns, with known weights.

A stratum is one model and one label of the primary judge. Strata are drawn from equally, so that
rare labels are over-sampled; each drawn turn keeps the probability with which it was drawn, and
`weights` undoes the over-sampling. The sample is drawn once and kept by git: every annotator labels
the same turns, in an order of their own.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from userturn.artifacts.labels import Label
from userturn.artifacts.schemas import BASE, TURN_KEY
from userturn.artifacts.turns import labels_of
from userturn.base.errors import UserturnError
from userturn.base.files import write_text
from userturn.base.seeds import rank
from userturn.judges.human import labels as human

if TYPE_CHECKING:
    from userturn.study.study import Study

FILE = human.FOLDER / f"{human.SAMPLE}.jsonl"
INVALID = "invalid"
ITEMS = 300
LEAST = 2
"""Turns drawn from each stratum at the least: of one alone no spread can be known."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Truth:
    """What people say of one turn.

    Attributes:
        followup: Share of its annotators who call it a follow-up.
        weight: Turns that it stands for, see `weights`; 0 where nobody labelled it.
        annotators: Annotators who labelled it.
    """

    followup: float
    weight: float
    annotators: int


UNLABELLED = Truth(0, 0, 0)


class Sampled(human.Text):
    """One line of the sample."""

    stratum: str  # label of the primary judge when the sample was drawn, or `invalid`
    probability: Annotated[float, Field(gt=0, le=1)]  # with which the turn was drawn

    @property
    def text(self) -> human.Text:
        """The turn without its place in the sample."""
        return human.Text(**self.model_dump(include=set(human.Text.model_fields)))


def read_or_draw(study: Study, items: int | None) -> list[Sampled]:
    """The sample of this study; drawn and written where there is none.

    Args:
        study: Study whose turns are sampled.
        items: Turns to draw, by default ITEMS, or all where there are fewer; a sample that holds
            another number is refused.

    Raises:
        ArtifactError: An artifact is missing or corrupt.
        UserturnError: `items` is not the sample's size, or too few for the strata.
    """
    lines = read()
    everything = all(line.probability == 1 for line in lines)
    if lines and items and items != len(lines) and not (everything and items > len(lines)):
        raise UserturnError(
            f"{FILE}: holds {len(lines)} turns, not {items}; leave --items out, or delete the file "
            "to draw anew (labels already given keep counting for the turns drawn again)"
        )
    if not lines:
        lines = draw(strata(study), items or ITEMS, study.seed)
        write_text(FILE, "".join(f"{line.model_dump_json()}\n" for line in lines))
        log.info("%s: %d turns drawn; commit it with the labels", FILE, len(lines))
    return lines


def read() -> list[Sampled]:
    """The sample; empty where none was drawn."""
    return human.read_lines(FILE, Sampled)


def truth(
    study: Study, model: str, people: Mapping[str, Mapping[human.Text, Label]]
) -> dict[human.TurnId, Truth]:
    """What people say of the sampled turns of one model, by turn.

    Labels on turns outside the sample have no known weight, and labels on texts that were
    generated anew no turn; neither counts here.

    Args:
        study: Study whose turns were sampled.
        model: Slug of the model.
        people: `human.read_all()`.
    """
    sampled = [line for line in read() if line.model == model] if people else []
    if not sampled:
        return {}
    given: dict[human.Text, list[bool]] = defaultdict(list)
    for labels in people.values():
        for text, label in labels.items():
            given[text].append(label is Label.FOLLOWUP)
    return {
        text.turn_id: Truth(sum(given[text]) / len(given[text]), weight, len(given[text]))
        for text, weight in weights(sampled, human.shown(study, model), given).items()
    }


def strata(study: Study) -> dict[str, dict[human.Text, str]]:
    """Per model: every generated turn of `base`, with the primary judge's label or `invalid`."""
    population: dict[str, dict[human.Text, str]] = {}
    for slug in study.models.probe:
        primary = labels_of(slug).filter(judge=study.classify.primary)
        given = {tuple(key): label for *key, label in primary.select(*TURN_KEY, "label").rows()}
        population[slug] = {
            text: given.get(text.turn_id[1:]) or INVALID
            for text in human.shown(study, slug)
            if text.condition == BASE
        }
    return population


def draw(
    population: Mapping[str, Mapping[human.Text, str]], items: int, seed: int
) -> list[Sampled]:
    """Draw a stratified sample without replacement; all turns where there are no more than `items`.

    Args:
        population: Per model, every turn with its stratum.
        items: Size of the sample, in turns.
        seed: Which sample; the draw does not depend on the order of the turns.

    Raises:
        UserturnError: There are no turns, or `items` is below LEAST turns of each stratum.
    """
    members: dict[tuple[str, str], list[human.Text]] = defaultdict(list)
    for model, turns in population.items():
        for text, stratum in turns.items():
            members[model, stratum].append(text)
    if not members:
        raise UserturnError("there are no user turns to label; `dvc repro` makes them")
    least = sum(min(LEAST, len(texts)) for texts in members.values())
    if items < least:
        raise UserturnError(
            f"--items {items}: models and labels make {len(members)} strata; draw at least {least}"
        )
    counts = allocate({key: len(texts) for key, texts in members.items()}, items)
    return [
        Sampled(**text.model_dump(), stratum=key[1], probability=counts[key] / len(members[key]))
        for key in sorted(members)
        for text in shuffled(members[key], str(seed))[: counts[key]]
    ]


def allocate(sizes: Mapping[tuple[str, str], int], items: int) -> dict[tuple[str, str], int]:
    """Share `items` equally among strata; what a small one cannot fill goes to the larger ones."""
    counts: dict[tuple[str, str], int] = {}
    for place, stratum in enumerate(sorted(sizes, key=lambda key: (sizes[key], key))):
        left, strata_left = items - sum(counts.values()), len(sizes) - place
        counts[stratum] = min(sizes[stratum], left // strata_left)
    return counts


def shuffled(texts: Iterable[human.Text], seed: str) -> list[human.Text]:
    """A random order that depends on the seed and the set of texts alone."""
    return sorted(texts, key=lambda text: rank(seed, text.model_dump()))


def weights(
    sample: Iterable[Sampled], current: Collection[human.Text], labelled: Collection[human.Text]
) -> dict[human.Text, float]:
    """Turns that each labelled turn of the sample stands for.

    The inverse of the probability of being drawn, times that of being labelled so far: annotators
    see turns in random order, so that those labelled are a random part of their stratum.

    Args:
        sample: The sample.
        current: Texts that exist now; lines on others are left out.
        labelled: Texts with a human label.
    """
    lines = [line for line in sample if line.text in current]
    drawn = Counter((line.model, line.stratum) for line in lines)
    done = [line for line in lines if line.text in labelled]
    known = Counter((line.model, line.stratum) for line in done)
    return {
        line.text: drawn[line.model, line.stratum]
        / known[line.model, line.stratum]
        / line.probability
        for line in done
    }
