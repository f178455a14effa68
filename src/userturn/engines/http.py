"""A client for servers with the OpenAI interface: many requests at once, each tried again.

Requests run on an event loop of their own thread, so that those in flight go on while the caller
works on what it got, and end with the connection when the caller stops: a server gives up a
generation whose client is gone.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import KW_ONLY, dataclass
from email.utils import parsedate_to_datetime
from itertools import islice
from time import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from userturn.base.errors import EngineError

if TYPE_CHECKING:
    from anyio import Event
    from anyio.from_thread import BlockingPortal
    from httpx2 import AsyncClient, Response
    from tenacity import RetryCallState

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 60.0
"""Bounds of the random wait before another try; a server's own `Retry-After` may be longer."""
BUSY = (408, 429)
"""Statuses below 500 that another try can mend."""
SHOWN = 300
"""Characters of a server's answer that a message quotes."""


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
        base_url: URL up to and with `/v1`, without user, password or query.
        key_env: Environment variable that holds the key; None where the server wants none. The
            key is read when a request is made and kept nowhere else.
        concurrency: Requests in flight at once.
        retries: Tries after the first one, on connection errors, 408, 429 and 5xx.
        timeout_s: Longest silence of the server, in seconds: as long as the longest generation.

    Raises:
        EngineError: The URL is none, or holds a secret.
    """

    base_url: str
    _: KW_ONLY
    key_env: str | None
    concurrency: int
    retries: int
    timeout_s: float

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if "@" in parts.netloc or parts.query:
            raise EngineError(
                f"the server's base_url ({parts.hostname}) holds a user, password or query; name "
                "the environment variable that holds the key in key_env instead"
            )
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise EngineError(
                f"base_url: '{self.base_url}' is no URL of a server; write it as "
                "http://host:8000/v1"
            )

    def get(self, path: str) -> dict[str, Any]:
        """Answer to a GET, such as of `models`. Raises as `post_many`."""
        from anyio import Event

        with self._connected() as (portal, client):
            answer: dict[str, Any] = portal.call(self._ask, client, "GET", path, None, Event())
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
        from anyio import Event

        waiting, failed = iter(payloads), Event()
        flying: dict[Future[dict[str, Any]], str] = {}
        failure: EngineError | None = None
        with self._connected() as (portal, client):
            try:
                while True:
                    free = self.concurrency - len(flying) if failure is None else 0
                    for key, payload in islice(waiting, free):
                        sent = portal.start_task_soon(
                            self._ask, client, "POST", path, payload, failed
                        )
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
            base_url=self.base_url,
            headers={"Authorization": f"Bearer {self._key()}"} if self.key_env else {},
            timeout=Timeout(self.timeout_s, connect=CONNECT_TIMEOUT_S, pool=None),
            limits=Limits(max_connections=self.concurrency),
        )
        with (
            start_blocking_portal() as portal,
            portal.wrap_async_context_manager(client) as open_client,
        ):
            yield portal, open_client

    async def _ask(
        self,
        client: AsyncClient,
        method: str,
        path: str,
        payload: dict[str, Any] | None,
        failed: Event,
    ) -> dict[str, Any]:
        """Answer to one request after as many tries as it takes, or is given.

        Args:
            client: The open client.
            method: `GET` or `POST`.
            path: Relative to `base_url`.
            payload: Body; None for none.
            failed: Set once any request failed for good, which ends the waits of the others.
        """
        from anyio import move_on_after
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        async def pause(seconds: float) -> None:
            with move_on_after(seconds):
                await failed.wait()

        tries = AsyncRetrying(
            retry=retry_if_exception(lambda e: isinstance(e, _AgainError) and not failed.is_set()),
            stop=stop_after_attempt(self.retries + 1),
            wait=_seconds_to_wait,
            sleep=pause,
            before_sleep=_log_retry,
            reraise=True,
        )
        try:
            return await tries(self._try, client, method, path, payload)
        except (_AgainError, EngineError) as error:
            failed.set()
            raise (error.error if isinstance(error, _AgainError) else error) from None

    async def _try(
        self, client: AsyncClient, method: str, path: str, payload: dict[str, Any] | None
    ) -> dict[str, Any]:
        from httpx2 import HTTPError, TimeoutException

        url = f"{self.base_url.rstrip('/')}/{path}"
        try:
            response = await client.request(method, path, json=payload)
        except TimeoutException:
            problem = EngineError(
                f"{url}: no answer within {self.timeout_s:g} s; see the server's log, lower the "
                "concurrency, or allow more time"
            )
            raise _AgainError(problem) from None
        except HTTPError as error:
            reason = str(error) or type(error).__name__
            problem = EngineError(
                f"{url}: cannot be reached ({reason}); start the server, or mend base_url"
            )
            raise _AgainError(problem) from None
        if not response.is_success:
            problem = EngineError(f"{url}: {self._explain(response)}")
            if response.status_code in BUSY or response.is_server_error:
                raise _AgainError(problem, _retry_after(response.headers.get("Retry-After")))
            raise problem
        with suppress(ValueError):
            if isinstance(answer := response.json(), dict):
                return answer
        raise EngineError(
            f"{url}: the answer is no JSON object; is it an OpenAI-compatible server?"
        )

    def _explain(self, response: Response) -> str:
        """Status, what the server says, and the mend."""
        status = response.status_code
        if status in (401, 403):
            key = f"the key in {self.key_env}" if self.key_env else "a key, named by key_env"
            mend = f"the server wants another key: check {key}"
        elif status in BUSY or response.is_server_error:
            mend = "the server is overloaded or broken: see its log, or lower the concurrency"
        elif status == 404:
            mend = "check that base_url ends where the server's paths begin (/v1), and the model"
        else:
            mend = "the server refuses this request"
        said = " ".join(response.text.split())
        if self.key_env:  # some servers quote the key that they refuse
            said = said.replace(self._key(), f"${self.key_env}")
        return f"status {status} ({said[:SHOWN]}); {mend}"

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


def _seconds_to_wait(state: RetryCallState) -> float:
    """A random wait whose bound doubles with each try, or what the server asks for if longer."""
    from tenacity import wait_random_exponential

    backoff = wait_random_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S)(state)
    error = state.outcome.exception() if state.outcome else None
    return max(backoff, error.retry_after if isinstance(error, _AgainError) else 0.0)


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.debug("try %d: %s; again in %.1f s", state.attempt_number, error, state.upcoming_sleep)


def _retry_after(header: str | None) -> float:
    """Seconds that a `Retry-After` header asks for: it holds seconds or a date (RFC 9110)."""
    if header is None:
        return 0.0
    if header.isdecimal():
        return float(header)
    with suppress(ValueError):
        return max(0.0, parsedate_to_datetime(header).timestamp() - time())
    return 0.0
