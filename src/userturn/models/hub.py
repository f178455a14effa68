"""The Hugging Face hub: a model as a directory, a dataset as one file."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from userturn.base.errors import SourceError
from userturn.models.fetched import Fetched, partial_folder
from userturn.study.sources import HubSource

# Copies of the same weights for other runtimes, which many repositories carry beside safetensors.
HUB_IGNORE = ("original/*", "metal/*", "onnx/*", "*.gguf", "*.pth", "*.pt", "*.h5", "*.msgpack")

COMMIT = re.compile(r"[0-9a-f]{40}")


def fetch_model(source: HubSource) -> Fetched:
    """A model repository as a directory of the hub library's own cache."""
    from huggingface_hub import snapshot_download

    with _hub_errors(source):
        path = Path(
            snapshot_download(
                source.repo, revision=source.revision, ignore_patterns=list(HUB_IGNORE)
            )
        )
    return Fetched(path, f"{source.repo}@{path.name}")  # the folder is named by the commit


def fetch_dataset(source: HubSource, cache: Path) -> Fetched:
    """A dataset as one JSONL file, or the file of the repository that the source names."""
    from huggingface_hub import HfApi, hf_hub_download

    with _hub_errors(source):
        if source.file:
            path = Path(
                hf_hub_download(
                    source.repo, source.file, repo_type="dataset", revision=source.revision
                )
            )
            commit = path.parts[-1 - len(Path(source.file).parts)]
            return Fetched(path, f"{source.repo}@{commit}/{source.file}")
        commit = source.revision
        if not COMMIT.fullmatch(commit):
            commit = str(HfApi().dataset_info(source.repo, revision=commit).sha)
        part = "/".join(filter(None, (source.subset, source.split)))
        identity = f"{source.repo}@{commit}" + (f"/{part}" if part else "")
        folder = cache / "sources" / hashlib.sha256(identity.encode()).hexdigest()
        if not folder.is_dir():
            with partial_folder(folder) as made:
                _export(source, commit, made / "rows.jsonl")
    return Fetched(folder / "rows.jsonl", identity)


def _export(source: HubSource, commit: str, target: Path) -> None:
    """Write every row of a hub dataset as JSONL."""
    from datasets import Dataset, load_dataset

    loaded = load_dataset(source.repo, source.subset, split=source.split, revision=commit)
    if not isinstance(loaded, Dataset):
        raise SourceError(f"{source.repo}: name a `split`; there are: {', '.join(loaded)}")
    with target.open("w", encoding="utf-8") as out:
        for row in loaded:
            out.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")


@contextmanager
def _hub_errors(source: HubSource) -> Iterator[None]:
    """Turn whatever the hub libraries raise into one error that says the mend."""
    import httpx
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError

    name = f"{source.repo}@{source.revision}"
    try:
        yield
    except SourceError:
        raise
    except GatedRepoError:
        raise SourceError(
            f"{name}: the repository is gated; accept its terms on the hub and set HF_TOKEN"
        ) from None
    except (LocalEntryNotFoundError, ConnectionError, httpx.TransportError) as error:
        raise SourceError(_unreachable(name, error)) from None
    except Exception as error:
        raise SourceError(
            f"{name}: the hub said {_first_line(error)}; check `repo`, `revision`, `subset`, "
            "`split` and, for private repositories, HF_TOKEN"
        ) from None


def _unreachable(name: str, error: Exception) -> str:
    offline = os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")
    mend = "unset HF_HUB_OFFLINE" if offline else "check the network"
    return (
        f"{name}: is not on this machine and the hub cannot be reached ({_first_line(error)}); "
        f"{mend}, or take a local copy with `source: {{type: file, path: ...}}`"
    )


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
