"""The Hugging Face hub: a model as a directory, a dataset as one file, a branch as a commit.

The hub's own client does the work, so HF_HOME, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE hold. What
it does not do is done here: every file is compared with the hash that the hub names it by, a
connection that breaks is taken up again, and each failure is told with its mend.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from userturn.base.errors import SourceError
from userturn.models import intact
from userturn.models.fetched import Fetched, partial_folder
from userturn.models.hub_errors import explained, failure_of
from userturn.study.sources import HubSource

if TYPE_CHECKING:
    from tenacity import RetryCallState

# Copies of the same weights for other runtimes, which many repositories carry beside safetensors.
HUB_IGNORE = ("original/*", "metal/*", "onnx/*", "*.gguf", "*.pth", "*.pt", "*.h5", "*.msgpack")

TRIES, FIRST_WAIT_S, LONGEST_WAIT_S = 5, 1.0, 60.0
"""How often a download is taken up again, and the bounds of the wait before."""


def fetch_model(source: HubSource) -> Fetched:
    """A model repository at its commit as a directory of the hub library's own cache.

    Files that are there are not fetched again; one that a broken connection cut goes on where it
    stopped, and one that a killed process left begins anew.

    Raises:
        SourceError: The hub has no such repository or commit, refuses it, cannot be reached, or a
            file is not the one that the hub names.
    """
    from huggingface_hub import snapshot_download

    with explained(source, "model"):
        path = Path(
            _again(
                lambda: snapshot_download(
                    source.repo, revision=source.revision, ignore_patterns=list(HUB_IGNORE)
                ),
                source,
            )
        )
    intact.check(path, source.at)
    return Fetched(path, source.at)


def fetch_dataset(source: HubSource, cache: Path) -> Fetched:
    """A dataset at its commit as one JSONL file, or the repository's file that the source names.

    Raises:
        SourceError: As `fetch_model`.
    """
    from huggingface_hub import hf_hub_download

    name, commit = source.file, source.revision
    if name:
        with explained(source, "dataset"):
            path = Path(
                _again(
                    lambda: hf_hub_download(
                        source.repo, name, repo_type="dataset", revision=commit
                    ),
                    source,
                )
            )
        intact.check(path, source.at)
        return Fetched(path, f"{source.at}/{name}")
    part = "/".join(filter(None, (source.subset, source.split)))
    identity = source.at + (f"/{part}" if part else "")
    folder = cache / "sources" / hashlib.sha256(identity.encode()).hexdigest()
    if not folder.is_dir():
        with explained(source, "dataset"), partial_folder(folder) as made:
            _export(source, made / "rows.jsonl")
    return Fetched(folder / "rows.jsonl", identity)


def resolve(source: HubSource, kind: Literal["model", "dataset"]) -> str:
    """The commit that a source's branch or tag is at now.

    Raises:
        SourceError: As `fetch_model`.
    """
    from huggingface_hub import HfApi

    with explained(source, kind):
        info = HfApi().repo_info(source.repo, repo_type=kind, revision=source.revision)
        return str(info.sha)


def _export(source: HubSource, target: Path) -> None:
    """Write every row of a hub dataset as JSONL."""
    from datasets import Dataset, load_dataset
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    commit = source.revision
    loaded = load_dataset(source.repo, source.subset, split=source.split, revision=commit)
    if not isinstance(loaded, Dataset):
        raise SourceError(f"{source.repo}: name a `split`; there are: {', '.join(loaded)}")
    # The library keeps what it fetches in the hub's cache, and what it made of it elsewhere.
    repository = repo_folder_name(repo_id=source.repo, repo_type="dataset")
    intact.check(Path(constants.HF_HUB_CACHE) / repository / "snapshots" / commit, source.at)
    with target.open("w", encoding="utf-8") as out:
        for row in loaded:
            out.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")


def _again(download: Any, source: HubSource) -> str:
    """What a download gives, taken up again where its connection breaks."""
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        print(
            f"{source.at}: the connection broke ({type(error).__name__}), what is finished is "
            f"kept; try {state.attempt_number + 1} of {TRIES}",
            file=sys.stderr,
        )

    tries = Retrying(
        retry=retry_if_exception(lambda error: failure_of(error) == "broken"),
        stop=stop_after_attempt(TRIES),
        wait=wait_exponential(FIRST_WAIT_S, LONGEST_WAIT_S),
        before_sleep=say,
        reraise=True,
    )
    return str(tries(download))
