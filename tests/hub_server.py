"""A small hub on loopback, as far as its real client asks.

After the documented interface of the Hugging Face hub: `/api/{models,datasets}/<repo>/revision/<r>`
and `/api/.../tree/<r>`, and `/<repo>/resolve/<r>/<file>` with `ETag`, `X-Repo-Commit`, and for
large files `X-Linked-Etag` (sha256) and `X-Linked-Size`; errors by `X-Error-Code`.
"""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Repository:
    """One repository at one commit.

    Attributes:
        files: Content by path.
        large: Paths that are kept as large files, known by their sha256.
        refs: Branches and tags.
        gated: Tokens that may read its files; None: everybody.
    """

    files: dict[str, bytes]
    large: tuple[str, ...] = ()
    commit: str = COMMIT
    refs: tuple[str, ...] = ("main",)
    gated: tuple[str, ...] | None = None


@dataclass
class Hub:
    """What the server has, what it does wrong, and what it was asked.

    Attributes:
        repositories: By kind and name, `models/owner/name`.
        tokens: Tokens that it knows.
        cuts: Bytes after which the next answers with a file break off.
        reset: Whether they break off with a reset instead of an end.
        wrong: Paths whose content it serves with a byte changed, and the right size.
        down: Answer everything with this status.
        asked: Method, path, and range of each request.
    """

    repositories: dict[str, Repository]
    tokens: tuple[str, ...] = ("hf_good", "hf_other")
    cuts: list[int] = field(default_factory=list)
    reset: bool = False
    wrong: set[str] = field(default_factory=set)
    down: int | None = None
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    url: str = ""

    def served(self, name: str) -> list[str | None]:
        """Ranges of the requests for a file's content."""
        return [
            part for method, path, part in self.asked if method == "GET" and path.endswith(name)
        ]


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """The hub on a free port of this machine."""

    class Handler(_Handler):
        _hub = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def at(monkeypatch, url):
    """The client asks this hub, as it does where HF_ENDPOINT is set before it is imported."""
    from huggingface_hub import constants

    before = constants.ENDPOINT
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(before, url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


class _Handler(BaseHTTPRequestHandler):
    _hub: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._route()

    def do_GET(self) -> None:
        self._route()

    def _route(self) -> None:
        hub, path = self._hub, unquote(urlsplit(self.path).path)
        hub.asked.append((self.command, path, self.headers.get("Range")))
        if hub.down:
            return self._refuse(hub.down, "", "down")
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
        if token and token not in hub.tokens:
            return self._refuse(401, "", "Invalid credentials in Authorization header")
        parts = path.strip("/").split("/")
        if parts[0] == "api":
            kind, name, rest = parts[1], "/".join(parts[2:4]), parts[4:]
        else:
            parts = parts if parts[0] == "datasets" else ["models", *parts]
            kind, name, rest = parts[0], "/".join(parts[1:3]), parts[3:]
        repository = hub.repositories.get(f"{kind}/{name}")
        if repository is None:
            status = 404 if token else 401  # the hub does not tell strangers what is not there
            return self._refuse(status, "RepoNotFound", "Repository not found")
        revision = rest[1] if len(rest) > 1 else "main"
        if revision not in (*repository.refs, repository.commit):
            return self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if rest and rest[0] == "resolve":
            return self._file(repository, "/".join(rest[2:]), token)
        if rest and rest[0] == "tree":
            return self._json([_leaf(repository, path) for path in repository.files])
        if not rest or rest[0] == "revision":
            siblings = [{"rfilename": path} for path in repository.files]
            return self._json({"id": name, "sha": repository.commit, "siblings": siblings})
        return self._refuse(404, "", "no such route")

    def _file(self, repository: Repository, path: str, token: str | None) -> None:
        if repository.gated is not None and token not in repository.gated:
            status = 403 if token else 401
            return self._refuse(status, "GatedRepo", "Access to this repository is restricted.")
        content = repository.files.get(path)
        if content is None:
            return self._refuse(404, "EntryNotFound", "Entry not found", repository.commit)
        etag = _etag(repository, path)
        if path in self._hub.wrong:
            content = bytes([content[0] ^ 1]) + content[1:]
        start = 0
        if wanted := self.headers.get("Range"):
            start = int(wanted.removeprefix("bytes=").split("-")[0])
        self.send_response(206 if wanted else 200)
        self.send_header("X-Repo-Commit", repository.commit)
        self.send_header("ETag", f'"{etag}"')
        if path in repository.large:
            self.send_header("X-Linked-Etag", f'"{etag}"')
            self.send_header("X-Linked-Size", str(len(content)))
        if wanted:
            whole = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.send_header("Content-Range", whole)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if self.command == "HEAD":
            return None
        if path in repository.large and self._hub.cuts:
            self.wfile.write(content[start : start + self._hub.cuts.pop(0)])
            self.wfile.flush()
            if self._hub.reset:
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()
            else:
                self.connection.shutdown(socket.SHUT_WR)
            return None
        self.wfile.write(content[start:])
        return None

    def _json(self, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, status: int, code: str, message: str, commit: str = "") -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        if commit:
            self.send_header("X-Repo-Commit", commit)
        self.send_header("X-Error-Message", message)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _etag(repository: Repository, path: str) -> str:
    content = repository.files[path]
    if path in repository.large:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _leaf(repository: Repository, path: str) -> dict[str, object]:
    size = len(repository.files[path])
    leaf = {"type": "file", "path": path, "size": size, "oid": _etag(repository, path)}
    if path in repository.large:
        leaf["lfs"] = {"oid": leaf["oid"], "size": size, "pointerSize": 134}
    return leaf
