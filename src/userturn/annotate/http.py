"""Pages on the loopback device, for one person on this machine.

A page of another site that the person's browser happens to show cannot reach them: the address
holds a secret, other `Host` headers are refused (DNS rebinding), and so are posts from another
origin. Texts go to a page as JSON and are shown as text; its policy forbids what it does not bring.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from pydantic import ValidationError

from userturn.base.errors import UserturnError

LOOPBACK = "127.0.0.1"
LONGEST_POST = 4096  # bytes
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent back.

    Attributes:
        kind: Its media type.
        content: Its bytes.
        status: Its status.
    """

    kind: str
    content: bytes
    status: HTTPStatus = HTTPStatus.OK


class Site(Protocol):
    """What a server shows. None is a name that there is not."""

    @property
    def policy(self) -> str:
        """Content-security policy of everything it shows."""
        ...

    def get(self, name: str, asked: Mapping[str, str]) -> Reply | None:
        """What a name below the secret shows; `asked` is what stands behind its question mark.

        Raises:
            ValidationError: What is asked makes no sense.
            UserturnError: It cannot be shown.
        """
        ...

    def post(self, name: str, content: bytes) -> Reply | None:
        """What a name does with what was sent to it.

        Raises:
            ValidationError: What was sent makes no sense.
            OSError: It could not be saved.
        """
        ...


def as_json(value: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Reply:
    """A value as a reply."""
    return Reply("application/json", json.dumps(value).encode(), status)


def listen(site: Site, port: int) -> tuple[ThreadingHTTPServer, str]:
    """A server of a site, and the address of its page.

    Args:
        site: What it shows.
        port: Port of the loopback device; 0 takes a free one.

    Raises:
        UserturnError: The port is taken.
    """
    token = secrets.token_urlsafe(16)

    class Handler(_Handler):
        pass

    Handler.site, Handler.token = site, token
    try:
        server = _Server((LOOPBACK, port), Handler)
    except OSError as error:
        raise UserturnError(
            f"port {port}: cannot be opened ({error.strerror}); choose another with --port, or 0 "
            "for any that is free"
        ) from None
    Handler.hosts = f"{LOOPBACK}:{server.server_port}", f"localhost:{server.server_port}"
    return server, f"http://{LOOPBACK}:{server.server_port}/{token}/"


def run(server: ThreadingHTTPServer, address: str) -> None:
    """Say where the page is, and serve it until Ctrl-C."""
    print(f"{address}\nOpen this address in a browser on this machine. Ctrl-C ends.", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    finally:
        server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Say nothing of a tab that was closed in the middle of a request."""
        if not isinstance(error := sys.exception(), OSError):
            log.error("a request of the page failed: %r", error)


class _Handler(BaseHTTPRequestHandler):
    site: Site
    token: str
    hosts: tuple[str, ...]
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "userturn", ""
    timeout = 60

    def do_GET(self) -> None:
        name = self._name()
        if name is None:
            return
        asked = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        try:
            reply = self.site.get(name, asked)
        except ValidationError:
            self._refuse(HTTPStatus.BAD_REQUEST)
        except UserturnError as error:
            log.error("%s", error)
            self._send(as_json({"error": str(error)}, HTTPStatus.INTERNAL_SERVER_ERROR))
        else:
            self._answer(reply)

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
            reply = self.site.post(name, content)
        except ValidationError:
            self._refuse(HTTPStatus.BAD_REQUEST)
        except OSError as error:
            log.error("a label could not be saved: %s", error)
            problem = {"error": error.strerror or str(error)}
            self._send(as_json(problem, HTTPStatus.INSUFFICIENT_STORAGE))
        else:
            self._answer(reply)

    def _name(self) -> str | None:
        """What is asked for below the secret; None where the request was refused."""
        if self.headers["Host"] not in self.hosts:
            self._refuse(HTTPStatus.FORBIDDEN)
            return None
        token, slash, name = urlsplit(self.path).path.removeprefix("/").partition("/")
        if not slash or not hmac.compare_digest(token.encode(), self.token.encode()):
            self._refuse(HTTPStatus.NOT_FOUND)
            return None
        return name

    def _answer(self, reply: Reply | None) -> None:
        if reply is None:
            self._refuse(HTTPStatus.NOT_FOUND)
        else:
            self._send(reply)

    def _refuse(self, status: HTTPStatus) -> None:
        self.close_connection = True  # a body that was not read must not be taken for a request
        self._send(as_json({"error": status.phrase}, status))

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Security-Policy", self.site.policy)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: the address holds the secret."""
