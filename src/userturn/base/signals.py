"""Interrupts that end a run, whatever started it and wherever it is.

A shell starts what runs in its background, and so under nohup, with SIGINT ignored; Python then
leaves it ignored, and so does each program that it starts. And a handler of Python only runs
between two of its own instructions: not inside an engine's. So handlers are set, and a thread
learns of each signal from the one place that is told at once, the file of `set_wakeup_fd`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

log = logging.getLogger(__name__)

ENDING = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""
GRACE_S = 8.0
"""Seconds that a process gets to end by itself. What is finished is in the store by then."""
AGAIN_S = 3.0

_open: list[socket.socket] = []  # as long as the process lives


def end_this_process() -> None:
    """Let SIGINT and SIGTERM end this process within seconds: as Ctrl-C does, else by force."""
    interrupted = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        if not interrupted:  # a second one would only interrupt the first one's cleaning up
            interrupted = True
            raise KeyboardInterrupt

    def force() -> None:
        time.sleep(GRACE_S)
        log.error("interrupted; what was at work did not end within %.0f s: ended", GRACE_S)
        for child in _descendants():  # an engine's workers hold its GPUs
            with contextlib.suppress(Exception):
                child.kill()
        os._exit(INTERRUPTED)

    for number in ENDING:
        signal.signal(number, interrupt)
    _on_signal(force)


def pass_on() -> None:
    """Let SIGINT and SIGTERM reach every process below this one, as a terminal's Ctrl-C does.

    What this process makes of a signal is up to it, but for SIGINT that it was told to ignore.
    """

    def tell() -> None:
        for pause in (0.0, AGAIN_S):  # one may just have been started
            time.sleep(pause)
            for child in _descendants():
                with contextlib.suppress(Exception):
                    child.send_signal(signal.SIGINT)

    if threading.current_thread() is not threading.main_thread():
        return  # Python hands signals to the main thread alone
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _on_signal(tell)


def _on_signal(act: Callable[[], None]) -> None:
    """Call a function, in a thread, once for every signal that is to end the process."""
    ours, woken = socket.socketpair()
    woken.setblocking(False)
    _open.extend((ours, woken))
    signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)

    def watch() -> None:
        while number := ours.recv(1):
            if number[0] in ENDING:
                act()

    threading.Thread(target=watch, name="signals", daemon=True).start()


def _descendants() -> list[Any]:
    import psutil

    return list(psutil.Process().children(recursive=True))
