"""Today's date in a chat template: pinned, or a reason to refuse it.

Templates ask the function `strftime_now` for it, which transformers gives them. A study pins it by
the argument of this name, as an ISO date, which is then written in the format that the template
asks for; or by an argument of the template's own, such as Llama's `date_string`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

ASKED = "strftime_now"
_DAYS = "1999-01-01", "2033-12-31"


def pinned(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments for a template, a date given as `strftime_now` as the function that it asks."""
    day = arguments.get(ASKED)
    return {**arguments, ASKED: _clock(day)} if isinstance(day, str) else dict(arguments)


def some_days(arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Arguments for a template on two days that differ in day, month, year and weekday."""
    return [{**arguments, ASKED: pinned(arguments).get(ASKED) or _clock(day)} for day in _DAYS]


def _clock(day: str) -> Callable[[str], str]:
    """A clock that stopped; what is no ISO date is written as it is."""
    try:
        moment = datetime.fromisoformat(day)
    except ValueError:
        return lambda _format: day
    return moment.strftime
