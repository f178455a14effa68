"""The server: who is let in, and what is on disk when."""

from __future__ import annotations

import errno
import os
import socket
import struct
import time

import pytest

from site_client import serving
from synthetic import make_study, write_artifacts
from userturn.annotate import saving, server
from userturn.artifacts.schemas import TURN_KEY
from userturn.base.errors import UserturnError
from userturn.judges.human import labels as human
from userturn.judges.human import sample


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = make_study(datasets=["a"], samples=2)
    write_artifacts(study, items=8)
    return study


@pytest.fixture
def client(study):
    with (
        server.open_session(study, "ann", None) as session,
        serving(*server.make_server(session, 0)) as client,
    ):
        client.session = session
        yield client


def lines():
    return human.read_lines(human.file_of("ann"), human.Annotation)


def answer_to(state, label="followup", seconds=1.0):
    return {"turn": state["turn"]["id"], "label": label, "seconds": seconds}


def test_pages_bring_everything_and_forbid_the_rest(client):
    for name, kind in (("", "html"), ("page.js", "javascript"), ("page.css", "css")):
        answer, content = client.ask("GET", name)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == f"text/{kind}; charset=utf-8"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "://" not in content
        assert "innerHTML" not in content
    assert client.ask("GET", "../server.py")[0].status == 404


def test_each_answer_is_on_disk_before_the_next_turn_is_shown(client):
    state = client.ask("GET", "state")[1]
    assert set(state["turn"]) == {"id", "earlier", "query", "answer", "turn"}
    assert not any(str(state["turn"]).count(name) for name in (*TURN_KEY, "smollm2"))
    for done, label in enumerate(("followup", "skip", "empty"), 1):
        before = state["turn"]["id"]
        answer, state = client.ask("POST", "label", answer_to(state, label))
        assert answer.status == 200
        assert state["done"] == done
        assert state["turn"]["id"] != before
        assert lines()[-1].label == label
    answer, state = client.ask("POST", "undo", {})
    assert (state["done"], state["turn"]["id"]) == (2, before)
    assert [line.label for line in lines()] == ["followup", "skip", "empty", None]
    for _ in range(4):
        state = client.ask("POST", "undo", {})[1]
    assert (state["done"], state["undo"], len(lines())) == (0, False, 6)


def test_an_answer_for_another_turn_is_refused(client):
    state = client.ask("GET", "state")[1]
    post = answer_to(state)
    assert client.ask("POST", "label", post)[0].status == 200
    answer, now = client.ask("POST", "label", post)
    assert answer.status == 409
    assert now["turn"]["id"] != post["turn"]
    assert len(lines()) == 1


@pytest.mark.parametrize(
    "change",
    [{"label": "nope"}, {"seconds": -1}, {"seconds": 1e999}, {"seconds": None}, {"more": 1}],
)
def test_malformed_answers_are_refused(client, change):
    post = {**answer_to(client.ask("GET", "state")[1]), **change}
    assert client.ask("POST", "label", post)[0].status == 400
    assert lines() == []


def test_strangers_are_refused(client):
    port = client.url.port
    post = answer_to(client.ask("GET", "state")[1])
    for status, method, name, change in (
        (403, "GET", "state", {"Host": f"evil.example:{port}"}),
        (403, "POST", "label", {"Host": f"evil.example:{port}"}),
        (403, "POST", "label", {"Origin": "http://evil.example"}),
        (403, "POST", "label", {"Origin": "null"}),
        (403, "POST", "undo", {"Origin": f"https://127.0.0.1:{port}"}),
        (415, "POST", "label", {"Content-Type": "text/plain"}),
        (413, "POST", "label", {"Content-Length": "100000000"}),
        (413, "POST", "label", {"Content-Length": "-1"}),
        (404, "GET", "state", {"path": "/state"}),
        (404, "GET", "state", {"path": "/guess/state"}),
        (404, "POST", "label", {"path": "/label"}),
        (404, "POST", "else", {}),
        (501, "DELETE", "label", {}),
    ):
        answer, content = client.ask(method, name, post if method == "POST" else None, **change)
        assert answer.status == status, (method, name, change)
        assert "turn" not in content
    assert lines() == []
    assert client.ask("GET", "state", Host=f"localhost:{port}")[0].status == 200


def test_a_closed_tab_is_no_error(client, capfd, caplog):
    path = f"{client.url.path}page.js"
    for sent in (f"GET {path} HTTP/1.1\r\nHost: {client.url.netloc}\r\n\r\n", "GET /"):
        tab = socket.create_connection((client.url.hostname, client.url.port))
        tab.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        tab.sendall(sent.encode())
        tab.close()  # with a reset, as a browser that is killed
    for _ in range(3):
        assert client.ask("GET", "state")[0].status == 200
    time.sleep(0.2)
    assert "Traceback" not in capfd.readouterr().err
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_full_disk_loses_nothing(client, monkeypatch):
    state = client.ask("POST", "label", answer_to(client.ask("GET", "state")[1]))[1]

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(saving.os, "fsync", full)
        answer, content = client.ask("POST", "label", answer_to(state))
        assert (answer.status, content) == (507, {"error": "No space left on device"})
        assert client.ask("POST", "undo", {})[0].status == 507
    assert [line.label for line in lines()] == ["followup"]
    assert client.ask("GET", "state")[1]["turn"] == state["turn"]
    assert client.ask("POST", "label", answer_to(state))[0].status == 200
    assert len(lines()) == 2


def test_one_window_per_annotator_and_port(client, study):
    with (
        pytest.raises(UserturnError, match="annotator 'ann' is at work in another window"),
        server.open_session(study, "ann", None),
    ):
        pass
    with pytest.raises(UserturnError, match=f"port {client.url.port}: cannot be opened"):
        server.make_server(client.session, client.url.port)


def test_turns_made_anew_are_left_out(study, caplog):
    with server.open_session(study, "ann", None) as session:
        total = session.state()["total"]

    def anew(kind, slug, row):
        if kind == "user_turns" and row["item"] == "0003":
            return {**row, "text": "something else"}
        return row

    write_artifacts(study, items=8, edit=anew)
    with server.open_session(study, "ann", None) as session:
        assert session.state()["total"] < total
    assert "were generated anew with another text" in caplog.text
    write_artifacts(study, items=8, edit=lambda k, s, row: {**row, "text": "x"}
                    if k == "prompts" else row)  # fmt: skip
    with (
        pytest.raises(UserturnError, match=r"sample\.jsonl: no turn of it exists any more"),
        server.open_session(study, "ann", None),
    ):
        pass
    assert sample.read(), "a sample is never overwritten"
