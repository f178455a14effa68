"""Text measures of a user turn: what it takes from the query or the answer, and what it repeats.

Pure functions of text. Words are runs of letters, marks and digits after NFKC and case folding; in
scripts that write no spaces between words every character counts as a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from itertools import groupby

NO_SPACES = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003134f]"
)
"""Thai, Lao, Burmese, Khmer, kana, Han. (Korean writes spaces.)"""

LEAST_WORDS = 4
"""A turn of fewer words cannot cover a longer text fully: "Why?" does not restate a query."""

GRAM = 4
"""Words, or characters where there are too few words, in a repeated unit."""


def word_set(text: str) -> frozenset[str]:
    """Words that stand in a text, separated by spaces."""
    return frozenset(text.split())


FUNCTION_WORDS = word_set(
    """
    a about after again all also an and any are as at be because been before being both but by can
    could did do does doing don during each few for from further get had has have having he her here
    hers him his how i if in into is it its itself just let like ll m me more most my no nor not now
    of off on once one only or other our out over own please re s same she should so some such t
    than that the their them then there these they this those through to too under until up us ve
    very was we were what when where which while who whom why will with would yes you your yours
    """
)
"""English words that carry no content of their own. Other languages have no list here: all their
words count as content, which raises their overlap by the function words they share."""


@lru_cache(maxsize=4096)
def words(text: str) -> tuple[str, ...]:
    """Words of a text, folded; single characters in scripts without spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    found: list[str] = []
    for is_word, run in groupby(folded, key=lambda c: unicodedata.category(c)[0] in "LMN"):
        if is_word:
            spaced = NO_SPACES.sub(lambda match: f" {match[0]} ", "".join(run))
            found += spaced.split()
    return tuple(found)


def restatement(turn: str, query: str) -> float:
    """Share of the turn's words that stand in the best-matching window of the query, in [0, 1].

    The window has the turn's length, so a turn that repeats only the last sentence of a long query
    scores 1, while function words scattered over the query do not add up. A turn of at least half
    the query's length is compared with all of it. Inside the window the order of words is free;
    different numbers are different words; what the turn adds lowers the share. Content words alone
    must reach the share, too: "What is the name of ...?" shares its frame with many a query.

    Or, if that is more, Dice's coefficient of the content words of both, which a lead-in and other
    small words cannot lower: it is high where the turn says all of the query and little else.
    """
    return max(_covered(words(turn), words(query)), _dice(turn, query))


def echo(turn: str, answer: str) -> float:
    """Share of the turn's words that stand in the best-matching window of the answer, in [0, 1]."""
    return _covered(words(turn), words(answer))


def content_overlap(turn: str, answer: str) -> float:
    """Share of the turn's distinct content words that occur anywhere in the answer, in [0, 1].

    The baseline that grounding has to beat; 0 where the turn has no content word.
    """
    content = set(words(turn)) - FUNCTION_WORDS
    return len(content & set(words(answer))) / len(content) if content else 0.0


def loop(text: str) -> float:
    """Share of 4-grams that repeat an earlier one, in [0, 1].

    Over words; over characters where there are fewer than four words, so that `hahahaha` or a row
    of dashes counts as the loop it is. 0 where there are fewer than two 4-grams.
    """
    units: tuple[str, ...] = words(text)
    if len(units) < GRAM:
        units = tuple("".join(text.split()))
    grams = [units[start : start + GRAM] for start in range(len(units) - GRAM + 1)]
    return 1 - len(set(grams)) / len(grams) if len(grams) > 1 else 0.0


def _dice(turn: str, text: str) -> float:
    """Dice's coefficient of the sets of content words; 0 where one has fewer than two."""
    left, right = (set(words(one)) - FUNCTION_WORDS for one in (turn, text))
    if min(len(left), len(right)) < 2:
        return 0.0
    return 2 * len(left & right) / (len(left) + len(right))


def _covered(turn: tuple[str, ...], text: tuple[str, ...]) -> float:
    """Share of `turn` found in the best window of `text`, as a bag of words; see `restatement`."""
    from rapidfuzz import fuzz

    if not turn or not text:
        return 0.0
    window = text
    if 2 * len(turn) < len(text):
        aligned = fuzz.partial_ratio_alignment(turn, text)
        if aligned is None:
            return 0.0
        window = text[aligned.dest_start : aligned.dest_end]
    shared = (Counter(turn) & Counter(window)).total() / max(len(turn), min(LEAST_WORDS, len(text)))
    content = set(turn) - FUNCTION_WORDS
    return min(shared, len(content & set(text)) / len(content)) if content else shared
