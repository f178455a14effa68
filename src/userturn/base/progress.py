"""Progress of long work on stderr: a live bar on a terminal, a line every ten seconds elsewhere.

Where nothing is finished for long, as while a model loads, a line says so: no minute is silent.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS_BETWEEN_LINES = 10.0
SECONDS_OF_SILENCE = 30.0
SECONDS_OF_A_RATE = 2.0
"""A batch ends all at once: of less time than this no rate is worked out."""

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
    else:
        show = _bar if sys.stderr.isatty() else _lines
        with show(title, _Pace(total, unit)) as advance:
            yield advance


class _Pace:
    """How fast work goes, from the first finished piece on: loading a model is not its pace."""

    def __init__(self, total: int, unit: str) -> None:
        self.total, self.done = total, 0
        self._unit, self._tokens, self._since = unit, 0, 0.0

    def advance(self, tokens: int) -> None:
        """Count one more piece."""
        if self.done == 0:
            self._since = time.monotonic()
        else:
            self._tokens += tokens
        self.done += 1

    @property
    def rate(self) -> str:
        """Pieces and tokens per second; empty where it is too early to say."""
        seconds = time.monotonic() - self._since
        if self.done < 2 or seconds < SECONDS_OF_A_RATE:
            return ""
        text = f"{(self.done - 1) / seconds:.1f} {self._unit}/s"
        return f"{text}, {self._tokens / seconds:,.0f} tokens/s" if self._tokens else text

    @property
    def left(self) -> float:
        """Seconds until the rest is done, where there is a rate."""
        return (time.monotonic() - self._since) / (self.done - 1) * (self.total - self.done)


@contextmanager
def _bar(title: str, pace: _Pace) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeElapsedColumn as Elapsed
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Elapsed(),
        TextColumn("{task.fields[rate]}"),
        Remaining(),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=pace.total, rate="")

        def advance(tokens: int) -> None:
            pace.advance(tokens)
            bar.update(task, advance=1, rate=pace.rate)

        yield advance


@contextmanager
def _lines(title: str, pace: _Pace) -> Iterator[Advance]:
    last = start = time.monotonic()
    ended = threading.Event()

    def say(text: str) -> None:
        nonlocal last
        last = time.monotonic()
        print(f"{title}: {pace.done}/{pace.total}{text}", file=sys.stderr, flush=True)

    def advance(tokens: int) -> None:
        pace.advance(tokens)
        rate = pace.rate and f", {pace.rate}"
        if pace.done == pace.total:
            say(f" in {time.monotonic() - start:.0f} s{rate}")
        elif time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            say(rate and f"{rate}, {pace.left:.0f} s left")

    def break_silence() -> None:
        while not ended.wait(SECONDS_OF_SILENCE / 10):
            now = time.monotonic()
            if now - last >= SECONDS_OF_SILENCE:
                say(f", at work for {now - start:.0f} s")

    thread = threading.Thread(target=break_silence, name="progress", daemon=True)
    thread.start()
    try:
        yield advance
    finally:
        ended.set()
        thread.join()
