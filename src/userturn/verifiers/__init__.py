"""Task accuracy: did the answer solve the prompt? Published verifiers only.

Mathematics is checked by math-verify, instruction following by if-verifiable (the checkers of
IFEval and IFBench). Conversation sets have no verifier. What cannot be scored is "not scored" with
the reason, never wrong.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import random
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from userturn.base import paths
from userturn.models import sources
from userturn.study.sources import WheelSource

MATH_SECONDS = 5  # limit of one parse or comparison, math-verify's own default

# NLTK's sentence splitter and stop words, which the instruction checkers need and NLTK would
# download at import. This wheel carries NLTK's own archives; only its two members are taken.
_NLTK_WHEEL = "llama-index-core"
_NLTK_VERSION = "0.14.25"
_NLTK_FOLDER = "llama_index/core/_static/nltk_cache"
_NLTK_DATA = {
    "tokenizers/punkt_tab": "e57f64187974277726a3417ca6f181ec5403676c717672eef6a748a7b20e0106",
    "corpora/stopwords": "48c0e52d8b52546e827f53761fb30300c0ab94f70660d28bd65ba0a86270946b",
}


@dataclass(frozen=True, slots=True)
class Score:
    """Outcome of one answer.

    Attributes:
        strict: Score in [0, 1]; None where not scored.
        loose: The same, forgiving first and last lines and asterisks (IFEval's loose accuracy);
            equal to `strict` where a verifier knows no such difference.
        unscored: Why there is no score.
    """

    strict: float | None
    loose: float | None
    unscored: str | None = None


def score(verifier: str | None, target: str | None, text: str | None) -> Score:
    """Score one answer; in the main thread, for only there mathematics has its time limit.

    Args:
        verifier: Key of VERIFIERS, or None for a conversation set.
        target: JSON that the verifier reads, as in the prompts artifact.
        text: The answer; None where none was generated.

    Raises:
        SourceError: The verifier needs data that cannot be fetched.
    """
    if verifier is None:
        return Score(None, None, "conversation: no published verifier")
    if text is None:
        return Score(None, None, "no answer")
    if target is None:
        return Score(None, None, f"{verifier}: no target")
    return VERIFIERS[verifier](json.loads(target), text)


def prepare(verifier: str) -> None:
    """Fetch whatever a verifier needs, so that scoring later needs no network.

    Raises:
        SourceError: It cannot be fetched.
    """
    if verifier in ("ifeval", "ifbench"):
        _nltk_data()


# --- mathematics ----------------------------------------------------------------------------------


def _math(target: str, text: str) -> Score:
    """The last boxed expression or number of the answer against the target."""
    from math_verify import parse, verify
    from math_verify.errors import TimeoutException

    # The limit works by a signal, which Python delivers to the main thread only.
    main = threading.current_thread() is threading.main_thread()
    limit: Any = MATH_SECONDS if main else None
    logging.getLogger("math_verify").setLevel(logging.ERROR)
    try:
        gold = _quietly(parse, f"${target}$", parsing_timeout=limit)
        if not gold:
            return Score(None, None, f"math: the target {target!r} cannot be parsed")
        found = _quietly(parse, text, parsing_timeout=limit)
        right = any(
            _quietly(verify, one, other, timeout_seconds=limit)
            for one, other in itertools.product(gold, found)
        )
    except TimeoutException:
        return Score(None, None, f"math: no verdict within {MATH_SECONDS} s")
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


# --- instruction following ------------------------------------------------------------------------


def _instructions(benchmark: str, target: dict[str, Any], text: str) -> Score:
    """Prompt-level accuracy: 1 where every instruction is followed."""
    registry, evaluate = _checkers(benchmark)
    unknown = sorted(set(target["instruction_id_list"]) - registry.keys())
    if unknown:  # if-verifiable would skip them and call the prompt passed
        return Score(None, None, f"{benchmark}: no checker for {', '.join(unknown)}")
    try:
        with _seeded():
            _, found = evaluate(
                response=text,
                instruction_id_list=target["instruction_id_list"],
                kwargs_list=target["kwargs"],
                prompt=target["prompt"],
                instruction_registry=registry,
            )
    except Exception as error:
        return Score(None, None, f"{benchmark}: {_why(error)}")
    return Score(found.binary_strict, found.binary_loose)


def _ifeval(target: dict[str, Any], text: str) -> Score:
    return _instructions("ifeval", target, text)


def _ifbench(target: dict[str, Any], text: str) -> Score:
    return _instructions("ifbench", target, text)


VERIFIERS: dict[str, Callable[[Any, str], Score]] = {
    "math": _math,
    "ifeval": _ifeval,
    "ifbench": _ifbench,
}
"""Published verifiers by the name that the prompts artifact holds."""


@cache
def _checkers(benchmark: str) -> tuple[dict[str, Any], Callable[..., Any]]:
    """Instruction registry of a benchmark, and if-verifiable's evaluation."""
    import langdetect
    import nltk

    folder = str(_nltk_data())
    if folder not in nltk.data.path:
        nltk.data.path.insert(0, folder)
    langdetect.DetectorFactory.seed = 0  # else the language of short texts varies from run to run
    with _no_downloads(nltk):
        from if_verifiable.common import evaluate_instructions
        from if_verifiable.ifbench import INSTRUCTION_DICT as IFBENCH
        from if_verifiable.ifeval import INSTRUCTION_DICT as IFEVAL
    return {"ifeval": IFEVAL, "ifbench": IFBENCH}[benchmark], evaluate_instructions


def _nltk_data() -> Path:
    """Folder with NLTK's English data."""
    folder = paths.cache() / "nltk"
    for name, sha256 in _NLTK_DATA.items():
        target = folder / name
        if target.is_dir():
            continue
        source = WheelSource(
            type="wheel",
            package=_NLTK_WHEEL,
            version=_NLTK_VERSION,
            member=f"{_NLTK_FOLDER}/{name}.zip",
            sha256=sha256,
        )
        archive = sources.fetch(source, paths.cache()).path
        with sources.partial_folder(target) as made, zipfile.ZipFile(archive) as members:
            for member in members.namelist():
                inner = Path(member).relative_to(target.name)
                if "english" in inner.parts and not member.endswith("/"):
                    (made / inner).parent.mkdir(parents=True, exist_ok=True)
                    (made / inner).write_bytes(members.read(member))
    return folder.absolute()


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
