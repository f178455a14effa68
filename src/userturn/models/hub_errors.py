"""What the hub's client raises, in one sentence that says the mend."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from userturn.base.errors import SourceError
from userturn.study.sources import HubSource

Failure = Literal[
    "offline", "gated", "disabled", "repository", "revision", "file", "token", "broken", "away", ""
]
ACCESS = "HF_TOKEN (or `hf auth login`)"


@contextmanager
def explained(source: HubSource, kind: str) -> Iterator[None]:
    """Turn whatever the hub's libraries raise into one error that says the mend.

    Args:
        source: What is fetched.
        kind: What it is, for the message: `model` or `dataset`.

    Raises:
        SourceError: Something was raised inside.
    """
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"{source.at}: {_text(error, source, kind)}") from None


def failure_of(error: BaseException) -> Failure:
    """What kind of failure an error is, or one that it was raised from; empty for an unknown one.

    Libraries wrap what the client raises, and lose what it was.
    """
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        if kind := _kind(one):
            return kind
        one = one.__cause__ or one.__context__
    return ""


def _kind(error: BaseException) -> Failure:
    import httpx2
    from huggingface_hub import errors, is_offline_mode

    if isinstance(error, errors.HfHubHTTPError):
        return _refusal(error)
    if isinstance(error, errors.LocalEntryNotFoundError | ConnectionError):
        return "offline" if is_offline_mode() else "away"
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError):
        return "away"
    return "broken" if isinstance(error, httpx2.TransportError) else ""


def _refusal(error: BaseException) -> Failure:
    """What a status of the hub means."""
    from huggingface_hub import errors

    assert isinstance(error, errors.HfHubHTTPError)
    for kind, failure in (
        (errors.GatedRepoError, "gated"),
        (errors.DisabledRepoError, "disabled"),
        (errors.RevisionNotFoundError, "revision"),
        (errors.EntryNotFoundError, "file"),
    ):
        if isinstance(error, kind):
            return failure  # type: ignore[return-value]
    status = error.response.status_code
    if status == 401 and "credentials" in error.response.headers.get("X-Error-Message", ""):
        return "token"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "repository"
    return "broken" if status >= 500 else ""


def _text(error: Exception, source: HubSource, kind: str) -> str:
    from huggingface_hub import get_token

    known, said = get_token() is not None, _first_line(error)
    match failure_of(error):
        case "gated" if known:
            return (
                f"the {kind} is gated and the token that was sent has no access; accept its terms "
                f"on the hub with its account, and let the token read gated repositories ({ACCESS})"
            )
        case "gated":
            return (
                f"the {kind} is gated and no token was sent; accept its terms on the hub, then set "
                f"{ACCESS} to a token of that account"
            )
        case "token":
            return f"the hub does not know the token that was sent; set {ACCESS} to a valid one"
        case "repository" if known:
            return f"the hub has no such {kind} that this token may read; check `repo` and {ACCESS}"
        case "repository":
            return f"the hub has no such {kind}, or it is private; check `repo`, or set {ACCESS}"
        case "revision":
            return (
                f"the {kind} has no revision '{source.revision}'; name a branch, a tag or a commit "
                "in `revision`, then run `userturn pin`"
            )
        case "file":
            return f"the {kind} has no file '{source.file}'; correct `file` ({said})"
        case "offline":
            return f"is not whole on this machine; unset HF_HUB_OFFLINE, or {_local_copy()}"
        case "away":
            return (
                f"is not on this machine and the hub cannot be reached ({said}); check the network"
                f"{_endpoint()}, or {_local_copy()}"
            )
        case "broken":
            return (
                f"the hub broke off ({said}); files that were finished are kept, so run the same "
                "command again"
            )
        case "disabled":
            return f"the hub has disabled the {kind}; take another repository"
    return (
        f"the hub said {said}; check `repo`, `revision`, `subset`, `split` and, for private "
        f"repositories, {ACCESS}"
    )


def _local_copy() -> str:
    return "take a local copy with `source: {type: file, path: ...}`"


def _endpoint() -> str:
    return " and HF_ENDPOINT" if "HF_ENDPOINT" in os.environ else ""


def _first_line(error: Exception) -> str:
    """Name and first line of an error, without the address that the hub's variable holds."""
    line = (str(error).splitlines() or [""])[0]
    if endpoint := os.environ.get("HF_ENDPOINT"):
        line = line.replace(endpoint.rstrip("/"), "HF_ENDPOINT")
    return f"{type(error).__name__}: {line}"
