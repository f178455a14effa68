"""How often a prompt's turns are compared with an answer: what scorer and judges are asked."""

from __future__ import annotations

from userturn.artifacts.schemas import BASE
from userturn.artifacts.turns import answers_of
from userturn.study.study import Study
from userturn.turns.grid import turn_keys


def comparisons(study: Study) -> int:
    """Turns of one prompt, each as often as there are answers that it is judged against."""
    keys = [*turn_keys(study, "user_turns", [("", "")]), *turn_keys(study, "controls", [("", "")])]
    return sum(len(answers_of(key.condition)) for key in keys)


def answers(study: Study) -> int:
    """Different answers that the turns of one prompt are compared with."""
    return len({BASE, *study.perturb.conditions})
