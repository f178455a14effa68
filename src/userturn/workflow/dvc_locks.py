"""What killed runs leave in DVC's lock file, mended before DVC trips over it.

DVC notes which files it reads and writes, with its process id, in its `rwlock`. A kill leaves
the notes there. DVC drops those whose process is gone, but stops at a file that a kill cut in two,
at a process id that another program has by now (after a reboot, say), and at a DVC that outlived
the Snakemake that had started it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

_POLL_SECONDS = 0.5


def settle(
    folder: Path, say: Callable[[str], None] = lambda line: print(line, file=sys.stderr)
) -> None:
    """Remove notes that no process stands behind, and wait for those that one does.

    Only for a process that holds the clone (`workflow.lock_clone`): what is at work then is a
    DVC of a killed run, which finishes its stage, or one that the user started.

    Args:
        folder: DVC's folder for temporary files, `.dvc/tmp`.
        say: Gets a line where there is something to wait for.
    """
    path = folder / "rwlock"
    said: set[tuple[int, str]] = set()
    while holders := _holders(path):
        alive = {holder for holder in holders if _runs(*holder)}
        if not alive:
            path.unlink(missing_ok=True)
            return
        for pid, command in sorted(alive - said):
            say(f"DVC: waiting for process {pid}, which is still at work here: {command}")
        said |= alive
        time.sleep(_POLL_SECONDS)


def _holders(path: Path) -> set[tuple[int, str]]:
    """Process id and command of each note; a file that holds no notes is removed."""
    for patience in (_POLL_SECONDS, 0):  # a DVC at work may just be writing it
        try:
            notes = json.loads(path.read_text(encoding="utf-8"))
            readers = (note for group in notes.get("read", {}).values() for note in group)
            both = (*notes.get("write", {}).values(), *readers)
            return {(int(note["pid"]), str(note["cmd"])) for note in both}
        except FileNotFoundError:
            return set()
        except (ValueError, KeyError, TypeError, AttributeError):
            time.sleep(patience)
    path.unlink(missing_ok=True)
    return set()


def _runs(pid: int, command: str) -> bool:
    """Whether the process is the one that wrote the note, and not another of the same id."""
    import psutil

    try:
        return pid != os.getpid() and " ".join(psutil.Process(pid).cmdline()).endswith(command)
    except psutil.AccessDenied:
        return True  # another user's: theirs to judge
    except psutil.NoSuchProcess:
        return False
