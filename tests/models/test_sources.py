"""Sources: what is fetched is what was pinned, or nothing is kept and the error says the mend."""

import hashlib
import stat
import sys
import zipfile
from pathlib import Path

import pytest

from userturn.base.errors import SourceError, StudyError
from userturn.models import sources
from userturn.study.sources import FileSource, GeneratorSource, HubSource, WheelSource

BODY = b'{"prompt": "Hello"}\n'
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def wheel_source(**changes):
    values = {
        "type": "wheel",
        "package": "userturn-sample",
        "version": "1.0",
        "member": "sample/data.jsonl",
        "sha256": hashlib.sha256(BODY).hexdigest(),
    }
    return WheelSource(**{**values, **changes})


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder of wheels that stands in for the package index; pip itself is real."""
    folder = tmp_path / "index"
    folder.mkdir()
    info = "userturn_sample-1.0.dist-info"
    with zipfile.ZipFile(folder / "userturn_sample-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("sample/data.jsonl", BODY)
        wheel.writestr("sample/__init__.py", "raise RuntimeError('imported')")
        wheel.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: userturn-sample\nVersion: 1.0\n"
            "Requires-Dist: no-such-package\n",
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_wheel_member_is_fetched_alone_and_once(index, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    fetched = sources.fetch(wheel_source(), cache)
    assert fetched.path.read_bytes() == BODY
    assert fetched.identity == f"sha256:{hashlib.sha256(BODY).hexdigest()}"
    assert files_in(cache) == [fetched.path]

    monkeypatch.setattr(sources.subprocess, "run", lambda *_, **__: pytest.fail("pip was run"))
    assert sources.fetch(wheel_source(), cache) == fetched


def test_a_damaged_copy_is_fetched_again(index, tmp_path):
    path = sources.fetch(wheel_source(), tmp_path / "cache").path
    path.write_bytes(BODY[:-5])
    assert sources.fetch(wheel_source(), tmp_path / "cache").path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": "0" * 64}, f"expected {'0' * 64}, found {hashlib.sha256(BODY).hexdigest()}"),
        ({"member": "sample/other.jsonl"}, "is not in the wheel"),
        ({"version": "2.0"}, "could not be downloaded"),
    ],
)
def test_what_is_not_pinned_is_not_kept(index, tmp_path, changes, message):
    with pytest.raises(SourceError, match=message) as caught:
        sources.fetch(wheel_source(**changes), tmp_path / "cache")
    assert "userturn-sample==" in str(caught.value)
    assert files_in(tmp_path / "cache") == []


def test_a_missing_network_names_the_package_and_the_mend(index, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(SourceError, match=r"userturn-sample==1\.0.*pip: ERROR.*check the network"):
        sources.fetch(wheel_source(), tmp_path / "cache")


def test_an_environment_without_pip_says_so(index, tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(SourceError, match=r"install pip into this environment.*ensurepip"):
        sources.fetch(wheel_source(), tmp_path / "cache")


def test_a_file_is_named_by_its_hash_and_found_through_the_environment(tmp_path, monkeypatch):
    (tmp_path / "a.jsonl").write_bytes(BODY)
    monkeypatch.setenv("USERTURN_TEST_DATA", str(tmp_path))
    source = FileSource(type="file", path="${USERTURN_TEST_DATA}/a.jsonl")
    fetched = sources.fetch(source, tmp_path / "cache")
    assert fetched.path == tmp_path / "a.jsonl"
    assert fetched.identity == f"sha256:{hashlib.sha256(BODY).hexdigest()}"

    pinned = source.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(SourceError, match="sha256 differs"):
        sources.fetch(pinned, tmp_path / "cache")
    with pytest.raises(SourceError, match="does not exist"):
        sources.fetch(FileSource(type="file", path=str(tmp_path / "b")), tmp_path / "cache")
    monkeypatch.delenv("USERTURN_TEST_DATA")
    with pytest.raises(StudyError, match="USERTURN_TEST_DATA"):
        sources.fetch(source, tmp_path / "cache")


def test_a_directory_is_named_by_its_files_and_not_by_its_place(tmp_path):
    def make(name, files):
        for relative, text in files.items():
            path = tmp_path / name / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return sources.sha256(tmp_path / name)

    one = make("one", {"config.json": "{}", "sub/x": "1"})
    assert make("two", {"sub/x": "1", "config.json": "{}", ".cache/when": "now"}) == one
    assert make("three", {"config.json": "{}", "sub/y": "1"}) != one
    assert make("four", {"config.json": "{}", "sub/x": "2"}) != one


def test_a_generator_of_another_version_is_refused():
    found = sources.version("reasoning_gym")
    source = GeneratorSource(type="generator", module="reasoning_gym", version=found, seed=3)
    assert sources.check_generator(source) == f"reasoning_gym=={found}#3"
    with pytest.raises(SourceError, match=rf"pins version 0\.0\.1, installed is {found}"):
        sources.check_generator(source.model_copy(update={"version": "0.0.1"}))
    with pytest.raises(SourceError, match=r"install no_such_package==1"):
        sources.check_generator(
            GeneratorSource(type="generator", module="no_such_package.x", version="1")
        )


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The hub library offline, with a cache of its own that holds one model and one dataset."""
    from huggingface_hub import constants

    folder = tmp_path / "hub"
    for repo, name in (("models--a--model", "config.json"), ("datasets--a--data", "rows.jsonl")):
        snapshot = folder / repo / "snapshots" / COMMIT
        snapshot.mkdir(parents=True)
        (snapshot / name).write_bytes(BODY)
        (folder / repo / "refs").mkdir()
        (folder / repo / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return folder


def test_a_hub_source_is_named_by_its_commit(hub, tmp_path):
    model = sources.fetch(HubSource(type="hub", repo="a/model"), tmp_path, hub="model")
    assert model.identity == f"a/model@{COMMIT}"
    assert (model.path / "config.json").read_bytes() == BODY

    source = HubSource(type="hub", repo="a/data", file="rows.jsonl")
    data = sources.fetch(source, tmp_path)
    assert data.identity == f"a/data@{COMMIT}/rows.jsonl"
    assert data.path.read_bytes() == BODY


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_an_unreachable_hub_names_the_repository_and_the_mend(hub, tmp_path, kind):
    source = HubSource(type="hub", repo="a/missing")
    with pytest.raises(SourceError, match=r"a/missing@main.*unset HF_HUB_OFFLINE"):
        sources.fetch(source, tmp_path, hub=kind)
    assert not list(Path(tmp_path).glob("sources/*"))
