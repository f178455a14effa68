"""What user turns cost, behind answers or perturbed ones."""

from __future__ import annotations

from userturn.turns.grid import Kind, turns_per_prompt
from userturn.workflow.plan.cost import Load
from userturn.workflow.plan.setting import Setting


def load(setting: Setting, slug: str, kind: Kind, contexts: int) -> Load:
    """Tokens of a model's user turns.

    Args:
        setting: The study.
        slug: The model.
        kind: Which turns.
        contexts: Different contexts behind one prompt, each of which is read once.
    """
    length, each = setting.lengths[slug], turns_per_prompt(setting.study, kind)
    one = setting.query_tokens + setting.count * (length.answer + setting.assumed.template_tokens)
    limit = setting.study.generate.user_turn.max_tokens
    return Load(
        requests=setting.count * each,
        tokens_in=one * each,
        tokens_read=one * min(contexts, each),
        tokens_out=setting.count * each * length.turn,
        tokens_out_most=float(setting.count * each * limit),
    )
