"""Mathematics, checked by math-verify."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from typing import Any

from userturn.verifiers import Score, Verifier

SECONDS = 5  # limit of one parse or comparison, math-verify's own default


def check(target: str, text: str) -> Score:
    """The last boxed expression or number of the answer against the target."""
    from math_verify import parse, verify
    from math_verify.errors import TimeoutException

    # The limit works by a signal, which Python delivers to the main thread only.
    main = threading.current_thread() is threading.main_thread()
    limit: Any = SECONDS if main else None
    logging.getLogger("math_verify").setLevel(logging.ERROR)
    try:
        gold = _quietly(parse, f"${target}$", parsing_timeout=limit)
        if not gold:
            return Score(None, None, f"math: the target {target!r} cannot be parsed")
        expressions = _quietly(parse, text, parsing_timeout=limit)
        right = any(
            _quietly(verify, one, other, timeout_seconds=limit)
            for one, other in itertools.product(gold, expressions)
        )
    except TimeoutException:
        return Score(None, None, f"math: no verdict within {SECONDS} s")
    return Score(float(right), float(right))


def _quietly(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call math-verify; text that breaks it is no expression, as in its own default mode.

    Its default mode would also turn a timeout, which says nothing, into "wrong": hence
    `raise_on_error`, whose other errors end here.
    """
    try:
        return function(*arguments, raise_on_error=True, **options)
    except Exception:
        return []


VERIFIER = Verifier(check)
