"""The likelihood judge: rules on the text and role voice, then a classifier over the measures.

Pure. The first rule that fires gives the label, in this order:

1. `empty`: no text.
2. `degenerate`: a loop, no word, mostly symbols, or cut at the token limit within the first words.
3. `restatement`: `R` reaches its threshold.
4. `meta`: speaks about which turn to write.
5. `generic`: a short closing with a word of thanks or goodbye and no other content.
6. `assistant_voice`: an opening or a form that belongs to the assistant, a passage of the answer
   said over again, or `V` below its threshold.
7. `followup`: a yes or no where the answer ends in a question.

What no rule decides is a `followup` if the fitted classifier (`calibration.py`) finds that likely
enough by the measures, and else `unrelated`. A question that fits any answer ("Can you explain
more?") ends there: asking is not enough.

The word lists are English: in other languages only the rules that read no words apply, and the
likelihoods. The reason of a label names its rule, so a reader can count how much rests on a list.
"""

from __future__ import annotations

import re
import unicodedata

from userturn.artifacts.labels import Label
from userturn.judges.likelihood.calibration import Calibration
from userturn.judges.likelihood.evidence import Evidence
from userturn.measures.overlap import FUNCTION_WORDS, word_set, words
from userturn.study.classify import LikelihoodThresholds

CUT_WORDS = 4
"""A turn cut at the token limit is unreadable if it holds no more words than this."""

STATEMENT_WORDS = 8
"""A shorter turn may be a fragment in either voice."""

THANKS = word_set("thanks thank thx ty bye goodbye cheers appreciate appreciated")
CLOSING = THANKS | word_set(
    """
    ok okay cool great good nice perfect awesome excellent wonderful amazing brilliant fantastic
    interesting lovely alright fine yes yeah yep understood welcome got cya later
    """
)
"""Words that make a closing; one of them has to be there, and one of THANKS where it negates."""

COURTESY = word_set(
    """
    lot much many help helped helpful helping see day hi hello hey wow answer response explanation
    information info advice reply time work job well makes make sense know enough everything
    anything im ive oh ah hmm best take care kind nothing else need needed question questions clear
    assistance night weekend
    """
)
"""Words that a closing may hold beside them."""

NEGATION = word_set("no not nope t wrong but however")

META = re.compile(
    r"""
    ^\W*(?:
      the \s user (?:'s \s next | \s next | \s asks | \s is \s asking)\b
    | as \s (?:a|the) \s (?:human \s)? user,? \s (?:i|my|you)\b
    | (?:here \s (?:is|are) | here's) \s .{0,40}
      \b (?:follow[- ]?up | user \s (?:turn|message|query))
    | (?:(?:a|one|another|some) \s)? (?:possible|potential|good) \s
      (?:follow[- ]?up | next \s (?:question|message|turn))
    | (?:possible \s)? follow[- ]?up (?:\s question)? s? \s? :
    | (?:i|we) \s (?:should|need \s to|have \s to|must) \s \w+ \s .{0,30}
      \b (?:user | follow[- ]?up | next \s (?:question|message|turn))\b
    | (?:okay,? \s)? the \s (?:conversation|assistant) \s (?:so \s far|has \s|just|gave|answered)
    )
    | \b (?:next|following) \s (?:user|human) \s (?:turn|message|query)
    | \b user \s (?:would|should|might|may|could|will) \s (?:now \s|then \s|next \s|likely \s)?
      (?:ask|say|respond|reply|follow \s up)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Turns about which turn to write, instead of the turn."""

ASSISTANT_PHRASE = re.compile(
    r"""
    ^\W*(?:
      (?:sure|certainly|absolutely|of \s course)\b \W+ (?:here|i|let|below)\b
    | as \s an? \s (?:ai \s)? (?:language \s model|assistant)
    | i'?m \s (?:sorry|afraid) ,? \s but \s i \s (?:can|am|do)
    | i \s apologi[sz]e \s for \s (?:the|any|my)
    | (?:you're|you \s are) \s (?:welcome|a \s helpful) | glad \s i \s could
    | (?:i'?m|i \s am) \s (?:happy|glad|here) \s to \s (?:help|assist)
    | (?:is \s there \s anything \s else|how \s (?:can|may) \s i \s (?:help|assist))
    | (?:(?:also|and|so) ,? \s)? (?:are \s you \s (?:looking \s for|interested \s in)
      |would \s you \s like \s (?:me \s to|to \s (?:know|learn|hear|see|try)))\b
    | (?:assistant|system|ai) \s? :
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Openings that only an assistant, or its system prompt, writes."""

ASSISTANT_START = re.compile(
    r"""
    ^\W*(?:
      (?:here's|here \s (?:is|are)) \s (?:a|an|some|your|how|one|another|\d+)\b
    | (?:to|in \s order \s to) \s (?:solve|answer|find|determine|calculate|create|write)\b
    | let's \s (?:break|start|solve|analy[sz]e|calculate|denote)\b
    | (?:step \s \d | the \s final \s answer \s is | in \s (?:conclusion|summary))\b
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Openings of an assistant, unless a question follows."""

REQUEST = word_set(
    """
    add answer calculate change check compare compute consider continue convert correct count create
    define describe determine discuss draw edit elaborate estimate evaluate explain expand express
    find fix generate give go help identify imagine implement include keep let list look make
    modify now pick please point prove provide put redo reformat rephrase replace rewrite reword
    remove respond restate say select share shorten show simplify solve start state suggest
    suppose summarize summarise tell think transform translate try turn use verify write
    """
)
"""Imperatives with which a request to an assistant opens."""

AUXILIARY = word_set(
    "can could would will should do does did is are was were am has have had may might"
)
QUESTION = AUXILIARY | word_set("what how why when where who which whose whom")
"""Words with which a question opens, in case its question mark is missing."""

SPEAKER = word_set("i im ive id me my mine we our us you your youre yours")
"""Persons of a dialogue: a user speaks of themself and to the assistant."""

YES_NO = re.compile(
    r"^\W*(?:yes|yeah|yep|yup|sure|please|no|nope|not \w+|go ahead|that would)\b", re.IGNORECASE
)
RUN = re.compile(r"([^\W\d_])\1{15}")
CLAUSE_START = re.compile(r"[,;:]\s+(?:(?:and|but|so|or|then|now|also)\s+)?(\w+)")
SENTENCE_END = re.compile(r"[.!?\u3002\uff01\uff1f\u061f\u0964\n]")
QUESTION_MARK = re.compile(r"[?\uff1f\u061f\u037e]")


OTHER_WORDS = 2
"""Content words beside the lists, none of them the answer's, that a closing may hold."""

SYMBOLS = 0.3
"""Least share of letters, marks and digits among the visible characters."""

ENGLISH = 0.2
"""Least share of function words in a text that can be read as English."""


def judge(
    turn: Evidence, thresholds: LikelihoodThresholds, calibration: Calibration
) -> tuple[Label | None, str]:
    """Label one turn.

    Returns:
        The label and what gave it; or None and why there is no label, where the rules on the text
        leave it open and likelihoods are missing.
    """
    if ruled := rules(turn, thresholds, calibration.role_voice):
        return ruled
    probability = calibration.probability(turn)
    label = Label.FOLLOWUP if probability >= calibration.least else Label.UNRELATED
    sign = ">=" if label is Label.FOLLOWUP else "<"
    measured = f"C {turn.relevance:.1f}, G {turn.grounding:.3f}, V {turn.role_voice:.3f}"
    return label, f"p(followup) {probability:.2f} {sign} {calibration.least:g}: {measured}"


def rules(
    turn: Evidence, thresholds: LikelihoodThresholds, role_voice: float
) -> tuple[Label | None, str] | None:
    """What the rules say of one turn, first of all rules that fire.

    Args:
        turn: The turn and its measures.
        thresholds: Thresholds of the study.
        role_voice: Fitted threshold of `V`.

    Returns:
        As `judge`; None where they leave a scored turn to the classifier.
    """
    text = turn.text.strip()
    if not text:
        return Label.EMPTY, "no text"
    spoken = words(text)
    if reason := _degenerate(turn, spoken, thresholds):
        return Label.DEGENERATE, reason
    if (turn.restatement or 0) >= thresholds.restatement:
        return Label.RESTATEMENT, f"R {turn.restatement:.2f} >= {thresholds.restatement:g}"
    asked = bool(QUESTION_MARK.search(turn.answer.strip()[-1:]))
    answers_it = asked and len(spoken) <= thresholds.generic_words and bool(YES_NO.match(text))
    if _closes(text, spoken, turn.answer, thresholds.generic_words, answers_it=answers_it):
        return Label.GENERIC, "a closing without content"
    if META.search(text):
        return Label.META, "speaks about which turn to write"
    if ASSISTANT_PHRASE.match(text) or (
        ASSISTANT_START.match(text) and not QUESTION_MARK.search(text)
    ):
        return Label.ASSISTANT_VOICE, "opens as an assistant"
    stated = states(text) and not asked  # who is asked may answer with a statement
    if stated and (turn.echo or 0) >= thresholds.restatement:
        return Label.ASSISTANT_VOICE, f"repeats the answer: {turn.echo:.2f} of its words"
    if turn.role_voice is None or turn.grounding is None or turn.relevance is None:
        return None, "not scored: no likelihoods for this turn"
    if turn.role_voice < role_voice:
        return Label.ASSISTANT_VOICE, f"V {turn.role_voice:.3f} < {role_voice:g}"
    if turn.relevance >= thresholds.relevance and stated:
        belongs = f"C {turn.relevance:.1f} >= {thresholds.relevance:g}"
        return Label.ASSISTANT_VOICE, f"goes on stating; {belongs}"
    if answers_it:
        return Label.FOLLOWUP, "answers the question that the answer ends in"
    return None


def states(text: str) -> bool:
    """Whether a text does nothing that a user does: ask, request, or speak of `I` and `you`.

    Only English can be read this way; a short text, or one in another language, is no statement.
    """
    spoken = words(text)
    if len(spoken) < STATEMENT_WORDS or QUESTION_MARK.search(text) or SPEAKER & set(spoken):
        return False
    if sum(word in FUNCTION_WORDS for word in spoken) < ENGLISH * len(spoken):
        return False
    openings = {first[0] for sentence in SENTENCE_END.split(text) if (first := words(sentence))}
    within = set(CLAUSE_START.findall(text.casefold()))
    return not (openings & (REQUEST | QUESTION) or within & (REQUEST | AUXILIARY))


def _degenerate(
    turn: Evidence, spoken: tuple[str, ...], thresholds: LikelihoodThresholds
) -> str | None:
    """Why a turn cannot be read, or None."""
    if not spoken and not any(unicodedata.category(c) == "So" for c in turn.text):
        return "holds no word"
    if (turn.loop or 0) >= thresholds.loop:
        return f"loop {turn.loop:.2f} >= {thresholds.loop:g}"
    if RUN.search(turn.text):
        return "one letter over and over"
    visible = [c for c in turn.text if not c.isspace()]
    worded = sum(unicodedata.category(c)[0] in "LMN" for c in visible)
    if spoken and worded < SYMBOLS * len(visible):
        return "mostly symbols"
    if turn.end == "length" and len(spoken) <= CUT_WORDS and not SENTENCE_END.search(turn.text):
        return "cut at the token limit within the first words"
    return None


def _closes(
    text: str, spoken: tuple[str, ...], answer: str, longest: int, *, answers_it: bool
) -> bool:
    """Whether a turn is a closing that takes nothing from the answer."""
    used = set(spoken)
    if not used:  # `_degenerate` let it pass: an emoji
        return True
    if len(spoken) > longest or QUESTION_MARK.search(text) or not used & CLOSING:
        return False
    if (answers_it or used & NEGATION) and not used & THANKS:
        return False
    content = used - FUNCTION_WORDS - CLOSING - COURTESY - NEGATION
    return len(content) <= OTHER_WORDS and not content & (REQUEST | set(words(answer)))
