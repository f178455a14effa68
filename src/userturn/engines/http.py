"""A client for servers with the OpenAI interface: many requests at once, each tried again.

Requests run on an event loop of their own thread, so that those in flight go on while the caller
works on what it got, and end with the connection when the caller stops: a server gives up a
generation whose client is gone.

A server may be anyone's: what it sends is bounded in size and time, what it asks to wait has a
limit and is shown, and no message repeats a key or what stands in an environment variable.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import KW_ONLY, dataclass
from email.utils import parsedate_to_datetime
from itertools import groupby, islice
from time import monotonic, time
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from userturn.base.errors import EngineError
from userturn.study.sources import expand, variables

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal
    from httpx2 import AsyncClient, Response
    from tenacity import RetryCallState

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 60.0
"""Bounds of the random wait before another try; a server's own `Retry-After` may be longer."""
LONGEST_RETRY_AFTER_S = 300.0
"""Longest wait that a server may ask for; one that wants a longer one ends the run."""
TOLD_S = 5.0
"""Waits from here on are shown."""
LARGEST_ANSWER, LARGEST_REFUSAL = 16 * 2**20, 64 * 2**10
"""Bytes that are read of an answer; log-probabilities of 100,000 tokens are some 10 MB."""
BUSY = (408, 429)
"""Statuses below 500 that another try can mend."""
SHOWN = 300
"""Characters of a server's answer that a message quotes."""
PIECE = 4
"""Characters of the key that a message may not hold in a row, should a server quote them."""


class _AgainError(Exception):
    """A failure that another try can mend.

    Args:
        error: What to raise where no try is left.
        retry_after: Seconds the server asks to wait.
    """

    def __init__(self, error: EngineError, retry_after: float = 0.0) -> None:
        super().__init__(str(error))
        self.error, self.retry_after = error, retry_after


@dataclass(frozen=True)
class Server:
    """One server, by the URL that its paths are relative to.

    Attributes:
        base_url: URL up to and with `/v1`, without user, password or query; as the study writes
            it, `${NAME}` for an environment variable. Messages show it so.
        key_env: Environment variable that holds the key; None where the server wants none. The
            key is read when a request is made and kept nowhere else.
        concurrency: Requests in flight at once.
        retries: Tries after the first one, on connection errors, 408, 429 and 5xx.
        timeout_s: Longest time from a request to the end of its answer, in seconds.

    Raises:
        EngineError: The URL is none, or holds a secret.
        StudyError: The URL uses an environment variable that is not set.
    """

    base_url: str
    _: KW_ONLY
    key_env: str | None
    concurrency: int
    retries: int
    timeout_s: float

    def __post_init__(self) -> None:
        no_url = EngineError(
            f"base_url: '{self.base_url}' is no URL of a server; write it as http://host:8000/v1"
        )
        try:
            parts = urlsplit(self._url)
            _ = parts.port
        except ValueError:
            raise no_url from None
        if "@" in parts.netloc or parts.query:
            raise EngineError(
                "the server's base_url holds a user, password or query; name the environment "
                "variable that holds the key in key_env instead"
            )
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise no_url

    @property
    def _url(self) -> str:
        return expand(self.base_url)

    def get(self, path: str) -> dict[str, Any]:
        """Answer to a GET, such as of `models`. Raises as `post_many`."""
        with self._connected() as (portal, client):
            answer: dict[str, Any] = portal.call(self._ask, _Calls(client), "GET", path, None)
        return answer

    def post_many(
        self, path: str, payloads: Iterable[tuple[str, dict[str, Any]]]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Post every payload and yield each answer as it arrives, in any order.

        Args:
            path: Relative to `base_url`, such as `completions`.
            payloads: Ids of the caller's choice with the bodies to post; taken as they are sent.

        Yields:
            The id and the parsed JSON of its answer.

        Raises:
            EngineError: A request failed for good. Nothing is sent after it; what is in flight
                then has one more try, and whatever finished has been yielded before.
        """
        waiting = iter(payloads)
        flying: dict[Future[dict[str, Any]], str] = {}
        failure: EngineError | None = None
        with self._connected() as (portal, client):
            calls = _Calls(client)
            try:
                while True:
                    free = self.concurrency - len(flying) if failure is None else 0
                    for key, payload in islice(waiting, free):
                        sent = portal.start_task_soon(self._ask, calls, "POST", path, payload)
                        flying[sent] = key
                    if not flying:
                        break
                    for done in wait(flying, return_when=FIRST_COMPLETED).done:
                        key = flying.pop(done)
                        try:
                            answer = done.result()
                        except EngineError as error:
                            failure = failure or EngineError(f"request {key}: {error}")
                        else:
                            yield key, answer
            finally:
                for future in flying:
                    future.cancel()
        if failure is not None:
            raise failure

    @contextmanager
    def _connected(self) -> Iterator[tuple[BlockingPortal, AsyncClient]]:
        """An event loop in a thread, and a client that lives in it."""
        from anyio.from_thread import start_blocking_portal
        from httpx2 import AsyncClient, Limits, Timeout

        # Not bound to a name: a traceback that shows local variables would show the key.
        client = AsyncClient(
            base_url=self._url,
            # An answer that unpacks could unpack to any size.
            headers={"Accept-Encoding": "identity"}
            | ({"Authorization": f"Bearer {self._key()}"} if self.key_env else {}),
            timeout=Timeout(self.timeout_s, connect=CONNECT_TIMEOUT_S, pool=None),
            limits=Limits(max_connections=self.concurrency),
        )
        with (
            start_blocking_portal() as portal,
            portal.wrap_async_context_manager(client) as open_client,
        ):
            yield portal, open_client

    async def _ask(
        self, calls: _Calls, method: str, path: str, payload: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Answer to one request after as many tries as it takes, or is given.

        Args:
            calls: What the requests of one call share.
            method: `GET` or `POST`.
            path: Relative to `base_url`.
            payload: Body; None for none.
        """
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        tries = AsyncRetrying(
            retry=retry_if_exception(
                lambda error: isinstance(error, _AgainError) and not calls.failed.is_set()
            ),
            stop=stop_after_attempt(self.retries + 1),
            wait=_seconds_to_wait,
            sleep=calls.pause,
            before_sleep=calls.tell,
            reraise=True,
        )
        try:
            return await tries(self._try, calls.client, method, path, payload)
        except (_AgainError, EngineError) as error:
            calls.failed.set()
            raise (error.error if isinstance(error, _AgainError) else error) from None

    async def _try(
        self, client: AsyncClient, method: str, path: str, payload: dict[str, Any] | None
    ) -> dict[str, Any]:
        from anyio import fail_after
        from httpx2 import HTTPError, TimeoutException

        url = f"{self.base_url.rstrip('/')}/{path}"
        try:
            with fail_after(self.timeout_s):
                async with client.stream(method, path, json=payload) as response:
                    body = await _read(response)
        except (TimeoutException, TimeoutError):
            problem = EngineError(
                f"{url}: no answer within {self.timeout_s:g} s; see the server's log, lower the "
                "concurrency, or allow more time"
            )
            raise _AgainError(problem) from None
        except HTTPError as error:
            # What the library says of an address may spell what a variable of base_url holds.
            said = "" if variables(self.base_url) else self._shown(str(error))
            problem = EngineError(
                f"{url}: cannot be reached ({said or type(error).__name__}); start the server, or "
                "mend base_url"
            )
            raise _AgainError(problem) from None
        if not response.is_success:
            self._refused(url, response, body)
        if body is None:
            raise EngineError(
                f"{url}: the answer is packed, or larger than {LARGEST_ANSWER:,} bytes; is it an "
                "OpenAI-compatible server?"
            )
        with suppress(ValueError, RecursionError):
            if isinstance(answer := json.loads(body), dict):
                return answer
        raise EngineError(
            f"{url}: the answer is no JSON object; is it an OpenAI-compatible server?"
        )

    def _refused(self, url: str, response: Response, body: bytes | None) -> NoReturn:
        """Raise what a status stands for: another try, or the end."""
        status = response.status_code
        problem = f"{url}: {self._explain(status, body or b'')}"
        if status not in BUSY and not response.is_server_error:
            raise EngineError(problem)
        wait = _retry_after(response.headers.get("Retry-After"))
        if wait > LONGEST_RETRY_AFTER_S:
            raise EngineError(
                f"{problem}. It asks to wait {wait:,.0f} s, longer than {LONGEST_RETRY_AFTER_S:g}: "
                "run the same command again then"
            )
        raise _AgainError(EngineError(problem), wait)

    def _explain(self, status: int, body: bytes) -> str:
        """Status, what the server says, and the mend."""
        if status in (401, 403):
            key = f"the key in {self.key_env}" if self.key_env else "a key, named by key_env"
            mend = f"the server wants another key: check {key}"
        elif status in BUSY or status >= 500:
            mend = "the server is overloaded or broken: see its log, or lower the concurrency"
        elif status == 404:
            mend = "check that base_url ends where the server's paths begin (/v1), and the model"
        else:
            mend = "the server refuses this request"
        return f"status {status} ({self._shown(body.decode(errors='replace'))}); {mend}"

    def _shown(self, text: str) -> str:
        """The beginning of what others say, without any piece of the key or terminal codes."""
        said = " ".join(text.split())
        if self.key_env:  # some servers quote the key that they refuse, or most of it
            said = without(said, self._key(), f"${self.key_env}")
        return "".join(sign if sign.isprintable() else "�" for sign in said[:SHOWN])

    def _key(self) -> str:
        """The key.

        Raises:
            EngineError: The variable is not set, or holds what no header can carry.
        """
        key = os.environ.get(self.key_env or "", "").strip()
        if not key:
            raise EngineError(f"{self.base_url}: set the environment variable {self.key_env}")
        if not (key.isascii() and key.isprintable()):
            raise EngineError(f"{self.key_env}: a key is made of printable ASCII characters")
        return key


class _Calls:
    """What the requests of one call share.

    Attributes:
        client: The open client.
        failed: Set once any request failed for good, which ends the waits of the others.
    """

    def __init__(self, client: AsyncClient) -> None:
        from anyio import Event

        self.client, self.failed = client, Event()
        self._told_until = 0.0

    async def pause(self, seconds: float) -> None:
        """Wait, unless a request failed for good."""
        from anyio import move_on_after

        with move_on_after(seconds):
            await self.failed.wait()

    def tell(self, state: RetryCallState) -> None:
        """Show a long wait, once for all requests that wait at the same time."""
        error = state.outcome.exception() if state.outcome else None
        wait, now = state.upcoming_sleep, monotonic()
        level = logging.DEBUG
        if wait >= TOLD_S and now >= self._told_until:
            level, self._told_until = logging.WARNING, now + wait
        log.log(level, "try %d: %s; again in %.1f s", state.attempt_number, error, wait)


async def _read(response: Response) -> bytes | None:
    """A body as far as it may go; None for one that is larger, or packed."""
    most = LARGEST_ANSWER if response.is_success else LARGEST_REFUSAL
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        return None
    body = bytearray()
    async for block in response.aiter_raw():
        body += block
        if len(body) > most:
            return None if response.is_success else bytes(body[:most])
    return bytes(body)


def without(text: str, secret: str, name: str) -> str:
    """A text in which every piece of a secret, from PIECE characters on, is replaced by a name."""
    size = min(PIECE, len(secret))
    sought, secret = _lower(text), _lower(secret)
    pieces = {secret[start : start + size] for start in range(len(secret) - size + 1)}
    hidden = [False] * len(text)
    for start in range(len(text) - size + 1):
        if sought[start : start + size] in pieces:
            hidden[start : start + size] = [True] * size
    runs = groupby(zip(hidden, text, strict=True), key=lambda pair: pair[0])
    return "".join(name if hides else "".join(sign for _, sign in run) for hides, run in runs)


def _lower(text: str) -> str:
    """ASCII letters in lower case, every character in its place."""
    return "".join(sign.lower() if sign.isascii() else sign for sign in text)


def _seconds_to_wait(state: RetryCallState) -> float:
    """A random wait whose bound doubles with each try, or what the server asks for if longer."""
    from tenacity import wait_random_exponential

    backoff = wait_random_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S)(state)
    error = state.outcome.exception() if state.outcome else None
    return max(backoff, error.retry_after if isinstance(error, _AgainError) else 0.0)


def _retry_after(header: str | None) -> float:
    """Seconds that a `Retry-After` header asks for: it holds seconds or a date (RFC 9110)."""
    if header is None:
        return 0.0
    if header.isdecimal():
        return float(header)
    with suppress(ValueError):
        return max(0.0, parsedate_to_datetime(header).timestamp() - time())
    return 0.0
