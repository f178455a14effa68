"""Numbers on the page: each as a `data` element, with its exact value and how a reader says it."""

from __future__ import annotations

from markupsafe import Markup

from userturn.artifacts.csv_file import number

NOTHING = Markup('<span class="quiet">no data</span>')


def percent(value: float | None) -> Markup:
    r"""A share in per cent.

    >>> percent(0.0833333)
    Markup('<data value="0.0833333">8.3\u202f%</data>')
    """
    return NOTHING if value is None else _data(value, f"{_digits(100 * value, 1)}\u202f%")


def points(value: float | None) -> Markup:
    """A difference of two shares, with its sign, in percentage points."""
    if value is None:
        return NOTHING
    return _data(value, _digits(100 * value, 1, "+"))


def plain(value: float | None) -> Markup:
    """A number to two decimals; a count as it is."""
    if value is None:
        return NOTHING
    shown = f"{value:,}" if isinstance(value, int) else _digits(value, 2)
    return _data(value, shown)


def between(low: float | None, high: float | None, scale: float = 100) -> Markup:
    """An interval, in per cent or points; of numbers as they are with a scale of 1."""
    if low is None or high is None:
        return Markup("")
    digits = 1 if scale == 100 else 2
    ends = (_data(end, _digits(scale * end, digits)) for end in (low, high))
    return Markup('<span class="interval">{} to {}</span>').format(*ends)


def pvalue(value: float | None) -> Markup:
    """A p-value."""
    if value is None:
        return Markup("")
    return _data(value, "&lt; 0.001" if value < 0.001 else f"{value:.3f}")


def _digits(value: float, digits: int, sign: str = "") -> str:
    """A number with a real minus sign, and none before zero."""
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}".replace("-", "\u2212")


def _data(value: float, shown: str) -> Markup:
    exact = str(value) if isinstance(value, int) else number(value)
    return Markup('<data value="{}">{}</data>').format(exact, Markup(shown))  # noqa: S704 - digits
