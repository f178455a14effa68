"""Local files and folders that a study reads: what they hold, told to DVC.

DVC compares what lies in the clone; what the registry names by a path can lie anywhere, through an
environment variable too, and need not be on this machine. So stage `entries` writes a fingerprint
of each into `data/entries/inputs.json`, and a stage depends on those of the entries that it reads.
For DVC to see by itself that a file was edited, `data/inputs/linked/` holds a link to each, and is
a dependency of `entries`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from userturn.base import files, paths
from userturn.base.errors import StudyError
from userturn.models import keys
from userturn.models.hashes import Hashes
from userturn.store import previous
from userturn.study.sources import FileSource, Source, expand_path
from userturn.study.study import Study

STAGE = "entries"
ABSENT = "not on this machine\n"
"""Stands in the place of a link, so that a folder without links is that of nobody's run."""


def sources(study: Study) -> dict[str, list[FileSource]]:
    """Local sources of every entry that the study uses, by `<section>.<slug>`; empty for others."""
    return {
        key: [source for source in named if isinstance(source, FileSource)]
        for key, named in _sources(study).items()
    }


def reference_keys(study: Study) -> list[str]:
    """Entries that the reference turns of the study come from, as `<section>.<slug>`.

    Its sets, and the conversations and datasets that hold their texts.
    """
    prompts = {f"dataset.{study.reference[slug].prompts}" for slug in study.calibrate.sets}
    return [key for key in _sources(study) if key in prompts or key.startswith("reference.")]


def reference_sources(study: Study) -> list[Source]:
    """Every source that the reference turns of the study come from, local or not."""
    named = _sources(study)
    return [source for key in reference_keys(study) for source in named[key] if source]


def _sources(study: Study) -> dict[str, list[Source | None]]:
    sets = [study.reference[slug] for slug in study.calibrate.sets]
    spoken = [*study.calibrate.sets, *(one.conversations for one in sets)]
    asked = [*study.prompts.datasets, *(one.prompts for one in sets)]
    return {
        **{f"dataset.{slug}": [study.dataset[slug].source] for slug in _of(asked, study.dataset)},
        **{f"model.{slug}": [study.model[slug].source] for slug in study.models.pretrained},
        **{
            f"reference.{slug}": [study.reference[slug].source, study.reference[slug].answers]
            for slug in _of(spoken, study.reference)
        },
    }


def _of(slugs: Iterable[str | None], registry: Container[str]) -> list[str]:
    return [slug for slug in dict.fromkeys(slugs) if slug and slug in registry]


def fingerprints(study: Study) -> dict[str, str | None]:
    """Hash of what each entry's local sources hold, by `<section>.<slug>`; None: it has none.

    Of a source that is not on this machine it is the hash that was recorded: nobody has changed
    what nobody has, and what was made of it stands. None where nothing was recorded.
    """
    local = sources(study)
    known = Hashes()
    hashes = {
        key: [known.of(path) if (path := place(source)) else None for source in named]
        for key, named in local.items()
    }
    known.keep()
    before = {} if all(all(values) for values in hashes.values()) else recorded()
    return {
        key: "+".join(filter(None, values)) or None if all(values) else before.get(key)
        for key, values in hashes.items()
    }


def place(source: FileSource) -> Path | None:
    """Where a local source lies; None where it cannot be read on this machine."""
    try:
        path = expand_path(source.path)
        usable = (path.is_file() or path.is_dir()) and os.access(path, os.R_OK)
    except (StudyError, OSError):
        return None
    return path if usable else None


def link(study: Study) -> None:
    """Make `data/inputs/linked/` hold a link to every local file that the study reads.

    What lies in a folder that is a dependency anyway needs none. Nothing is written where nothing
    has changed. Judges that are asked are marked beside it, see `keys`.
    """
    keys.mark(study)
    wanted = dict(_links(study))
    for path in [*paths.LINKED.rglob("*")]:
        if not _is_folder(path) and (path not in wanted or _target(path) != wanted[path]):
            path.unlink(missing_ok=True)
    for folder in sorted(paths.LINKED.rglob("*"), reverse=True):
        if _is_folder(folder) and not any(folder.iterdir()):
            folder.rmdir()
    for path, target in wanted.items():
        if path.is_symlink() or path.is_file():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if target is None:
            files.write_text(path, ABSENT)
        else:
            with suppress(FileExistsError):  # another process makes the same
                path.symlink_to(target)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _links(study: Study) -> Iterator[tuple[Path, str | None]]:
    """Links with their targets; None: the source is not on this machine."""
    folders = [folder.resolve() for folder in (paths.INPUTS, paths.REFERENCE)]
    for key, named in sources(study).items():
        for number, source in enumerate(named):
            at = paths.LINKED / (f"{key}.{number}" if number else key)
            path = place(source)
            if path is None:
                yield at, None
            elif any(path.resolve().is_relative_to(folder) for folder in folders):
                continue
            elif path.is_file():
                yield at, _from(at, path)
            else:
                for file in visible_files(path):
                    yield at / file, _from(at / file, path / file)


def _from(link: Path, path: Path) -> str:
    """The target of a link: relative where the registry's path is, so that a clone can move."""
    return str(path) if path.is_absolute() else os.path.relpath(path, link.parent)


def _target(path: Path) -> str | None:
    return os.readlink(path) if path.is_symlink() else None


def visible_files(folder: Path) -> Iterator[Path]:
    """Files below a folder relative to it, without hidden ones."""
    for file in folder.rglob("*"):
        name = file.relative_to(folder)
        if file.is_file() and not any(part.startswith(".") for part in name.parts):
            yield name


def recorded() -> dict[str, str | None]:
    """Fingerprints of the last run, from this clone or from DVC's cache."""
    for path in (paths.entries("inputs"), *previous.outputs(STAGE, "inputs.json")):
        try:
            return flat(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, AttributeError):
            continue
    return {}


def flat(tree: dict[str, dict[str, str | None]]) -> dict[str, str | None]:
    """Fingerprints by `<section>.<slug>`, as `nested` took them."""
    return {f"{name}.{slug}": value for name, part in tree.items() for slug, value in part.items()}


def nested(fingerprints: dict[str, str | None]) -> dict[str, dict[str, str | None]]:
    """Fingerprints by section and slug, so that DVC can name one.

    >>> nested({"dataset.a": "12", "model.b": None})
    {'dataset': {'a': '12'}, 'model': {'b': None}}
    """
    tree: dict[str, dict[str, str | None]] = {}
    for key, value in fingerprints.items():
        section, _, slug = key.partition(".")
        tree.setdefault(section, {})[slug] = value
    return tree
