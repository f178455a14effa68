"""The hub's real client against a hub on loopback: what it gives, what it refuses, what breaks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub_server import COMMIT, Hub, Repository, at, serving
from userturn.base.errors import SourceError
from userturn.models import hub as hubs
from userturn.models import sources
from userturn.models.fetched import sha256
from userturn.study.sources import HubSource

WEIGHTS = os.urandom(300_000)
ROWS = b'{"prompt": "Hello"}\n{"prompt": "And you?"}\n'


def repository(**changes):
    files = {
        "config.json": b'{"model_type": "llama"}',
        "model.safetensors": WEIGHTS,
        "original/consolidated.pth": b"a copy",
    }
    return Repository(**{"files": files, "large": ("model.safetensors",), **changes})


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The server, and the client's settings as it reads them at import."""
    from huggingface_hub import constants

    known = Hub(
        {
            "models/a/model": repository(),
            "models/a/gated": repository(gated=("hf_good",)),
            "datasets/a/data": Repository({"rows.jsonl": ROWS}, refs=("main", "v1.0")),
        }
    )
    with serving(known):
        at(monkeypatch, known.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("USERTURN_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(hubs, "FIRST_WAIT_S", 0.01)
        monkeypatch.setattr(hubs, "LONGEST_WAIT_S", 0.01)
        yield known


def source(repo="a/model", revision=COMMIT, **keys):
    return HubSource(type="hub", repo=repo, revision=revision, **keys)


def refusal(act, *arguments):
    with pytest.raises(SourceError) as caught:
        act(*arguments)
    assert "hf_" not in str(caught.value)  # no token in a message
    return str(caught.value)


def test_a_model_is_a_folder_at_its_commit_without_copies_for_others(hub):
    fetched = hubs.fetch_model(source())
    assert fetched.identity == f"a/model@{COMMIT}"
    assert sorted(file.name for file in fetched.path.rglob("*")) == [
        "config.json",
        "model.safetensors",
    ]
    assert (fetched.path / "model.safetensors").read_bytes() == WEIGHTS
    hub.asked.clear()
    assert hubs.fetch_model(source()) == fetched
    assert not hub.served("model.safetensors")


def test_a_branch_and_a_tag_are_resolved_and_never_fetched(hub, tmp_path):
    assert hubs.resolve(source(revision="main"), "model") == COMMIT
    assert hubs.resolve(source("a/data", "v1.0"), "dataset") == COMMIT
    for kind in ("model", "dataset"):
        said = refusal(sources.fetch, source(revision="main"), tmp_path, kind, "model.m.source")
        assert said == (
            "model.m.source: a/model is at no commit but at 'main', which may be another tomorrow; "
            "run `userturn pin`, which writes the commit into registry.yaml"
        )


def test_a_file_of_a_dataset_is_fetched_at_its_commit(hub, tmp_path):
    fetched = hubs.fetch_dataset(source("a/data", file="rows.jsonl"), tmp_path)
    assert fetched.identity == f"a/data@{COMMIT}/rows.jsonl"
    assert fetched.path.read_bytes() == ROWS
    said = refusal(hubs.fetch_dataset, source("a/data", file="other.jsonl"), tmp_path)
    assert "the dataset has no file 'other.jsonl'; correct `file`" in said


def test_a_gated_repository_needs_a_token_with_access(hub, monkeypatch):
    said = refusal(hubs.fetch_model, source("a/gated"))
    assert "is gated and no token was sent; accept its terms" in said
    assert "set HF_TOKEN" in said
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    assert "the token that was sent has no access" in refusal(hubs.fetch_model, source("a/gated"))
    monkeypatch.setenv("HF_TOKEN", "hf_unknown")
    said = refusal(hubs.fetch_model, source("a/gated"))
    assert "the hub does not know the token that was sent" in said
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    assert (hubs.fetch_model(source("a/gated")).path / "config.json").is_file()


def test_what_the_hub_does_not_have_is_named(hub, monkeypatch):
    for act in (hubs.fetch_model, lambda one: hubs.resolve(one, "model")):
        said = refusal(act, source("a/missing"))
        assert said.startswith(f"a/missing@{COMMIT}: the hub has no such model, or it is private")
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    said = refusal(lambda one: hubs.resolve(one, "dataset"), source("a/missing"))
    assert "the hub has no such dataset that this token may read" in said
    for act in (hubs.fetch_model, lambda one: hubs.resolve(one, "model")):
        said = refusal(act, source(revision="f" * 40))
        assert f"the model has no revision '{'f' * 40}'; name a branch, a tag or a commit" in said


@pytest.mark.slow  # the client waits a second before it goes on
@pytest.mark.timeout(60)
def test_a_cut_connection_goes_on_where_it_stopped(hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)  # what is kept is whole chunks
    hub.cuts = [100_000]
    fetched = hubs.fetch_model(source())
    assert (fetched.path / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.served("model.safetensors") == [None, "bytes=100000-"]


@pytest.mark.timeout(60)
def test_a_connection_that_is_reset_is_taken_up_again(hub, capfd):
    hub.cuts, hub.reset = [1000, 0], True
    fetched = hubs.fetch_model(source())
    assert (fetched.path / "model.safetensors").read_bytes() == WEIGHTS
    assert "the connection broke (ReadError), what is finished is kept; try 2 of 5" in (
        capfd.readouterr().err
    )
    assert len(hub.served("config.json")) == 1


@pytest.mark.timeout(60)
def test_a_connection_that_breaks_for_good_keeps_what_is_finished(hub, monkeypatch):
    monkeypatch.setattr(hubs, "TRIES", 2)
    hub.cuts, hub.reset = [1000] * 2, True
    said = refusal(hubs.fetch_model, source())
    assert "the hub broke off (ReadError" in said
    assert said.endswith("files that were finished are kept, so run the same command again")
    hub.asked.clear()
    assert (hubs.fetch_model(source()).path / "model.safetensors").read_bytes() == WEIGHTS
    assert not hub.served("config.json")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_file_of_another_hash_is_refused_and_fetched_anew(hub, name):
    hub.wrong = {name}
    said = refusal(hubs.fetch_model, source())
    assert f"{name} is not the file that the hub names (expected " in said
    assert "removed here, so run the same command again to fetch it anew" in said
    hub.wrong = set()
    hub.asked.clear()
    fetched = hubs.fetch_model(source())
    assert (fetched.path / "model.safetensors").read_bytes() == WEIGHTS
    assert [bool(hub.served(one)) for one in ("config.json", "model.safetensors")] == [
        name == "config.json",
        name == "model.safetensors",
    ]


def test_a_file_that_is_damaged_later_is_noticed_and_an_intact_one_read_once(hub, monkeypatch):
    from userturn.models import hashes

    monkeypatch.setattr(hashes, "SETTLED_S", -1.0)
    fetched = hubs.fetch_model(source())
    read = []
    monkeypatch.setattr(hashes, "file_sha256", lambda path: read.append(path) or sha256(path))
    hubs.fetch_model(source())
    assert not read
    with (fetched.path / "model.safetensors").resolve().open("r+b") as file:
        file.write(b"damaged")
    assert "model.safetensors is not the file" in refusal(hubs.fetch_model, source())
    assert len(read) == 1


def test_a_hub_that_is_down_or_away_is_named_with_the_mend(hub, monkeypatch):
    hub.down = 404  # no hub at all, as behind a wrong HF_ENDPOINT
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    said = refusal(lambda one: hubs.resolve(one, "model"), source())
    assert "the hub said" in said
    assert hub.url not in said
    at(monkeypatch, "http://127.0.0.1:9")
    said = refusal(lambda one: hubs.resolve(one, "model"), source())
    assert "is not on this machine and the hub cannot be reached" in said
    assert "check the network and HF_ENDPOINT, or take a local copy" in said


PROGRAM = """
import json, sys
from pathlib import Path
from userturn.base.errors import SourceError
from userturn.models import hub
from userturn.study.sources import HubSource
model = HubSource(type="hub", repo="a/gated", revision=sys.argv[1])
data = HubSource(type="hub", repo="a/table", revision=sys.argv[1], split="train")
said = []
for fetch in (lambda: hub.fetch_model(model), lambda: hub.fetch_dataset(data, Path(sys.argv[2]))):
    try:
        fetched = fetch()
        said.append([fetched.identity, str(fetched.path), fetched.path.exists()])
    except SourceError as error:
        said.append(str(error))
print(json.dumps(said))
"""


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_variables_of_the_hub_hold_online_and_offline(hub, tmp_path):
    """HF_HOME, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE, in processes of their own."""
    hub.repositories["datasets/a/table"] = Repository({"train.jsonl": ROWS, "README.md": b"# T"})

    def fetch(home, **variables):
        environment = {"HF_HOME": str(tmp_path / home), "HF_ENDPOINT": hub.url, **variables}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, COMMIT, str(tmp_path / home / "cache")],
            env={**os.environ, **environment, "USERTURN_CACHE": str(tmp_path / "made")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    refused, _ = fetch("none")
    assert "is gated and no token was sent" in refused
    model, data = fetch("home", HF_TOKEN="hf_good")
    assert model[0] == f"a/gated@{COMMIT}"
    assert model[1].startswith(str(tmp_path / "home/hub/models--a--gated"))
    assert data[0] == f"a/table@{COMMIT}/train"
    assert Path(data[1]).read_bytes() == ROWS
    before = len(hub.asked)
    assert fetch("home", HF_HUB_OFFLINE="1") == [model, data]
    missing = fetch("empty", HF_HUB_OFFLINE="1")
    assert len(hub.asked) == before
    for said in missing:
        assert "is not whole on this machine; unset HF_HUB_OFFLINE, or take a local copy" in said
