"""NLTK's data for the instruction checkers, at hand before they would download it."""

from __future__ import annotations

import zipfile
from pathlib import Path

from userturn.base import paths
from userturn.models import sources
from userturn.models.fetched import partial_folder
from userturn.study.sources import WheelSource

# NLTK's sentence splitter and stop words, which the instruction checkers need and NLTK would
# download at import. This wheel carries NLTK's own archives; only its two members are taken.
_WHEEL = "llama-index-core"
_VERSION = "0.14.25"
_FOLDER = "llama_index/core/_static/nltk_cache"
_DATA = {
    "tokenizers/punkt_tab": "e57f64187974277726a3417ca6f181ec5403676c717672eef6a748a7b20e0106",
    "corpora/stopwords": "48c0e52d8b52546e827f53761fb30300c0ab94f70660d28bd65ba0a86270946b",
}


def folder() -> Path:
    """Folder with NLTK's English data, fetched once. Raises SourceError where it cannot be."""
    root = paths.cache() / "nltk"
    for name, sha256 in _DATA.items():
        target = root / name
        if target.is_dir():
            continue
        source = WheelSource(
            type="wheel",
            package=_WHEEL,
            version=_VERSION,
            member=f"{_FOLDER}/{name}.zip",
            sha256=sha256,
        )
        archive = sources.fetch(source, paths.cache()).path
        with partial_folder(target) as made, zipfile.ZipFile(archive) as members:
            for member in members.namelist():
                inner = Path(member).relative_to(target.name)
                if "english" in inner.parts and not member.endswith("/"):
                    (made / inner).parent.mkdir(parents=True, exist_ok=True)
                    (made / inner).write_bytes(members.read(member))
    return root.absolute()
