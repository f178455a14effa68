"""The schemas of all artifacts, as data: one per kind, with the columns that make its key.

Column types are pyarrow's names for them, so that this module imports without pyarrow. What is
measured of a turn stands in the rooms of `measures`, one module per measure and per context, and
the columns of `grounding` follow from them: whoever reads such an artifact depends on its file,
and the stage that writes the file depends on the rooms.
"""

from __future__ import annotations

from functools import cache

from userturn.base import registry

PROMPT_KEY = ("dataset", "item")
TURN_KEY = ("dataset", "item", "condition", "temperature", "sample")
AGAINST_KEY = (*TURN_KEY, "against")
"""A turn, and which answer it is measured and judged against: SHOWN or OWN."""
SHOWN = "shown"
"""Against the answer that its context showed: every turn has such a row."""
OWN = "own"
"""Against its prompt's own answer, which it never saw: turns of SWAP have this row too, a test."""
BASE = "base"
"""The condition of an unperturbed answer."""
SWAP = "swap"
"""The condition under which a context shows another prompt's answer."""
BEHIND = "behind_"
"""What the conditions are called under which a context shows another source's answer to the same
prompt: this, and the source. No perturbation's name begins so."""

PROMPTS = {
    "dataset": "string",
    "item": "string",  # stable id inside the dataset
    "order": "int64",  # place in the seeded order that `prompts.items` cuts
    "earlier": "list<message>",  # what stands in front of `text`, see messages.py; mostly nothing
    "text": "string",  # the user turn that asks: the query
    "verifier": "string",  # module of `verifiers`; null: no published verifier
    "target": "string",  # JSON that the verifier reads; null without a verifier
    "reference_answer": "string",  # an answer to `text` that ships with the dataset, or null
    "next_turn": "string",  # the real user turn behind `reference_answer`, or null
}
ANSWERS = {
    "dataset": "string",
    "item": "string",
    "request_id": "string",  # null where nothing was generated
    "context_tokens": "int64",
    "text": "string",  # what a conversation keeps of it; null where skipped
    "reasoning": "string",  # what the model thought before it; null where it did not
    "token_ids": "list<int32>",  # all that was generated, reasoning and text
    "end": "string",  # eos | stop_token | length | empty; null where skipped
    "stop_token": "string",
    "skipped": "string",  # why nothing was generated, or null
}
SCORES = {
    "dataset": "string",
    "item": "string",
    "verifier": "string",
    "score": "float64",  # strict task score in [0, 1]; null: not scored
    "score_loose": "float64",
    "unscored": "string",  # why there is no score, or null
}
_TURN: dict[str, str] = {
    "dataset": "string",
    "item": "string",
    "condition": "string",  # base, or a perturbation
    "temperature": "float64",
    "sample": "int64",
}
USER_TURNS = {
    **_TURN,
    "request_id": "string",
    "seed": "int64",
    "context_tokens": "int64",
    "text": "string",
    "token_ids": "list<int32>",
    "end": "string",
    "stop_token": "string",
    "stripped": "bool",  # a control word of the family was cut off the end
    "skipped": "string",
}
CONTROLS = {**USER_TURNS, "answer": "string"}  # the perturbed answer that the context shows
CROSS = {  # condition: BEHIND and the source
    **USER_TURNS,
    "answer_source": "string",  # `reference`, or a model of the study
    "answer": "string",  # its answer, which the context shows
}
_AGAINST = {**_TURN, "against": "string"}  # shown | own
LABELS = {
    **_AGAINST,
    "judge": "string",
    "label": "string",  # labels.Label; null: the judge gave no valid label
    "probability": "float64",  # of a follow-up; 1 or 0 by a rule; null: the judge gives none
    "invalid": "string",  # why there is no label, or null
    "reason": "string",  # the rule that fired, or the judge's rationale
    "rubric": "string",  # hash of what was fitted or of the rubric text
    "evidence_turn": "string",  # an LLM judge's quote from the turn; null without one
    "evidence_answer": "string",  # its quote from the answer; empty where it reacts to none
    "request_ids": "list<string>",  # what it was asked: once or twice; null for other judges
    "responses": "list<string>",  # its replies as they came, in the order of request_ids
}
NEXT_TURNS = {  # real ones, measured and judged against the answer that they follow
    "dataset": "string",
    "item": "string",
    **{name: type_ for name, type_ in LABELS.items() if name not in _AGAINST},
}
EXPECTED = {
    "dataset": "string",
    "item": "string",
    "log_p": "list<float64>",  # of each token of the real next turn, behind its own answer, nats
    "log_p_other": "list<float64>",  # behind another prompt's answer, in the same conversation
    "tokens": "int64",
    "own": "float64",  # mean of log_p
    "other": "float64",  # mean of log_p_other
    "skipped": "string",  # why nothing was scored, or null
}
_REFERENCE = {
    "set": "string",  # slug of `reference`
    "item": "string",  # its conversation or prompt; unique in the set
    "kind": "string",  # how it was made, see judges/calibration/reference.py
    "number": "int64",  # among the turns of this item and kind
    "source": "string",  # what a judge fitted elsewhere has not seen: a set of conversations
    "fold": "int64",  # fold of its query
    "label": "string",  # labels.Label by reading, or by construction
    "sure": "bool",  # whether another reader would hardly choose another label
    "condition": "string",  # of a turn that a model wrote; null for others
    "temperature": "float64",
    "given": "string",  # label of the judge of the study, or null
    "given_probability": "float64",  # of a follow-up; 1 or 0 where a rule gave the label
    "fitted": "string",  # label of a judge fitted on the other folds, or null
    "fitted_probability": "float64",
    "elsewhere": "string",  # label of a judge fitted on the other sets, or null
    "elsewhere_probability": "float64",
    "query": "string",
    "answer": "string",
    "turn": "string",
    "end": "string",
}
KEYS: dict[str, tuple[str, ...]] = {
    "prompts": PROMPT_KEY,
    "answers": PROMPT_KEY,
    "scores": PROMPT_KEY,
    "user_turns": TURN_KEY,
    "controls": TURN_KEY,
    "cross": TURN_KEY,
    "grounding": AGAINST_KEY,
    "labels": (*AGAINST_KEY, "judge"),
    "next_turns": (*PROMPT_KEY, "judge"),
    "expected": PROMPT_KEY,
    "reference": ("set", "item", "kind", "number"),
}
_FIXED = {
    "prompts": PROMPTS,
    "answers": ANSWERS,
    "scores": SCORES,
    "user_turns": USER_TURNS,
    "controls": CONTROLS,
    "cross": CROSS,
    "labels": LABELS,
    "expected": EXPECTED,
}

_FIRST_CONTEXTS = ("own", "neutral", "alone", "assistant")
_FIRST_MEASURES = ("uptake", "relevance", "role_voice", "restatement", "echo", "loop")
"""Order of columns; contexts and measures that are added come behind these, by name."""


@cache
def columns(kind: str) -> dict[str, str]:
    """Columns of an artifact with their types, in order.

    >>> columns("scores")["score"]
    'float64'

    Args:
        kind: Key of KEYS.
    """
    if kind == "grounding":
        return {**_AGAINST, **measured()}
    if kind == "next_turns":
        return {**NEXT_TURNS, **measured()}
    if kind == "reference":
        return {**_REFERENCE, **measured()}
    return _FIXED[kind]


@cache
def measured() -> dict[str, str]:
    """What is measured of a turn: column and type.

    `tokens` is the turn's length for the scorer, 0 where there is nothing to score, and
    `token_texts` what each token spells; then come the log-probability of each token behind each
    context, in nats to three decimals, and the measures. They are null where they cannot be worked
    out.
    """
    contexts = dict.fromkeys([*_FIRST_CONTEXTS, *registry.names("measures.contexts")])
    measures = registry.declared("measures.kinds", "MEASURE", first=_FIRST_MEASURES)
    return {
        "tokens": "int64",
        "token_texts": "list<string>",
        **{tokens_column(name): "list<float64>" for name in contexts},
        **{name: measure.type for name, measure in measures.items()},
    }


def tokens_column(context: str) -> str:
    """Column of the log-probabilities of a turn's tokens behind a context.

    >>> tokens_column("own"), tokens_column("neutral")
    ('log_p', 'log_p_neutral')
    """
    return "log_p" if context == "own" else f"log_p_{context}"
