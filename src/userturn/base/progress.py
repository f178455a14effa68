"""Progress of long work on stderr: a live bar on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SECONDS_BETWEEN_LINES = 10.0

Advance = Callable[[int], None]
"""Report one more finished piece of work and the tokens it had."""


@contextmanager
def progress(title: str, total: int, unit: str) -> Iterator[Advance]:
    """Show how far `total` pieces of work have come, with pieces/s, tokens/s and what is left.

    Args:
        title: What is being done, such as `generate smollm2_135m: user turns`.
        total: Pieces of work; nothing is shown for 0.
        unit: Name of a piece, plural.
    """
    if total == 0:
        yield lambda _tokens: None
    elif sys.stderr.isatty():
        with _bar(title, total, unit) as advance:
            yield advance
    else:
        yield _lines(title, total, unit)


@contextmanager
def _bar(title: str, total: int, unit: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    start, tokens_done = time.monotonic(), 0
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        Remaining(),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total, rate="")

        def advance(tokens: int) -> None:
            nonlocal tokens_done
            tokens_done += tokens
            done = bar.tasks[0].completed + 1
            seconds = max(time.monotonic() - start, 1e-9)
            bar.update(task, advance=1, rate=_rate(done, tokens_done, seconds, unit))

        yield advance


def _lines(title: str, total: int, unit: str) -> Advance:
    start = time.monotonic()
    done, tokens_done, last = 0, 0, start

    def advance(tokens: int) -> None:
        nonlocal done, tokens_done, last
        done, tokens_done, now = done + 1, tokens_done + tokens, time.monotonic()
        if done < total and now - last < _SECONDS_BETWEEN_LINES:
            return
        last, seconds = now, max(now - start, 1e-9)
        left = seconds / done * (total - done)
        rate = _rate(done, tokens_done, seconds, unit)
        print(f"{title}: {done}/{total}, {rate}, {left:.0f} s left", file=sys.stderr, flush=True)

    return advance


def _rate(done: float, tokens: int, seconds: float, unit: str) -> str:
    text = f"{done / seconds:.1f} {unit}/s"
    return f"{text}, {tokens / seconds:,.0f} tokens/s" if tokens else text
