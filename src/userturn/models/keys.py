"""Judges that cost money: asked once their key was set where the study ran, and from then on.

A key is a fact of a machine, and labels must not come and go with machines. So stage `entries`
writes down whether an optional judge is asked (`data/entries/judges.json`), on which the stages
that label and count depend. A key that is set turns it on; that it is missing elsewhere turns
nothing off, just as of local files what was recorded stands. For DVC to see a key that is new, a
file in `data/inputs/asked/`, which `entries` depends on, names every judge that is asked.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from userturn.base import files, paths
from userturn.store import previous
from userturn.study.judges import ServerJudge, optional

if TYPE_CHECKING:
    from userturn.study.study import Study

STAGE = "entries"


def asked(study: Study) -> dict[str, bool]:
    """Of each optional judge of the study, whether its key is here, or was somewhere."""
    judges = [slug for slug in study.classify.judges if slug in study.judge]
    judges = [slug for slug in judges if optional(study.judge[slug])]
    here = {slug: _key_is_set(study, slug) for slug in judges}
    before = {} if all(here.values()) else _recorded()
    return {slug: here[slug] or before.get(slug, False) for slug in judges}


def is_asked(study: Study, slug: str) -> bool:
    """Whether a stage asks a judge: as `entries` wrote down, or, in a probe, by its key alone."""
    if not optional(study.judge[slug]):
        return True
    if paths.entries("judges").exists():
        return _recorded().get(slug, False)
    return _key_is_set(study, slug)


def mark(study: Study) -> None:
    """Make `data/inputs/asked/` hold a file for every optional judge that is asked."""
    wanted = {paths.ASKED / slug for slug, is_to_be in asked(study).items() if is_to_be}
    for path in {*paths.ASKED.glob("*")} - wanted:
        path.unlink(missing_ok=True)
    for path in wanted:
        if not path.exists():
            files.write_text(path, "asked\n")


def _key_is_set(study: Study, slug: str) -> bool:
    entry = study.judge[slug]
    assert isinstance(entry, ServerJudge)
    return entry.key_env is None or bool(os.environ.get(entry.key_env))


def _recorded() -> dict[str, bool]:
    """What `entries` wrote down last, in this clone or in DVC's cache."""
    for path in (paths.entries("judges"), *previous.outputs(STAGE, "judges.json")):
        try:
            entries = json.loads(path.read_text(encoding="utf-8"))
            return {slug: entry.get("asked", True) for slug, entry in entries.items()}
        except (OSError, ValueError, AttributeError):
            continue
    return {}
