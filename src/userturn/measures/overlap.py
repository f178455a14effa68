"""Words, and how many of them two texts share.

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
    split: list[str] = []
    for is_word, run in groupby(folded, key=lambda c: unicodedata.category(c)[0] in "LMN"):
        if is_word:
            spaced = NO_SPACES.sub(lambda match: f" {match[0]} ", "".join(run))
            split += spaced.split()
    return tuple(split)


def dice(turn: str, text: str) -> float:
    """Dice's coefficient of the sets of content words; 0 where one has fewer than two."""
    left, right = (set(words(one)) - FUNCTION_WORDS for one in (turn, text))
    if min(len(left), len(right)) < 2:
        return 0.0
    return 2 * len(left & right) / (len(left) + len(right))


def covered(turn: tuple[str, ...], text: tuple[str, ...]) -> float:
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
