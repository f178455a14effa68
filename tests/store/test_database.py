"""The store survives repetition, concurrency, kills and damage."""

import array
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from userturn.base.errors import UserturnError
from userturn.engines.requests import Completion
from userturn.store.database import Store
from userturn.store.kinds import COMPLETIONS, LIKELIHOODS, REPLIES

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
    with Store(path, COMPLETIONS) as store:
        store.add_all(items.items())
    with Store(path, COMPLETIONS) as store:
        assert store.get([*items, "unknown"]) == items
        assert len(store) == len(items)


def test_the_first_completion_stays(tmp_path: Path) -> None:
    first, second = Completion((1,), "eos", 2), Completion((9,), "length", None)
    with Store(tmp_path / "m.sqlite", COMPLETIONS) as store:
        store.add("a", first)
        store.add("a", second)
        assert store.get(["a"]) == {"a": first}


def test_many_ids_in_one_lookup(tmp_path: Path) -> None:
    items = {f"{n:032x}": Completion((n,), "eos", 2) for n in range(3000)}
    with Store(tmp_path / "m.sqlite", COMPLETIONS) as store:
        store.add_all(items.items())
        assert store.get(items) == items


WRITER = """
import sys
from pathlib import Path
from userturn.engines.requests import Completion
from userturn.store.database import Store
from userturn.store.kinds import COMPLETIONS

store = Store(Path(sys.argv[1]), COMPLETIONS)
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
        with Store(path, COMPLETIONS) as store:
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
    with Store(path, COMPLETIONS) as store:
        store.add_all(items.items())
    size = path.stat().st_size
    with path.open("r+b") as handle:
        handle.truncate(int(size * keep))
    with Store(path, COMPLETIONS) as store:
        found = store.get(items)
        assert all(items[key] == value for key, value in found.items())
        if keep > 0.5:
            assert len(found) > 50
        store.add("new", Completion((1,), "eos", 2))
    if keep:  # an empty file is a valid, empty database
        assert "was damaged" in caplog.text
        assert list(tmp_path.glob("*.damaged-1"))
    with Store(path, COMPLETIONS) as store:
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
    with Store(path, COMPLETIONS) as store:
        for key, completion in items.items():
            store.add(key, completion)
        power_cut(path, torn, share)
    with Store(torn, COMPLETIONS) as store:
        kept = store.get(items)
        assert list(kept.items()) == list(items.items())[: len(kept)]
        assert abs(len(kept) - share * len(items)) < 20
        store.add_all(items.items())
        assert store.get(items) == items
    assert not list(tmp_path.glob("*.damaged*"))


def test_garbage_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    path.write_bytes(b"not a database" * 1000)
    with Store(path, COMPLETIONS) as store:
        assert len(store) == 0
    assert (tmp_path / "m.damaged-1").read_bytes().startswith(b"not a database")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserturnError, match=r"file/m\.sqlite.*USERTURN_STORE"):
        Store(tmp_path / "file" / "m.sqlite", COMPLETIONS)


@pytest.mark.parametrize("column", ["tokens", "ended", "stop_id"])
def test_a_changed_row_is_said_and_made_again(
    tmp_path: Path, column: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "m.sqlite"
    items = {f"{n:032x}": Completion((n, 7), "stop_token", 2) for n in range(3)}
    with Store(path, COMPLETIONS) as store:
        store.add_all(items.items())
    broken, *whole = items
    value = {"tokens": bytes(8), "ended": "eos", "stop_id": 3}[column]
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE completions SET {column} = ? WHERE id = ?", (value, broken))
    with Store(path, COMPLETIONS) as store:
        assert store.get(items) == {key: items[key] for key in whole}
        assert "1 of 3 completions do not match their checksums and are made again" in caplog.text
        store.add(broken, items[broken])
        assert store.get(items) == items


def test_likelihoods_and_replies_are_kept_as_they_are(tmp_path: Path) -> None:
    with Store(tmp_path / "scores.sqlite", LIKELIHOODS) as store:
        store.add("a", [-0.1, -1e-300, -745.2])
        assert store.get(["a"]) == {"a": [-0.1, -1e-300, -745.2]}
    with Store(tmp_path / "judge.sqlite", REPLIES) as store:
        store.add("a", "{\u2028 \U0001f642}")
        assert store.get(["a"]) == {"a": "{\u2028 \U0001f642}"}


def test_a_store_from_before_there_were_checksums_keeps_its_completions(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "CREATE TABLE completions (id TEXT NOT NULL UNIQUE, tokens BLOB NOT NULL, "
            "ended TEXT NOT NULL, stop_id INTEGER)"
        )
        blob = array.array("i", [5, 6]).tobytes()
        db.execute("INSERT INTO completions VALUES ('a', ?, 'eos', 2)", (blob,))
    with Store(path, COMPLETIONS) as store:
        assert store.get(["a"]) == {"a": Completion((5, 6), "eos", 2)}
    with Store(path, COMPLETIONS) as store:
        assert len(store) == 1


def test_replies_from_before_are_kept_too(tmp_path: Path) -> None:
    path = tmp_path / "judge.sqlite"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "CREATE TABLE completions (id TEXT NOT NULL UNIQUE, tokens BLOB NOT NULL, "
            "ended TEXT NOT NULL, stop_id INTEGER)"
        )
        db.execute("INSERT INTO completions VALUES ('a', ?, 'eos', NULL)", (b"{}",))
    with Store(path, REPLIES) as store:
        assert store.get(["a"]) == {"a": "{}"}
