"""Artifacts pushed from one clone and pulled into another: a folder, a real SSH server, a real S3.

The servers are started here, on loopback and a free port; nothing is mocked between DVC and them.
"""

from __future__ import annotations

import asyncio
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from .conftest import Clone
from .test_agreement import change_dpi

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Server:
    """A remote as a user would set it up.

    Attributes:
        url: Where artifacts go; committed, the same for everyone.
        options: Committed options of the remote.
        secrets: Options that stay in `.dvc/config.local` of each clone.
        contents: Names and sizes of everything that lies there.
    """

    url: str
    options: dict[str, str]
    secrets: dict[str, str]
    contents: Callable[[], dict[str, int]]


def listing(folder: Path) -> dict[str, int]:
    # Snakemake marks folders that it made; DVC ignores the mark.
    marks = ".snakemake_timestamp"
    files = (file for file in folder.rglob("*") if file.is_file() and file.name != marks)
    return {str(file.relative_to(folder)): file.stat().st_size for file in files}


@pytest.fixture
def folder(tmp_path: Path) -> Server:
    path = tmp_path / "folder"
    return Server(str(path), {}, {}, lambda: listing(path))


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[Server]:
    """An SFTP server that takes one generated key."""
    asyncssh = pytest.importorskip("asyncssh")
    path = tmp_path / "ssh"
    path.mkdir()
    key = asyncssh.generate_private_key("ssh-ed25519")
    keyfile = tmp_path / "id_ed25519"
    key.write_private_key(keyfile)
    keyfile.chmod(0o600)
    (tmp_path / "authorized_keys").write_bytes(key.export_public_key())

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            authorized_client_keys=str(tmp_path / "authorized_keys"),
            password_auth=False,
            sftp_factory=True,
        )

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(listen(), loop).result(30)
        port = server.sockets[0].getsockname()[1]
        yield Server(
            f"ssh://somebody@127.0.0.1:{port}{path}",
            {},
            {"keyfile": str(keyfile)},
            lambda: listing(path),
        )
        loop.call_soon_threadsafe(server.close)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


@pytest.fixture
def s3() -> Iterator[Server]:
    """An S3-compatible server with one empty bucket."""
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/artifacts", method="PUT"))

    def contents() -> dict[str, int]:
        from moto.backends import get_backend

        bucket = get_backend("s3")["123456789012"]["aws"].buckets["artifacts"]
        return {name: len(key.value) for name, key in bucket.keys.items()}

    yield Server(
        "s3://artifacts/study",
        {"endpointurl": endpoint, "region": "us-east-1"},
        {"access_key_id": "somebody", "secret_access_key": "something"},
        contents,
    )
    server.stop()


def configure(clone: Clone, server: Server, *where: str) -> None:
    """Set the committed options, or with `--local` the secret ones."""
    options = server.secrets if where else server.options
    if not where:
        done = clone.dvc("remote", "add", "--default", "--force", "shared", server.url)
        assert done.status == 0, done.text
    for option, value in options.items():
        done = clone.dvc("remote", "modify", *where, "shared", option, value)
        assert done.status == 0, done.text


@pytest.mark.parametrize("kind", ["folder", "ssh", "s3"])
def test_pushed_here_pulled_there(
    kind: str, copied: Clone, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server: Server = request.getfixturevalue(kind)
    configure(copied, server)
    copied.git("commit", "--quiet", "--all", "--message=Share artifacts")
    configure(copied, server, "--local")
    assert all(secret not in copied.git("show", "HEAD").text for secret in server.secrets.values())
    pushed = copied.dvc("push")
    assert pushed.status == 0, pushed.text
    assert_weights_stayed(copied, server)

    copied.git("clone", "--quiet", str(copied.path), str(tmp_path / "there"))
    there = Clone(tmp_path / "there", copied.env)
    configure(there, server, "--local")
    pulled = there.dvc("pull")
    assert pulled.status == 0, pulled.text
    run = there.snakemake()
    assert run.status == 0, run.text
    assert run.executed == run.scheduled == set()
    assert "up to date" in there.dvc("status").text
    assert listing(there.path / "data") == listing(copied.path / "data")

    there.edit(change_dpi)  # without weights and without an engine
    run = there.snakemake()
    assert run.executed == {"figures", "report"}, run.text
    assert not (there.path / ".cache" / "weights").exists()


def assert_weights_stayed(clone: Clone, server: Server) -> None:
    """Exactly the outputs in dvc.lock were pushed, and of the weights their pointers."""
    contents = server.contents()
    lock = yaml.safe_load((clone.path / "dvc.lock").read_text())
    outs = [out for stage in lock["stages"].values() for out in stage["outs"]]
    for out in outs:
        assert f"files/md5/{out['md5'][:2]}/{out['md5'][2:]}" in {
            name.removeprefix("study/") for name in contents
        }
    files = sum(out.get("nfiles", 0) + 1 for out in outs)  # a folder is its files and their list
    assert len(contents) <= files
    pointers = [out for out in outs if out["path"].startswith("data/weights/")]
    assert {Path(out["path"]).name for out in pointers} == {"weights.json"}
    assert all(out["size"] < 2000 for out in pointers)
    made = clone.path / ".cache" / "weights"
    assert any(file.stat().st_size > 2000 for file in made.rglob("*") if file.is_file())
