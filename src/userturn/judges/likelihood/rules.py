"""What the likelihood judge reads off the text alone, before it weighs anything. Pure.

The first rule that fires gives the label, in this order:

1. `empty`: no text.
2. `degenerate`: no word, one letter over and over, mostly symbols, or cut at the token limit within
   the first words.
3. `meta`: speaks about which turn to write, or sets up a role.
4. `generic`: a short closing with a word of thanks or goodbye and no other content.
5. `followup`: a yes or no where the answer ends in a question.
6. `assistant_voice`: an opening that belongs to the assistant, or a passage of the answer said over
   again by one who only states.

They are for what is certain, or too rare to be fitted; `trees.py` decides the rest. What only an
English list of words says does not fire in other languages. The reason of a label names its rule,
so a reader can count how much rests on a list.
"""

from __future__ import annotations

import unicodedata

from userturn.artifacts.labels import Label
from userturn.judges.likelihood import lists
from userturn.judges.likelihood.evidence import Evidence
from userturn.measures.kinds.echo import echo
from userturn.measures.overlap import FUNCTION_WORDS, words

CUT_WORDS = 4
"""A turn cut at the token limit is unreadable if it holds no more words than this."""

SHORT = 12
"""Words of the longest turn that can be a mere closing, or the answer to a question."""

OTHER_WORDS = 2
"""Content words beside the lists, none of them the answer's, that a closing may hold."""

STATEMENT_WORDS = 8
"""A shorter turn may be a fragment in either voice."""

SYMBOLS = 0.3
"""Least share of letters, marks and digits among the visible characters."""

ENGLISH = 0.2
"""Least share of function words in a text that can be read as English."""

REPEATS = 0.75
"""Share of a turn's words in a passage of the answer from which it repeats that."""


def rule(turn: Evidence) -> tuple[Label, str] | None:
    """Label and reason by the first rule that fires; None where none does."""
    text = turn.text.strip()
    if not text:
        return Label.EMPTY, "no text"
    spoken = words(text)
    if reason := _degenerate(turn, spoken):
        return Label.DEGENERATE, reason
    if lists.META.search(text):
        return Label.META, "speaks about which turn to write, or sets up a role"
    asked = bool(lists.QUESTION_MARK.search(turn.answer.strip()[-1:]))
    answers_it = asked and len(spoken) <= SHORT and bool(lists.YES_NO.match(text))
    if _closes(text, spoken, turn.answer, answers_it=answers_it):
        return Label.GENERIC, "a closing without content"
    if answers_it:
        return Label.FOLLOWUP, "answers the question that the answer ends in"
    if lists.ASSISTANT_PHRASE.match(text):
        return Label.ASSISTANT_VOICE, "opens as an assistant"
    # Who is asked may answer with a statement.
    if not asked and states(text) and (repeated := echo(text, turn.answer)) >= REPEATS:
        return Label.ASSISTANT_VOICE, f"repeats the answer: {repeated:.2f} of its words"
    return None


def states(text: str) -> bool:
    """Whether a text does nothing that a user does: ask, request, or speak of `I` and `you`.

    Only English can be read this way; a short text, or one in another language, is no statement.
    """
    spoken = words(text)
    if (
        len(spoken) < STATEMENT_WORDS
        or lists.QUESTION_MARK.search(text)
        or lists.SPEAKER & set(spoken)
    ):
        return False
    if sum(word in FUNCTION_WORDS for word in spoken) < ENGLISH * len(spoken):
        return False
    sentences = map(words, lists.SENTENCE_END.split(text))
    openings = {sentence[0] for sentence in sentences if sentence}
    within = set(lists.CLAUSE_START.findall(text.casefold()))
    return not (
        openings & (lists.REQUEST | lists.QUESTION) or within & (lists.REQUEST | lists.AUXILIARY)
    )


def _degenerate(turn: Evidence, spoken: tuple[str, ...]) -> str | None:
    """Why a turn cannot be read, or None."""
    if not spoken and not any(unicodedata.category(c) == "So" for c in turn.text):
        return "holds no word"
    if lists.RUN.search(turn.text):
        return "one letter over and over"
    visible = [c for c in turn.text if not c.isspace()]
    worded = sum(unicodedata.category(c)[0] in "LMN" for c in visible)
    if spoken and worded < SYMBOLS * len(visible):
        return "mostly symbols"
    if turn.cut and len(spoken) <= CUT_WORDS and not lists.SENTENCE_END.search(turn.text):
        return "cut at the token limit within the first words"
    return None


def _closes(text: str, spoken: tuple[str, ...], answer: str, *, answers_it: bool) -> bool:
    """Whether a turn is a closing that takes nothing from the answer."""
    used = set(spoken)
    if not used:  # `_degenerate` let it pass: an emoji
        return True
    if len(spoken) > SHORT or lists.QUESTION_MARK.search(text) or not used & lists.CLOSING:
        return False
    if (answers_it or used & lists.NEGATION) and not used & lists.THANKS:
        return False
    content = used - FUNCTION_WORDS - lists.CLOSING - lists.COURTESY - lists.NEGATION
    return len(content) <= OTHER_WORDS and not content & (lists.REQUEST | set(words(answer)))
