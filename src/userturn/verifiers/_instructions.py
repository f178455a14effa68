"""Instruction following, checked by if-verifiable: what IFEval and IFBench share."""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from userturn.verifiers import Score, _nltk


def check(benchmark: str, target: dict[str, Any], text: str) -> Score:
    """Prompt-level accuracy: 1 where every instruction is followed."""
    registry, evaluate = checkers(benchmark)
    unknown = sorted(set(target["instruction_id_list"]) - registry.keys())
    if unknown:  # if-verifiable would skip them and call the prompt passed
        return Score(None, None, f"{benchmark}: no checker for {', '.join(unknown)}")
    try:
        with _seeded():
            _, verdict = evaluate(
                response=text,
                instruction_id_list=target["instruction_id_list"],
                kwargs_list=target["kwargs"],
                prompt=target["prompt"],
                instruction_registry=registry,
            )
    except Exception as error:
        return Score(None, None, f"{benchmark}: {_why(error)}")
    return Score(verdict.binary_strict, verdict.binary_loose)


@cache
def checkers(benchmark: str) -> tuple[dict[str, Any], Callable[..., Any]]:
    """Instruction registry of a benchmark, and if-verifiable's evaluation."""
    import langdetect
    import nltk

    folder = str(_nltk.folder())
    if folder not in nltk.data.path:
        nltk.data.path.insert(0, folder)
    langdetect.DetectorFactory.seed = 0  # else the language of short texts varies from run to run
    with _no_downloads(nltk):
        from if_verifiable.common import evaluate_instructions
        from if_verifiable.ifbench import INSTRUCTION_DICT as IFBENCH
        from if_verifiable.ifeval import INSTRUCTION_DICT as IFEVAL
    return {"ifeval": IFEVAL, "ifbench": IFBENCH}[benchmark], evaluate_instructions


@contextlib.contextmanager
def _no_downloads(nltk: Any) -> Iterator[None]:
    """NLTK's downloader is called at import by the checkers; what it would fetch is at hand."""
    download = nltk.download
    nltk.download = lambda *_, **__: False
    try:
        yield
    finally:
        nltk.download = download


@contextlib.contextmanager
def _seeded() -> Iterator[None]:
    """Some checkers draw an argument that the dataset leaves out: make them draw the same one."""
    state = random.getstate()
    random.seed(0)
    try:
        yield
    finally:
        random.setstate(state)


def _why(error: Exception) -> str:
    """Why a checker gave no verdict; NLTK names what it misses inside a page of advice."""
    missing = re.search(r"nltk\.download\('(\w+)'\)", str(error))
    if missing:
        return f"the checker needs NLTK's {missing[1]}"
    return f"the checker failed ({type(error).__name__})"
