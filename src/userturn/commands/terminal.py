"""What reaches the terminal: log messages, and texts from outside made harmless."""

from __future__ import annotations

import logging
import sys

LONGEST_NAME = 200


def log_to(name: str) -> None:
    """Log messages to the terminal, and to logs/<name>.log with times."""
    from userturn.base import paths

    paths.LOGS.mkdir(exist_ok=True)
    file = logging.FileHandler(paths.LOGS / f"{name}.log", mode="w", encoding="utf-8")
    file.setFormatter(_Harmless("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(_Harmless("%(message)s"))
    terminal.setLevel(logging.INFO)
    logger = logging.getLogger("userturn")
    logger.setLevel(logging.DEBUG)
    logger.handlers = [file, terminal]
    logger.propagate = False


class _Harmless(logging.Formatter):
    """Messages may hold what a dataset or a model holds."""

    def format(self, record: logging.LogRecord) -> str:
        return harmless(super().format(record))


def harmless(text: str) -> str:
    """A text for a terminal: what would redraw it, or turn its direction, is spelled out."""
    from userturn.artifacts.csv_file import UNSEEN

    return UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def clipped(name: str) -> str:
    """A file's name, the middle of a very long one left out."""
    return name if len(name) <= LONGEST_NAME else f"{name[:60]}[...]{name[-20:]}"


def quiet() -> None:
    """Let only errors of the package through to the terminal."""
    logging.getLogger("userturn").setLevel(logging.ERROR)
