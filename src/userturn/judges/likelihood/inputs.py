"""What the classifier of the likelihood judge weighs: measures of the text and of the likelihoods.

Pure functions. The plain likelihood of a turn is left out: what the scorer itself wrote is likelier
than what others write. `benchmarks/README.md` says what each group adds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from userturn.judges.likelihood import lists
from userturn.judges.likelihood.evidence import Evidence
from userturn.judges.likelihood.rules import states
from userturn.measures.kinds import gains, mean
from userturn.measures.kinds.echo import echo
from userturn.measures.kinds.loop import loop
from userturn.measures.kinds.restatement import restatement
from userturn.measures.overlap import FUNCTION_WORDS, words

WORD = re.compile(r"\w+(?:[.,]\d+)*")
"""A word; a number keeps its commas and its point."""

Place = tuple[int, int]
"""Begin and end of a word in a text, characters."""


def inputs(turn: Evidence) -> dict[str, float]:
    """Every input of the classifier by name; of a turn that was scored.

    Raises:
        ValueError: The turn has no likelihoods.
    """
    return {**of_text(turn), **of_likelihoods(turn)}


def of_text(turn: Evidence) -> dict[str, float]:
    """Measures of words; shares are of the turn's words, or of its distinct content words."""
    text, plain = turn.text, words(turn.text)
    stems, query, answer = (_stems(one) for one in (text, turn.query, turn.answer))
    content = {stem(word) for _, word in _spans(text) if word not in FUNCTION_WORDS}
    in_query, in_answer = content & set(query), content & set(answer)
    pairs, of_query, of_answer = (_pairs(one) for one in (stems, query, answer))
    opening = plain[0] if plain else ""

    def spoken(chosen: frozenset[str]) -> int:
        return sum(word in chosen for word in plain)

    values: dict[str, float] = {
        "words": len(stems),
        "answer_only": _share(len(in_answer - in_query), content),
        "neither": _share(len(content - in_query - in_answer), content),
        "restatement": restatement(text, turn.query),
        "echo": echo(text, turn.answer),
        "run_query": _share(longest_common_run(stems, query), stems),
        "run_answer": _share(longest_common_run(stems, answer), stems),
        "pairs_answer_only": _share(len(pairs & of_answer - of_query), pairs),
        "query_covered": _share(len(pairs & of_query), of_query),
        "loop": loop(text),
        "question_mark": bool(lists.QUESTION_MARK.search(text)),
        "opens_question": opening in lists.QUESTION,
        "opens_request": opening in lists.REQUEST,
        "person": not lists.SPEAKER.isdisjoint(plain),
        "refers": spoken(lists.REFERS),
        "edits": spoken(lists.EDITS),
        "pronouns": spoken(lists.PRONOUNS),
        "states": states(text),
        "cut": turn.cut,
    }
    return {name: float(value) for name, value in values.items()}


def of_likelihoods(turn: Evidence) -> dict[str, float]:
    """Uptake, relevance and role voice, in nats: means per token, and where they are largest."""
    uptake = token_uptake(turn)
    log_p = turn.log_p or {}
    relevance = gains(log_p["neutral"], log_p["alone"])
    voice = gains(log_p["own"], log_p["assistant"])
    content = [place for place, word in _spans(turn.text) if word not in FUNCTION_WORDS]
    on_content = [
        gain
        for gain, place in zip(uptake, _places(turn.pieces), strict=True)
        if any(_overlap(place, word) for word in content)
    ]
    return {
        "uptake": mean(uptake),
        "uptake_content": mean(on_content),
        "uptake_max": max(uptake, default=0.0),
        "uptake_top3": math.fsum(sorted(uptake)[-3:]),
        "relevance": mean(relevance),
        "relevance_sum": math.fsum(relevance),
        "role_voice": mean(voice),
        "role_voice_head": mean(voice[:3]),
    }


def token_uptake(turn: Evidence) -> list[float]:
    """How much likelier each token is behind the answer than behind a neutral one, in nats.

    Raises:
        ValueError: The turn has no likelihoods.
    """
    if turn.log_p is None:
        raise ValueError("the turn was not scored")
    return gains(turn.log_p["own"], turn.log_p["neutral"])


def explained(turn: Evidence, most: int = 3, least: float = 1.0) -> list[str]:
    """Words of a turn that its answer explains, those first that it explains most.

    Args:
        turn: A turn that was scored.
        most: How many at most.
        least: Nats of uptake that a word has at least, over all its tokens.
    """
    tokens = list(zip(token_uptake(turn), _places(turn.pieces), strict=True))
    gained: dict[str, float] = {}
    for place, word in _spans(turn.text):
        gain = math.fsum(gain for gain, token in tokens if _overlap(token, place))
        gained[word] = max(gain, gained.get(word, gain))
    ranked = sorted(gained, key=lambda word: -gained[word])
    return [word for word in ranked if gained[word] >= least][:most]


def stem(word: str) -> str:
    """A word without an English ending, so that `siblings` meets `sibling`.

    >>> stem("siblings"), stem("carries"), stem("is")
    ('sibling', 'carry', 'is')
    """
    for end in ("ies", "es", "s", "ing", "ed"):
        if word.endswith(end) and len(word) - len(end) >= 3:
            return word[: -len(end)] + ("y" if end == "ies" else "")
    return word


def longest_common_run(left: Sequence[str], right: Sequence[str]) -> int:
    """Length of the longest run of words that stands in both."""
    best, before = 0, [0] * (len(right) + 1)
    for one in left:
        row = [0] * (len(right) + 1)
        for place, other in enumerate(right):
            if one == other:
                row[place + 1] = before[place] + 1
                best = max(best, row[place + 1])
        before = row
    return best


def _spans(text: str) -> Iterator[tuple[Place, str]]:
    """Words with their places."""
    for match in WORD.finditer(text):
        yield match.span(), match[0].casefold()


def _stems(text: str) -> list[str]:
    return [stem(word) for _, word in _spans(text)]


def _pairs(stems: Sequence[str]) -> set[tuple[str, str]]:
    return set(pairwise(stems))


def _share(count: int, of: set[str] | set[tuple[str, str]] | Sequence[str]) -> float:
    return count / max(1, len(of))


def _places(pieces: Sequence[str]) -> Iterator[Place]:
    """Where each piece of a text stands in it."""
    at = 0
    for piece in pieces:
        yield at, at + len(piece)
        at += len(piece)


def _overlap(one: Place, other: Place) -> bool:
    return one[0] < other[1] and other[0] < one[1]
