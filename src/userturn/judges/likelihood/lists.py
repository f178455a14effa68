"""Word lists of the likelihood judge, all English: what users and assistants write.

In other languages only what reads no words applies, and the likelihoods.
"""

from __future__ import annotations

import re

from userturn.measures.overlap import word_set

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
      you(?:'re|\s are) \s an? \s (?:helpful|ai\b|assistant|language \s model)
    | the \s user (?:'s \s next | \s next | \s asks | \s is \s asking)\b
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
"""Turns about which turn to write, or that set up a role, instead of the turn."""

ASSISTANT_PHRASE = re.compile(
    r"""
    ^\W*(?:
      (?:sure|certainly|absolutely|of \s course)\b \W+ (?:here|i|let|below)\b
    | as \s an? \s (?:ai \s)? (?:language \s model|assistant)
    | i'?m \s (?:sorry|afraid) ,? \s but \s i \s (?:can|am|do)
    | i \s apologi[sz]e \s for \s (?:the|any|my)
    | (?:you're|you \s are) \s welcome | glad \s i \s could
    | (?:i'?m|i \s am) \s (?:happy|glad|here) \s to \s (?:help|assist)
    | (?:is \s there \s anything \s else|how \s (?:can|may) \s i \s (?:help|assist))
    | (?:(?:also|and|so) ,? \s)? (?:are \s you \s (?:looking \s for|interested \s in)
      |would \s you \s like \s (?:me \s to|to \s (?:know|learn|hear|see|try)))\b
    | (?:assistant|system|ai) \s? :
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Openings that only an assistant writes."""

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

PRONOUNS = word_set("it its that this these those they them their")
"""Words that point back at something said."""

REFERS = word_set(
    """
    above answer article code example explain explanation list mentioned paragraph poem response
    said sentence solution step story text word words wrote
    """
)
"""Words with which a user speaks of an answer."""

EDITS = word_set(
    """
    add again another change clarify continue correct elaborate expand explain fix instead longer
    make more remove rephrase rewrite shorten shorter simpler
    """
)
"""Words with which a user asks to change one."""

SPEAKER = word_set("i im ive id me my mine we our us you your youre yours")
"""Persons of a dialogue: a user speaks of themself and to the assistant."""

YES_NO = re.compile(
    r"^\W*(?:yes|yeah|yep|yup|sure|please(?=\W*$| (?:do|go)\b)|no|nope|not \w+|go ahead"
    r"|that would)\b",
    re.IGNORECASE,
)
RUN = re.compile(r"([^\W\d_])\1{15}")
CLAUSE_START = re.compile(r"[,;:]\s+(?:(?:and|but|so|or|then|now|also)\s+)?(\w+)")
SENTENCE_END = re.compile(r"[.!?\u3002\uff01\uff1f\u061f\u0964\n]")
QUESTION_MARK = re.compile(r"[?\uff1f\u061f\u037e]")
