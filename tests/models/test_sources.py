"""Sources: what is fetched is what was pinned, or nothing is kept and the error says the mend."""

import hashlib
import io
import os
import stat
import sys
import tarfile
import zipfile

import pytest
from pydantic import ValidationError

from userturn.base.errors import SourceError, StudyError
from userturn.models import sources, wheels
from userturn.models.fetched import sha256
from userturn.study.sources import FileSource, GeneratorSource, WheelSource

pytestmark = pytest.mark.slow

BODY = b'{"prompt": "Hello"}\n'


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

    monkeypatch.setattr(wheels.subprocess, "run", lambda *_, **__: pytest.fail("pip was run"))
    assert sources.fetch(wheel_source(), cache) == fetched


@pytest.mark.slow
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


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """An index that has nothing but a source distribution, whose setup.py leaves a mark."""
    folder, mark = tmp_path / "hostile", tmp_path / "mark"
    folder.mkdir()
    files = {
        "setup.py": f"open({str(mark)!r}, 'w')\nimport setuptools; setuptools.setup()\n",
        "PKG-INFO": "Metadata-Version: 2.1\nName: userturn-sample\nVersion: 1.0\n",
    }
    with tarfile.open(folder / "userturn_sample-1.0.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"userturn_sample-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # pip's way to say that it needs no network
    return folder, mark


@pytest.mark.slow
def test_a_source_distribution_is_never_built(hostile, tmp_path, monkeypatch):
    for way_round in ("", ":all:", "userturn-sample"):
        monkeypatch.setenv("PIP_NO_BINARY", way_round)
        with pytest.raises(SourceError, match="could not be downloaded"):
            sources.fetch(wheel_source(), tmp_path / "cache")
    assert not hostile[1].exists()


@pytest.mark.slow
def test_a_wheel_source_names_a_package_and_a_version_and_nothing_else(hostile, tmp_path):
    folder, mark = hostile
    (tmp_path / "list.txt==1.0").write_text(f"{folder}/userturn_sample-1.0.tar.gz")
    url = f"userturn-sample @ file://{folder}/userturn_sample-1.0.tar.gz"
    options = [f"-r{tmp_path}/list.txt", "--pre", "-e."]
    for changes in [
        *({"package": name} for name in (url, f"{url}#", *options, ".", "", "a b", "a\nb", "a;b")),
        *({"package": name} for name in ("a[extra]", "a==1", "a/b", "a\n", "-a", "a-")),
        *({"version": text} for text in ("1.*", "1.0 @ file:///x", "1,>2", ">1", "-1", "", "1\n")),
    ]:
        with pytest.raises(ValidationError, match="string_pattern_mismatch"):
            wheel_source(**changes)
    for version in ("1", "2024.5.6", "1!2.0rc1", "1.0.post1.dev2", "2.3.0+cpu.1"):
        wheel_source(version=version)
    for name in options:  # and should one get through, pip takes it for a name
        with pytest.raises(SourceError, match="could not be downloaded"):
            sources.fetch(wheel_source().model_copy(update={"package": name}), tmp_path / "cache")
    assert not mark.exists()


@pytest.mark.parametrize("member", ["sample/..", "/", "", "sample/a\x00b"])
def test_a_member_without_a_file_name_is_refused(index, tmp_path, member):
    with pytest.raises(SourceError, match="names no file"):
        sources.fetch(wheel_source(member=member), tmp_path / "cache")


def test_a_member_that_unfolds_to_more_than_fits_is_not_written(index, tmp_path, monkeypatch):
    monkeypatch.setattr(wheels, "LARGEST_MEMBER", len(BODY) - 1)
    monkeypatch.setattr(wheels, "_copy", lambda *_: pytest.fail("it was written"))
    with pytest.raises(SourceError, match=r"unfolds to 20 bytes, more than 19.*type: file"):
        sources.fetch(wheel_source(), tmp_path / "cache")
    assert files_in(tmp_path / "cache") == []


def test_a_member_that_holds_more_than_it_declares_is_not_kept(index, tmp_path):
    (path,) = index.iterdir()
    content = path.read_bytes()
    size = len(BODY).to_bytes(4, "little")
    path.write_bytes(content.replace(size, (5).to_bytes(4, "little")))
    with pytest.raises(SourceError, match="the wheel is damaged"):
        sources.fetch(wheel_source(), tmp_path / "cache")
    assert files_in(tmp_path / "cache") == []


def test_a_copy_stops_at_its_bound():
    target = io.BytesIO()
    with pytest.raises(zipfile.BadZipFile, match="more than it declares"):
        wheels._copy(io.BytesIO(b"x" * (3 << 20)), target, 1 << 20)
    assert len(target.getvalue()) == 1 << 20


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


@pytest.mark.timeout(20)
def test_a_pipe_or_a_device_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (str(tmp_path / "pipe"), "/dev/zero"):
        with pytest.raises(SourceError, match="neither a file nor a folder"):
            sources.fetch(FileSource(type="file", path=path), tmp_path / "cache")
    with pytest.raises(SourceError, match="cannot be read"):
        sources.fetch(FileSource(type="file", path="x" * 300), tmp_path / "cache")


def test_errors_name_variables_and_never_show_what_they_hold(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "sk-$very/secret")
    for path in ("${SOME_KEY}", "$SOME_KEY/a.jsonl", "~/${SOME_KEY}"):
        with pytest.raises(SourceError, match="check the environment variable SOME_KEY") as caught:
            sources.fetch(FileSource(type="file", path=path), tmp_path / "cache")
        assert "secret" not in str(caught.value)
    with pytest.raises(StudyError, match="set the environment variable UNSET") as missing:
        sources.fetch(FileSource(type="file", path="${SOME_KEY}/${UNSET}"), tmp_path / "cache")
    assert "secret" not in str(missing.value)


def test_a_directory_is_named_by_its_files_and_not_by_its_place(tmp_path):
    def make(name, files):
        for relative, text in files.items():
            path = tmp_path / name / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return sha256(tmp_path / name)

    one = make("one", {"config.json": "{}", "sub/x": "1"})
    assert make("two", {"sub/x": "1", "config.json": "{}", ".cache/when": "now"}) == one
    assert make("three", {"config.json": "{}", "sub/y": "1"}) != one
    assert make("four", {"config.json": "{}", "sub/x": "2"}) != one


def test_a_generator_of_another_version_is_refused():
    installed = sources.version("reasoning_gym")
    source = GeneratorSource(type="generator", module="reasoning_gym", version=installed, seed=3)
    assert sources.check_generator(source) == f"reasoning_gym=={installed}#3"
    with pytest.raises(SourceError, match=rf"pins version 0\.0\.1, installed is {installed}"):
        sources.check_generator(source.model_copy(update={"version": "0.0.1"}))
    with pytest.raises(SourceError, match=r"install no_such_package==1"):
        sources.check_generator(
            GeneratorSource(type="generator", module="no_such_package.x", version="1")
        )
