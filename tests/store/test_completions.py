"""The completion store survives repetition, concurrency, kills and damage."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from userturn.base.errors import UserturnError
from userturn.engines.requests import Completion
from userturn.store.completions import CompletionStore

completions = st.one_of(
    st.builds(
        Completion,
        st.lists(st.integers(0, 2**31 - 1), max_size=20).map(tuple),
        st.sampled_from(["eos", "stop_token"]),
        st.integers(0, 300_000),
    ),
    st.builds(
        Completion,
        st.lists(st.integers(0, 2**31 - 1), max_size=20).map(tuple),
        st.just("length"),
        st.none(),
    ),
)


@given(st.dictionaries(st.text("abcdef0123456789", min_size=32, max_size=32), completions))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, items: dict[str, Completion]) -> None:
    path = tmp_path_factory.mktemp("store") / "m.sqlite"
    with CompletionStore(path) as store:
        store.add_all(items.items())
    with CompletionStore(path) as store:
        assert store.get([*items, "unknown"]) == items
        assert len(store) == len(items)


def test_the_first_completion_stays(tmp_path: Path) -> None:
    first, second = Completion((1,), "eos", 2), Completion((9,), "length", None)
    with CompletionStore(tmp_path / "m.sqlite") as store:
        store.add("a", first)
        store.add("a", second)
        assert store.get(["a"]) == {"a": first}


def test_many_ids_in_one_lookup(tmp_path: Path) -> None:
    items = {f"{n:032x}": Completion((n,), "eos", 2) for n in range(3000)}
    with CompletionStore(tmp_path / "m.sqlite") as store:
        store.add_all(items.items())
        assert store.get(items) == items


WRITER = """
import sys
from pathlib import Path
from userturn.engines.requests import Completion
from userturn.store.completions import CompletionStore

store = CompletionStore(Path(sys.argv[1]))
for n in range(10**9):
    store.add(f"{n:032x}", Completion((n, n + 1), "eos", 2))
    print(n, flush=True)
"""


@pytest.mark.slow
def test_a_killed_writer_loses_nothing_it_reported(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    for round_number in range(5):
        command = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(0.05 * round_number)
            os.kill(writer.pid, signal.SIGKILL)
            lines = writer.stdout.read().split("\n")
        reported = [int(line) for line in lines[:-1]]
        with CompletionStore(path) as store:
            ids = [f"{n:032x}" for n in reported]
            assert store.get(ids) == {
                key: Completion((n, n + 1), "eos", 2) for key, n in zip(ids, reported, strict=True)
            }


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.6, 0.95])
def test_a_truncated_file_heals_and_keeps_what_is_readable(
    tmp_path: Path, keep: float, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "m.sqlite"
    items = {f"{n:032x}": Completion(tuple(range(n)), "eos", 2) for n in range(400)}
    with CompletionStore(path) as store:
        store.add_all(items.items())
    size = path.stat().st_size
    with path.open("r+b") as handle:
        handle.truncate(int(size * keep))
    with CompletionStore(path) as store:
        found = store.get(items)
        assert all(items[key] == value for key, value in found.items())
        if keep > 0.5:
            assert len(found) > 50
        store.add("new", Completion((1,), "eos", 2))
    if keep:  # an empty file is a valid, empty database
        assert "was damaged" in caplog.text
        assert list(tmp_path.glob("*.damaged-1"))
    with CompletionStore(path) as store:
        assert "new" in store.get(["new"])


def power_cut(source: Path, target: Path, wal_share: float) -> None:
    """Copy an open store as a power cut leaves it: the end of its log never reached the disk."""
    target.write_bytes(source.read_bytes())
    log = Path(f"{source}-wal").read_bytes()
    Path(f"{target}-wal").write_bytes(log[: int(len(log) * wal_share)])


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.77, 0.999, 1.0])
def test_a_torn_commit_costs_itself_and_what_follows_alone(tmp_path: Path, share: float) -> None:
    path, torn = tmp_path / "m.sqlite", tmp_path / "torn.sqlite"
    items = {f"{n:032x}": Completion(tuple(range(n)), "eos", 2) for n in range(100)}
    with CompletionStore(path) as store:
        for key, completion in items.items():
            store.add(key, completion)
        power_cut(path, torn, share)
    with CompletionStore(torn) as store:
        kept = store.get(items)
        assert list(kept.items()) == list(items.items())[: len(kept)]
        assert abs(len(kept) - share * len(items)) < 20
        store.add_all(items.items())
        assert store.get(items) == items
    assert not list(tmp_path.glob("*.damaged*"))


def test_garbage_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    path.write_bytes(b"not a database" * 1000)
    with CompletionStore(path) as store:
        assert len(store) == 0
    assert (tmp_path / "m.damaged-1").read_bytes().startswith(b"not a database")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserturnError, match=r"file/m\.sqlite.*USERTURN_STORE"):
        CompletionStore(tmp_path / "file" / "m.sqlite")
