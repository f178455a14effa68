"""The annotation page: one turn at a time, blind, on this machine only.

The server listens on the loopback device. A page of another site that the annotator's browser
happens to show cannot reach it: the address holds a secret, other `Host` headers are refused (DNS
rebinding), and so are posts from another origin. Texts go to the page as JSON and are shown as
text; the page's policy forbids everything that it does not bring itself.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import json
import logging
import os
import secrets
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from userturn.annotate.file import held
from userturn.artifacts.labels import MEANING, Label
from userturn.base.errors import UserturnError
from userturn.judges.human import labels as human
from userturn.judges.human import sample

if TYPE_CHECKING:
    from userturn.study.study import Study

LOOPBACK = "127.0.0.1"
LONGEST_POST = 4096  # bytes
PAGES = {
    "": ("page.html", "text/html"),
    "page.js": ("page.js", "text/javascript"),
    "page.css": ("page.css", "text/css"),
}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

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
            self._append(text, answer.label, answer.seconds)
            self._given[text] = answer.label
            return self._state()

    def undo(self) -> dict[str, Any]:
        """Take the last label or skip back, also one of an earlier session.

        Raises:
            OSError: The line could not be written; the file is as it was.
        """
        with self._lock:
            if last := self._last():
                self._append(last, None, 0)
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

    def _append(self, text: human.Text, label: Label | Literal["skip"] | None, took: float) -> None:
        line = human.Annotation(
            **text.model_dump(),
            label=label,
            seconds=round(took, 1),
            time=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        content = f"{line.model_dump_json()}\n".encode()
        end = self._file.seek(0, os.SEEK_END)
        try:
            if self._file.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(end)
            raise


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


def make_server(session: Session, port: int) -> tuple[ThreadingHTTPServer, str]:
    """A server of one session, and the address of its page.

    Args:
        session: The annotator at work.
        port: Port of the loopback device; 0 takes a free one.

    Raises:
        UserturnError: The port is taken.
    """
    token = secrets.token_urlsafe(16)

    class Handler(_Handler):
        pass

    Handler.session, Handler.token = session, token
    try:
        server = _Server((LOOPBACK, port), Handler)
    except OSError as error:
        raise UserturnError(
            f"port {port}: cannot be opened ({error.strerror}); choose another with --port, or 0 "
            "for any that is free"
        ) from None
    Handler.hosts = f"{LOOPBACK}:{server.server_port}", f"localhost:{server.server_port}"
    return server, f"http://{LOOPBACK}:{server.server_port}/{token}/"


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Say nothing of a tab that was closed in the middle of a request."""
        if not isinstance(error := sys.exception(), OSError):
            log.error("a request of the page failed: %r", error)


class _Handler(BaseHTTPRequestHandler):
    session: Session
    token: str
    hosts: tuple[str, ...]
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "userturn", ""
    timeout = 60

    def do_GET(self) -> None:
        name = self._name()
        if name is None:
            return
        if name == "state":
            self._json(HTTPStatus.OK, self.session.state() | {"labels": rubric()})
        elif name in PAGES:
            file, kind = PAGES[name]
            content = files("userturn.annotate").joinpath(file).read_bytes()
            self._send(HTTPStatus.OK, f"{kind}; charset=utf-8", content)
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        name = self._name()
        if name is None:
            return
        length = self.headers["Content-Length"] or ""
        if self.headers["Origin"] != f"http://{self.headers['Host']}":
            self._refuse(HTTPStatus.FORBIDDEN)
            return
        if self.headers["Content-Type"] != "application/json":
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
            return
        if not length.isascii() or not length.isdigit() or int(length) > LONGEST_POST:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        content = self.rfile.read(int(length))
        try:
            if name == "label":
                self._json(HTTPStatus.OK, self.session.answer(Answer.model_validate_json(content)))
            elif name == "undo":
                self._json(HTTPStatus.OK, self.session.undo())
            else:
                self._refuse(HTTPStatus.NOT_FOUND)
        except ValidationError:
            self._refuse(HTTPStatus.BAD_REQUEST)
        except StaleError:
            self._json(HTTPStatus.CONFLICT, self.session.state())
        except OSError as error:
            log.error("a label could not be saved: %s", error)
            self._json(HTTPStatus.INSUFFICIENT_STORAGE, {"error": error.strerror or str(error)})

    def _name(self) -> str | None:
        """What is asked for below the secret; None where the request was refused."""
        if self.headers["Host"] not in self.hosts:
            self._refuse(HTTPStatus.FORBIDDEN)
            return None
        token, slash, name = self.path.removeprefix("/").partition("/")
        if not slash or not hmac.compare_digest(token.encode(), self.token.encode()):
            self._refuse(HTTPStatus.NOT_FOUND)
            return None
        return name

    def _refuse(self, status: HTTPStatus) -> None:
        self.close_connection = True  # a body that was not read must not be taken for a request
        self._json(status, {"error": status.phrase})

    def _json(self, status: HTTPStatus, value: Mapping[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: the address holds the secret."""


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
        server, address = make_server(session, port)
        print(
            f"{address}\nOpen this address in a browser on this machine. Ctrl-C ends.", flush=True
        )
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            path: Path = human.file_of(annotator)
            total = session.state()["total"]
            print(f"\n{session.done} of {total} turns done: {path}; commit {human.FOLDER}")
        finally:
            server.server_close()
