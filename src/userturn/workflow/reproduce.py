"""`dvc repro` of one stage for Snakemake's jobs: DVC's own command without its hints.

After each stage DVC proposes `git add dvc.lock`, `dvc config core.autostage true` and `dvc push`.
Said once they help; said by every job of a run they hide what the run says. DVC's one switch for
them, `--quiet`, hides errors too.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

HINT = "Use `dvc push`"
MODULE = "userturn.workflow.reproduce"


def reproduce(arguments: Sequence[str]) -> int:
    """Run `dvc --wait-for-lock repro` and return its exit status.

    Args:
        arguments: What follows `repro`: options and the name of a stage.
    """
    from dvc.cli import main
    from dvc.ui import ui

    # What DVC writes into its lock file as this process's command (workflow.dvc_locks reads it);
    # Python puts the module's file there, which is no part of the command line.
    sys.argv = [MODULE, *arguments]
    logging.getLogger("dvc.repo.scm_context").setLevel(logging.WARNING)
    write = ui.write
    ui.write = lambda *said, **how: None if _is_hint(said) else write(*said, **how)
    return int(main(["--wait-for-lock", "repro", *arguments]))


def _is_hint(said: Sequence[object]) -> bool:
    return bool(said) and str(said[0]).startswith(HINT)


if __name__ == "__main__":
    sys.exit(reproduce(sys.argv[1:]))
