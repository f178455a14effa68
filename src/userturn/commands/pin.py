"""Pin a study: the commits of its hub repositories, written into the registry."""

from __future__ import annotations

from pathlib import Path

from userturn.base.errors import SourceError, StudyError
from userturn.base.files import write_text
from userturn.base.progress import progress
from userturn.models import hub, inputs
from userturn.models.pinning import hub_sources, with_commits
from userturn.study.loading import load_study, registry_of


def run_pin(path: Path, whole: bool, dry_run: bool) -> None:
    """Ask the hub for the commit of every branch and tag, and write them all, or nothing.

    What is at a commit stays there, so a second time nothing is asked and nothing changes.

    Args:
        path: The study.
        whole: Every entry of its registry, not only those that the study uses.
        dry_run: Print the commits and write nothing.

    Raises:
        StudyError: The study is not valid, or its registry cannot be edited.
        SourceError: The hub does not give a commit; the message has a line per entry.
    """
    study, registry = load_study(path), registry_of(path)
    wanted = hub_sources(study, None if whole else inputs.sources(study).keys())
    moving = {key: one for key, one in wanted.items() if not one[0].pinned}
    commits: dict[str, str] = {}
    failures: list[str] = []
    with progress("pin", len(moving), "repositories") as advance:
        for key, (source, kind) in moving.items():
            try:
                commits[key] = hub.resolve(source, kind)
            except SourceError as error:
                failures.append(f"  {key}: {error}")
            advance(0)
    for key, commit in commits.items():
        print(f"{key}: {moving[key][0].at} is {commit}")
    if failures:
        lines = "\n".join(failures)
        raise SourceError(
            f"{registry}: nothing was written, for the hub gave no commit of\n{lines}"
        )
    if commits and not dry_run:
        try:
            text = registry.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise StudyError(f"{registry}: cannot be read ({error})") from None
        write_text(registry, with_commits(text, commits, str(registry)))
    there = f"{len(wanted) - len(moving)} repositories are at a commit already"
    done = f"to pin in {registry}, nothing written" if dry_run else f"pinned in {registry}"
    print(f"{len(commits)} {done}; {there}")
