"""A judge behind an OpenAI-compatible server on loopback, for tests.

It labels what it is shown, counts what it charges per request, and fails as often as it is told.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

TOKENS = 700
"""What every reply costs."""


class JudgeServer(ThreadingHTTPServer):
    """Charges a request when its reply is written.

    Attributes:
        failing: Share of calls that fail, with 429, 500 or a closed connection in turn.
        refuse: Status and body for every call, or None.
        charges: How often each request was paid for, by hash of its body.
        headers: Authorization headers that came.
        prompts: What was asked, in order.
        lies: Share of prompts that get a quote from nowhere when asked for the first time.
        stubborn: Whether they get it again when asked for the second time.
        too_long: A turn that is refused, with status and body.
        busy: Calls that are being answered.
        models: What it says that it serves.
        labeller: Gives the label of a turn; None: a question is a follow-up, all else unrelated.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.failing, self.lies, self.stubborn = 0.0, 0.0, False
        self.refuse: tuple[int, dict[str, Any]] | None = None
        self.too_long: tuple[str, tuple[int, dict[str, Any]]] | None = None
        self.busy = 0
        self.models: list[Any] = []
        self.labeller: Callable[[str], str] | None = None
        self.charges: Counter[str] = Counter()
        self.headers: set[str | None] = set()
        self.prompts: list[str] = []
        self.failed = 0
        self.lock = Lock()
        self.chance = random.Random(0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: JudgeServer

    def do_GET(self) -> None:
        body = json.dumps({"object": "list", "data": self.server.models}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        with self.server.lock:
            self.server.busy += 1
        try:
            self._answer()
        finally:
            with self.server.lock:
                self.server.busy -= 1

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        with server.lock:
            server.headers.add(self.headers["Authorization"])
            fails = server.chance.random() < server.failing
            server.failed += fails
            way = server.failed % 3
        if self.path != "/v1/chat/completions":
            self._send(404, {"error": "no such path"})
        elif server.refuse:
            self._send(*server.refuse)
        elif fails and way == 0:
            self.close_connection = True
        elif fails:
            self._send(429 if way == 1 else 500, {"error": {"message": "try again"}})
        else:
            asked = json.loads(body)
            prompt = asked["messages"][0]["content"]
            if server.too_long and json.dumps(server.too_long[0]) in prompt:
                self._send(*server.too_long[1])
                return
            said = reply(prompt, server.lies, server.stubborn)
            if server.labeller:
                said["label"] = server.labeller(_texts(prompt)[2])
            text = json.dumps(said)
            with server.lock:
                server.prompts.append(prompt)
                server.charges[hashlib.sha256(body).hexdigest()] += 1
            self._send(
                200,
                {
                    "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
                    "usage": {"total_tokens": TOKENS},
                },
            )

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


def reply(prompt: str, lies: float, stubborn: bool) -> dict[str, str]:
    """Labels a question as a follow-up, everything else as unrelated; quotes the first words."""
    answer, turn = _texts(prompt)[1:3]
    told = "Your reply above was rejected" in prompt and not stubborn
    honest = told or random.Random(turn).random() >= lies
    return {
        "evidence_turn": turn.split()[0] if honest else "quoted from nowhere",
        "evidence_answer": answer.split()[0],
        "rationale": "it asks" if "?" in turn else "it does not ask",
        "label": "followup" if "?" in turn else "unrelated",
    }


def _texts(prompt: str) -> list[str]:
    """What stands in the blocks of a prompt: query, answer, turn, and a rejected reply."""
    return [json.loads(line) for line in prompt.splitlines() if line.startswith('"')]


@contextmanager
def serve() -> Iterator[JudgeServer]:
    """A running server."""
    with JudgeServer() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
