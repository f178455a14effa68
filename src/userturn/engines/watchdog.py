"""Ends the process when work hangs, even where no Python exception could reach it.

An engine may block inside C code, in a driver or in a collective that waits for another GPU. The
message needs a thread that can run; where even the interpreter's lock is held, faulthandler's
timer, which needs no lock, prints the stacks and ends the process a little later.
"""

from __future__ import annotations

import faulthandler
import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

log = logging.getLogger(__name__)

STATUS = 124
"""Exit status after a hang, as `timeout` has it."""
GRACE = 30.0
"""Seconds that the thread gets before faulthandler takes over."""
_STDERR = 2
_LONGEST_NAP = 10.0


@contextmanager
def watchdog(
    seconds: float | None, message: Callable[[], str], grace: float = GRACE
) -> Iterator[Callable[[], None]]:
    """Yield a function that reports life; end the process when it was not called for a while.

    What must outlive the process has to be on disk at every moment: nothing is flushed or closed.

    Args:
        seconds: Longest time without a sign of life; None never ends the process.
        message: Gives the last words, an error with its mend, for stderr and the log.
        grace: Seconds more before faulthandler ends a process whose threads cannot run.
    """
    last = time.monotonic()
    over = threading.Event()

    def alive() -> None:
        nonlocal last
        last = time.monotonic()

    def watch(limit: float) -> None:
        left = limit
        while not over.is_set():
            if left <= 0:
                _end(message())
            faulthandler.dump_traceback_later(limit + grace, exit=True, file=_STDERR)
            over.wait(min(left, _LONGEST_NAP))
            left = last + limit - time.monotonic()
        faulthandler.cancel_dump_traceback_later()

    thread: Any = None
    if seconds is not None:
        thread = threading.Thread(target=watch, args=(seconds,), name="watchdog", daemon=True)
        thread.start()
    try:
        yield alive
    finally:
        over.set()
        if thread is not None:
            thread.join()


def _end(message: str) -> None:
    log.error("%s", message)
    for child in multiprocessing.active_children():  # an engine's workers hold its GPUs
        child.kill()
    os._exit(STATUS)
