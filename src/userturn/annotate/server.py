"""The annotation page: one turn at a time, blind, on this machine only."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from pydantic import BaseModel, ConfigDict

from userturn.annotate import http
from userturn.annotate.file import held
from userturn.annotate.http import Reply, as_json
from userturn.annotate.saving import append
from userturn.artifacts.labels import MEANING, Label
from userturn.base.errors import UserturnError
from userturn.judges.human import labels as human
from userturn.judges.human import sample

if TYPE_CHECKING:
    from userturn.study.study import Study

PAGES = {
    "": ("page.html", "text/html"),
    "page.js": ("page.js", "text/javascript"),
    "page.css": ("page.css", "text/css"),
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

log = logging.getLogger(__name__)


class StaleError(Exception):
    """The page answered for a turn that is not the current one: a second tab, or a repeated key."""


class Answer(BaseModel):
    """What the page posts."""

    model_config = ConfigDict(extra="forbid")

    turn: str  # `id` of the turn that was shown
    label: Label | Literal["skip"]
    seconds: float


class Session:
    """One annotator at work: the turns in their order, and the open file of labels.

    Args:
        texts: The sample's turns with query, answer and text, in the annotator's order.
        file: The annotator's file, open for appending, unbuffered.
        lines: What the file holds.
    """

    def __init__(
        self,
        texts: Mapping[human.Text, Mapping[str, Any]],
        file: BinaryIO,
        lines: Sequence[human.Annotation],
    ) -> None:
        self._texts = texts
        self._file = file
        self._given = human.in_force(lines)
        self._lock = threading.Lock()

    def state(self) -> dict[str, Any]:
        """What the page shows: progress and the current turn, nothing that breaks the blinding."""
        with self._lock:
            return self._state()

    def answer(self, answer: Answer) -> dict[str, Any]:
        """Save a label or a skip, and return the next state.

        Raises:
            StaleError: The answer is for another turn than the current one.
            OSError: The line could not be written; the file is as it was.
        """
        with self._lock:
            text = self._current()
            if text is None or answer.turn != opaque(text):
                raise StaleError
            append(self._file, text, answer.label, answer.seconds)
            self._given[text] = answer.label
            return self._state()

    def undo(self) -> dict[str, Any]:
        """Take the last label or skip back, also one of an earlier session.

        Raises:
            OSError: The line could not be written; the file is as it was.
        """
        with self._lock:
            if last := self._last():
                append(self._file, last, None, 0)
                del self._given[last]
            return self._state()

    @property
    def done(self) -> int:
        """Turns of the sample that have a label or were skipped."""
        return sum(text in self._given for text in self._texts)

    def _current(self) -> human.Text | None:
        return next((text for text in self._texts if text not in self._given), None)

    def _last(self) -> human.Text | None:
        return next((text for text in reversed(self._given) if text in self._texts), None)

    def _state(self) -> dict[str, Any]:
        text = self._current()
        shown = None
        if text is not None:
            turn = self._texts[text]
            shown = {
                "id": opaque(text),
                "earlier": turn["earlier"] or [],
                "query": turn["query"],
                "answer": turn["shown"],
                "turn": turn["text"],
            }
        return {
            "done": self.done,
            "total": len(self._texts),
            "undo": self._last() is not None,
            "turn": shown,
        }


def opaque(text: human.Text) -> str:
    """Opaque name of a turn: a hash, because its key would tell model and condition."""
    return hashlib.sha256(text.model_dump_json().encode()).hexdigest()[:16]


@contextmanager
def open_session(study: Study, annotator: str, items: int | None) -> Iterator[Session]:
    """Open an annotator's file for this process alone, and gather the turns of the sample.

    Raises:
        UserturnError: The name is no annotator's, the file is in use, cannot be read or written,
            or no turn of the sample exists any more.
    """
    path = human.file_of(annotator)
    lines = sample.read_or_draw(study, items)
    drawn = sample.shuffled((line.text for line in lines), annotator)
    now = {
        text: turn for slug in study.models.probe for text, turn in human.shown(study, slug).items()
    }
    texts = {text: now[text] for text in drawn if text in now}
    if not texts:
        raise UserturnError(
            f"{sample.FILE}: no turn of it exists any more with the same text; delete the file to "
            "draw a new sample"
        )
    if len(texts) < len(drawn):
        log.warning(
            "%s: %d of %d turns were generated anew with another text and are left out",
            sample.FILE, len(drawn) - len(texts), len(drawn),
        )  # fmt: skip
    with held(annotator) as file:
        yield Session(texts, file, human.read_lines(path, human.Annotation))


class Page:
    """One session as a site."""

    policy = POLICY

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, name: str, asked: Mapping[str, str]) -> Reply | None:  # noqa: ARG002 - a Site's
        """The page, what it needs, and its state."""
        if name == "state":
            return as_json(self._session.state() | {"labels": rubric()})
        if name in PAGES:
            file, kind = PAGES[name]
            content = files("userturn.annotate").joinpath(file).read_bytes()
            return Reply(f"{kind}; charset=utf-8", content)
        return None

    def post(self, name: str, content: bytes) -> Reply | None:
        """A label, or the last one taken back. Raises as `http.Site`."""
        try:
            if name == "label":
                return as_json(self._session.answer(Answer.model_validate_json(content)))
            return as_json(self._session.undo()) if name == "undo" else None
        except StaleError:
            return as_json(self._session.state(), HTTPStatus.CONFLICT)


def make_server(session: Session, port: int) -> tuple[ThreadingHTTPServer, str]:
    """A server of one session, and the address of its page. Raises as `http.listen`."""
    return http.listen(Page(session), port)


def rubric() -> list[dict[str, str]]:
    """The labels in the order of their keys, with what they mean."""
    return [
        {"label": label.value, "name": label.value.replace("_", " "), "meaning": MEANING[label]}
        for label in Label
    ]


def serve(study: Study, annotator: str, items: int | None, port: int) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        UserturnError: See `open_session` and `make_server`.
    """
    with open_session(study, annotator, items) as session:
        http.run(*make_server(session, port))
        path: Path = human.file_of(annotator)
        total = session.state()["total"]
        print(f"{session.done} of {total} turns done: {path}; commit {human.FOLDER}")
