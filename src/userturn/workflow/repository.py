"""The DVC repository of this folder: opened, and whether its remote answers."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from userturn.base.errors import UserturnError

if TYPE_CHECKING:
    from dvc.repo import Repo

REMOTE_SECONDS = 20.0


class RunError(UserturnError):
    """A run cannot start here: DVC cannot read the repository, or the clone is in use."""


def differences(repo: Repo) -> dict[str, list[Any]]:
    """What has changed for each stage, as `dvc status` has it, by name.

    Without its locks: those are held by a stage that runs, and looking needs none.
    """
    return {str(stage.addressing): [*_changes(stage)] for stage in repo.index.stages}


def _changes(stage: Any) -> Iterator[Any]:
    for what, files in (("changed deps", stage.deps), ("changed outs", stage.outs)):
        states: dict[str, Any] = {}
        for file in files:
            states.update(file.status())
        if states:
            yield {what: states}
    if stage.changed_stage():
        yield "changed command"


def can_pull() -> bool:
    """Whether there is a default remote and it answers; a warning where it does not.

    `dvc repro --pull` fails without it, and what cannot be pulled can still be made.
    """
    with open_repo() as repo:
        name = repo.config["core"].get("remote")
    if name is None:
        return False
    failure = f"no answer within {REMOTE_SECONDS:.0f} s"

    def ask() -> None:
        nonlocal failure
        try:
            with open_repo() as repo:
                remote = repo.cloud.get_remote_odb()
                remote.fs.ls(remote.path)
            failure = ""
        except Exception as error:  # whatever a remote's library raises
            failure = f"{type(error).__name__}: {error}"

    thread = threading.Thread(target=ask, daemon=True)  # a lost server can hold it for minutes
    thread.start()
    thread.join(REMOTE_SECONDS)
    if failure:
        print(
            f"DVC: the remote '{name}' cannot be read ({failure}); the run goes on without it, and "
            "makes what it would have pulled",
            file=sys.stderr,
        )
    return not failure


@contextmanager
def open_repo() -> Iterator[Repo]:
    """The DVC repository of this folder; what DVC cannot do becomes a RunError."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(".") as repo:
            yield repo
    except DvcException as error:
        raise RunError(f"DVC: {error}") from None
