"""IFBench, verifiable instructions held out of training sets (arXiv 2507.02833)."""

from __future__ import annotations

from userturn.prompts.kinds import Kind, ifeval
from userturn.prompts.records import Prompt, Row


def read(row: Row) -> Prompt:
    """A prompt in IFEval's format, checked by IFBench's own instructions."""
    return ifeval.read(row, verifier="ifbench")


KIND = Kind(read)
