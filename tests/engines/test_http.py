"""The client of OpenAI-compatible servers, against a server that misbehaves in every way."""

import gzip
import json
import logging
import socket
import threading
import time
import tracemalloc
from collections import Counter
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from userturn.base.errors import EngineError
from userturn.engines import http
from userturn.engines.http import Server

pytestmark = pytest.mark.slow

KEY = "sk-very-secret-0123456789"
BOMB = gzip.compress(b"[" * 10**8)


class Misbehaving(ThreadingHTTPServer):
    """Answers a request as its body asks: `fail` lists what the first tries get."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.tries, self.at, self.keys = Counter(), {}, []
        self.lock, self.working, self.most = threading.Lock(), 0, 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request, client_address):
        pass  # the clients that hang up do so on purpose


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, {"path": self.path})

    def do_POST(self):
        server = self.server
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            number = server.tries[asked["id"]]
            server.tries[asked["id"]] += 1
            server.at.setdefault(asked["id"], []).append(time.monotonic())
            server.keys.append(self.headers.get("Authorization"))
            server.working += 1
            server.most = max(server.most, server.working)
        time.sleep(asked.get("seconds", 0))
        with server.lock:
            server.working -= 1
        fail = asked.get("fail", [])
        self.fail(fail[number]) if number < len(fail) else self.answer(200, {"id": asked["id"]})

    def fail(self, how):
        if how == "hang up":
            self.connection.shutdown(socket.SHUT_RDWR)
        elif how == "half":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b'{"id":')
            self.connection.shutdown(socket.SHUT_RDWR)
        elif how == "no json":
            self.answer(200, "<html>")
        elif how == "list":
            self.answer(200, [1])
        elif how == "drip":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            for _ in range(1000):
                self.wfile.write(b" ")
                time.sleep(0.05)
        elif how in ("large", "large refusal"):
            self.send_response(200 if how == "large" else 500)
            self.end_headers()  # no length: it ends with the connection
            self.close_connection = True
            for _ in range(200):
                self.wfile.write(b"[" * 2**20)
        elif how == "bomb":
            self.answer(200, BOMB, {"Content-Encoding": "gzip"})
        elif how == "deep":
            self.answer(200, "[" * 100_000)
        else:
            status, headers = how if isinstance(how, list) else (how, {})
            said = headers.get("says") or f"no: {self.headers.get('Authorization')}"
            self.answer(status, said, {name: headers[name] for name in headers if name != "says"})

    def answer(self, status, body, headers=()):
        if not isinstance(body, bytes):
            body = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name in headers:
            self.send_header(name, headers[name])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def bad():
    with Misbehaving() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(http, "FIRST_WAIT_S", 0.01)


def client(bad, **changes):
    return Server(
        bad.url, **{"key_env": None, "concurrency": 4, "retries": 3, "timeout_s": 5, **changes}
    )


def ask(name, **body):
    return name, {"id": name, **body}


def take(answers, finished):
    for key, _ in answers:
        finished.append(key)


def test_every_payload_is_answered_under_its_id_with_bounded_concurrency(bad):
    asked = [ask(f"r{n}", seconds=0.005) for n in range(40)]
    answers = dict(client(bad).post_many("completions", asked))
    assert answers == {key: {"id": key} for key, _ in asked}
    assert set(bad.tries.values()) == {1}
    assert 2 <= bad.most <= 4


def test_payloads_are_taken_as_they_are_sent(bad):
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield ask(f"r{len(taken)}")

    answers = client(bad).post_many("completions", endless())
    for _ in range(10):
        next(answers)
    answers.close()
    assert len(taken) <= 10 + 4


def test_answers_come_as_they_finish_and_leaving_does_not_wait(bad):
    asked = [ask("slow", seconds=3), *(ask(f"r{n}") for n in range(5))]
    began = time.monotonic()
    answers = client(bad).post_many("completions", asked)
    assert {next(answers)[0] for _ in range(5)} == {f"r{n}" for n in range(5)}
    answers.close()
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("how", [429, 500, 503, "hang up", "half"])
def test_what_may_pass_is_tried_again(bad, how):
    asked = [ask("bad", fail=[how, how]), ask("good")]
    assert set(dict(client(bad).post_many("completions", asked))) == {"bad", "good"}
    assert bad.tries == {"bad": 3, "good": 1}


@pytest.mark.slow
def test_the_server_says_how_long_to_wait(bad):
    asked = [ask("bad", fail=[[429, {"Retry-After": "1"}]])]
    assert len(list(client(bad).post_many("completions", asked))) == 1
    first, second = bad.at["bad"]
    assert second - first > 0.9


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("-1", 0),
        ("inf", 0),
        ("soon", 0),
        (None, 0),
    ],
)
def test_a_time_to_wait_is_seconds(header, seconds):
    assert http._retry_after(header) == seconds


@pytest.mark.parametrize(("ahead", "seconds"), [(3600, 3600), (-3600, 0)])
def test_a_time_to_wait_may_be_a_date(ahead, seconds):
    header = formatdate(time.time() + ahead, usegmt=True)
    assert http._retry_after(header) == pytest.approx(seconds, rel=0.05, abs=1)


@pytest.mark.parametrize(
    ("how", "tries", "says"),
    [
        (500, 4, "status 500.*see its log"),
        (429, 4, "status 429"),
        ("hang up", 4, "cannot be reached"),
        (400, 1, "status 400.*refuses this request"),
        (404, 1, "status 404.*/v1"),
        (401, 1, "status 401.*check the key in SERVER_KEY"),
        ("no json", 1, "no JSON object"),
        ("list", 1, "no JSON object"),
    ],
)
def test_what_was_finished_comes_out_before_the_error(bad, monkeypatch, how, tries, says):
    monkeypatch.setenv("SERVER_KEY", KEY)
    asked = [
        *(ask(f"before{n}") for n in range(6)),
        ask("bad", fail=[how] * 9),
        *(ask(f"after{n}", seconds=0.3) for n in range(50)),
    ]
    finished = []
    with pytest.raises(EngineError, match=rf"request bad: {bad.url}/completions: .*{says}"):
        take(client(bad, key_env="SERVER_KEY").post_many("completions", asked), finished)
    assert bad.tries["bad"] == tries
    answered = {key for key in bad.tries if key != "bad"}
    assert set(finished) == answered  # what was in flight is not thrown away
    assert {f"before{n}" for n in range(6)} <= answered
    assert len(answered) < 20  # and nothing was sent after it


def test_one_that_waits_long_does_not_hold_up_the_error(bad):
    asked = [ask("waits", fail=[[503, {"Retry-After": "60"}]] * 9), ask("bad", fail=[400])]
    began = time.monotonic()
    with pytest.raises(EngineError, match="request bad"):
        list(client(bad).post_many("completions", asked))
    assert time.monotonic() - began < 5


def test_silence_has_a_limit(bad):
    with pytest.raises(EngineError, match=r"no answer within 0\.2 s"):
        list(client(bad, timeout_s=0.2, retries=1).post_many("c", [ask("mute", seconds=1)]))
    assert bad.tries["mute"] == 2


@pytest.mark.slow
def test_an_answer_that_drips_has_a_limit_as_a_whole(bad):
    began = time.monotonic()
    with pytest.raises(EngineError, match=r"no answer within 0\.5 s"):
        list(client(bad, timeout_s=0.5, retries=0).post_many("c", [ask("slow", fail=["drip"])]))
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("how", "says"),
    [("large", "larger than 16,777,216 bytes"), ("bomb", "packed"), ("deep", "no JSON object")],
)
def test_an_answer_has_a_largest_size(bad, how, says):
    tracemalloc.start()
    with pytest.raises(EngineError, match=says):
        list(client(bad, retries=0).post_many("c", [ask("bad", fail=[how])]))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 50 * 2**20


def test_a_refusal_is_read_in_part(bad):
    with pytest.raises(EngineError, match=r"status 500 \(\[{300}\)"):
        list(client(bad, retries=0).post_many("c", [ask("bad", fail=["large refusal"])]))


def test_a_wait_that_is_too_long_ends_the_run(bad):
    began = time.monotonic()
    asked = [ask("bad", fail=[[429, {"Retry-After": "86400"}]])]
    with pytest.raises(EngineError, match=r"status 429.*wait 86,400 s, longer than 300: run the"):
        list(client(bad).post_many("c", asked))
    assert time.monotonic() - began < 5
    assert bad.tries["bad"] == 1


@pytest.mark.slow
def test_a_long_wait_is_shown_once(bad, monkeypatch, caplog):
    monkeypatch.setattr(http, "TOLD_S", 0.5)
    asked = [ask(f"r{n}", fail=[[503, {"Retry-After": "1"}]]) for n in range(4)]
    assert len(list(client(bad).post_many("c", asked))) == 4
    (shown,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "status 503" in shown.getMessage()
    assert "again in 1.0 s" in shown.getMessage()


def test_nobody_there(bad):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(EngineError, match=rf"{url}/models: cannot be reached.*start the server"):
        Server(url, key_env=None, concurrency=1, retries=1, timeout_s=1).get("models")


def test_get(bad):
    assert client(bad).get("models") == {"path": "/v1/models"}


def test_the_key_is_sent_and_never_told(bad, monkeypatch, caplog):
    monkeypatch.setenv("SERVER_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    server = client(bad, key_env="SERVER_KEY", retries=1)
    told = [repr(server), str(vars(server))]
    for how in (401, 500, 400, "hang up"):  # the first three quote the key
        with pytest.raises(EngineError) as caught:
            list(server.post_many("completions", [ask(f"bad {how}", fail=[how] * 9)]))
        chain = caught.value
        while chain is not None:
            told.append(f"{chain!r} {chain.args} {vars(chain)}")
            chain = chain.__cause__ or chain.__context__
    assert "$SERVER_KEY" in told[2]
    assert set(bad.keys) == {f"Bearer {KEY}"}
    assert KEY not in "\n".join([*told, caplog.text])


@pytest.mark.parametrize(
    "said",
    [
        f"Incorrect API key provided: {KEY[:-1]}. You can find",
        f"key {KEY[:10]}********{KEY[-6:]} is wrong",
        f"{KEY.upper()} and {KEY[4:]}",
        f"<p>{'x' * 290}{KEY}</p>",
    ],
)
def test_a_key_that_is_quoted_in_part_is_not_told(bad, monkeypatch, said):
    monkeypatch.setenv("SERVER_KEY", KEY)
    asked = [ask("bad", fail=[[401, {"says": said}]])]
    with pytest.raises(EngineError, match="status 401") as caught:
        list(client(bad, key_env="SERVER_KEY").post_many("c", asked))
    text = str(caught.value).lower()
    assert not any(KEY[start : start + 4] in text for start in range(len(KEY) - 3))


@given(st.text("ab-c", min_size=1, max_size=9), st.text("ab-cAX", max_size=30))
def test_no_piece_of_a_secret_is_left(secret, text):
    size = min(4, len(secret))
    told = http.without(text, secret, "☺").lower()
    assert not any(secret[at : at + size] in told for at in range(len(secret) - size + 1))
    if not any(secret[at : at + size] in text.lower() for at in range(len(secret) - size + 1)):
        assert told == text.lower()


def test_what_a_server_says_is_no_terminal_code(bad):
    asked = [ask("bad", fail=[[400, {"says": "\x1b[31mred\x00 \u202eevil"}]])]
    with pytest.raises(EngineError, match=r"status 400 \(�\[31mred� �evil\)"):
        list(client(bad).post_many("c", asked))


@pytest.mark.parametrize(
    "url", ["${SECRET_HOST}/v1", "http://h:${SECRET_HOST}/", "http://127.0.0.1:1/${SECRET_HOST}"]
)
def test_a_url_is_shown_by_the_names_of_its_variables(monkeypatch, url):
    monkeypatch.setenv("SECRET_HOST", KEY)
    with pytest.raises(EngineError, match="SECRET_HOST") as caught:
        Server(url, key_env=None, concurrency=1, retries=0, timeout_s=1).get("models")
    assert KEY not in str(caught.value)
    monkeypatch.setenv("SECRET_HOST", f"http://me:{KEY}@host")
    with pytest.raises(EngineError) as caught:
        Server("${SECRET_HOST}", key_env=None, concurrency=1, retries=0, timeout_s=1)
    assert KEY not in str(caught.value)


def test_a_key_that_is_not_there_or_no_key(bad, monkeypatch):
    server = client(bad, key_env="SERVER_KEY")
    monkeypatch.delenv("SERVER_KEY", raising=False)
    with pytest.raises(EngineError, match="set the environment variable SERVER_KEY"):
        server.get("models")
    monkeypatch.setenv("SERVER_KEY", "schlüssel\nsecret")
    with pytest.raises(EngineError, match="printable ASCII") as caught:
        server.get("models")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://me:secret@host/v1", "https://host/v1?key=secret"])
def test_a_url_holds_no_secret(url):
    with pytest.raises(EngineError, match="key_env") as caught:
        Server(url, key_env=None, concurrency=1, retries=0, timeout_s=1)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["host:8000/v1", "ftp://host/v1", "/v1", "http://"])
def test_a_url_is_one(url):
    with pytest.raises(EngineError, match="http://host:8000/v1"):
        Server(url, key_env=None, concurrency=1, retries=0, timeout_s=1)
