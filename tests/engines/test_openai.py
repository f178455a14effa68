"""The engine openai: what it sends and accepts; `vllm serve` against vLLM in process."""

import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from userturn.base.errors import EngineError, StudyError
from userturn.engines import create, fake, http
from userturn.engines.base import ScoreRequest
from userturn.engines.kinds.fake import _write
from userturn.engines.kinds.openai import choose, target_scores, token_ids
from userturn.engines.requests import Completion, Request, Sampling
from userturn.study.models import EngineParams

STOP = (256, 257, 258)


class FakeServer(ThreadingHTTPServer):
    """`/v1/models` and `/v1/completions` as vLLM answers, with the fake engine's texts."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, model_dir):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        self.card = {"id": "name", "root": str(model_dir), "max_model_len": 512}
        self.bodies, self.lose, self.keep, self.broken = [], (), None, frozenset()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, {"data": [self.server.card]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(body)
        if len(self.server.bodies) in self.server.broken:
            return self.answer(503, {})
        if "prompt_logprobs" in body:
            time.sleep(random.random() / 50)  # so that answers change places
            rows = [{str(token): {"logprob": -token / 8}} for token in body["prompt"]]
            choice = {"token_ids": [7], "prompt_logprobs": [None, *rows[1:]]}
        else:
            ids = _write(as_request(body))[: body["max_tokens"]]
            choice = {"token_ids": ids[: self.server.keep], "finish_reason": "stop"}
        choice = {key: choice[key] for key in choice if key not in self.server.lose}
        return self.answer(200, {"choices": [choice]})

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def as_request(body):
    """The request that a body stands for; its limit is one less than what is asked for."""
    sampling = Sampling(
        body["temperature"], body["top_p"], body["max_tokens"] - 1, tuple(body["stop_token_ids"])
    )
    return Request("w", tuple(body["prompt"]), sampling, body.get("seed", 0))


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights") / "0123abcd"
    fake.make_model(folder, 0)
    return folder


@pytest.fixture
def server(model_dir, monkeypatch):
    monkeypatch.setattr(http, "FIRST_WAIT_S", 0.01)
    with FakeServer(model_dir) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def engine_of(server, model_dir, **changes):
    settings = {"base_url": server.url, "concurrency": 4, "retries": 2, **changes}
    limit = settings.pop("max_model_len", None)
    return create(EngineParams(name="openai", max_model_len=limit, server=settings), model_dir)


@pytest.fixture
def loaded(server, model_dir):
    engine = engine_of(server, model_dir)
    engine.load()
    return engine


def request(n, temperature=0.7, max_tokens=40):
    text = f"<|im_start|>user\nWhat is {n}?<|im_end|>\n<|im_start|>user\n"
    for token, special in fake.SPECIALS.items():
        text = text.replace(special, chr(0xF000 + token))
    context = tuple(ord(c) - 0xF000 if ord(c) >= 0xF000 else ord(c) for c in text)
    return Request(
        "w", context, Sampling(temperature, 0.9, max_tokens, STOP), n if temperature else 0
    )


def test_completions_are_those_of_the_model_behind_the_server(server, model_dir, loaded):
    oracle = create(EngineParams(name="fake"), model_dir)
    oracle.load()
    requests = [request(n, temperature) for n in range(12) for temperature in (0.0, 0.7)]
    assert dict(loaded.generate(requests)) == dict(oracle.generate(requests))
    assert {as_request(body) for body in server.bodies} == set(requests)


def test_every_sampling_parameter_is_sent(server, loaded):
    sampled, greedy = request(3), request(3, temperature=0.0)
    list(loaded.generate([sampled]))
    list(loaded.generate([greedy]))
    first, second = server.bodies
    assert first == {
        "model": "name",
        "prompt": list(sampled.context),
        "temperature": 0.7,
        "top_p": 0.9,
        "seed": 3,
        "max_tokens": 41,  # one more shows whether the completion ended at the limit
        "stop_token_ids": [256, 257, 258],
        "ignore_eos": True,
        "return_token_ids": True,
        "n": 1,
        "top_k": 0,
        "min_p": 0.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "repetition_penalty": 1.0,
        "min_tokens": 0,
    }
    assert "seed" not in second


def test_a_server_that_ends_completions_by_itself_is_refused(server, loaded):
    server.keep = 2
    with pytest.raises(EngineError, match=r"after 2 tokens.*--generation-config vllm"):
        list(loaded.generate([request(1)]))


def test_a_server_without_token_ids_is_refused(server, loaded):
    server.lose = ("token_ids", "prompt_logprobs")
    with pytest.raises(EngineError, match="return_token_ids"):
        list(loaded.generate([request(1)]))
    with pytest.raises(EngineError, match="prompt_logprobs"):
        list(loaded.score([ScoreRequest((1,), ((2,),))]))


@pytest.mark.parametrize("ids", [[-1], ["7"], [1.5], [1e400], [None], [True], "77", None, 7])
def test_token_ids_are_numbers_of_tokens(ids):
    with pytest.raises(EngineError, match="return_token_ids"):
        token_ids({"choices": [{"token_ids": ids}]})


@pytest.mark.parametrize("value", ["nan", float("nan"), -float("inf"), None, "x", 10**400])
def test_log_probabilities_are_finite(value):
    answer = {"choices": [{"prompt_logprobs": [None, {"5": {"logprob": value}}]}]}
    with pytest.raises(EngineError, match="prompt_logprobs"):
        target_scores(answer, (4, 5), 1)


@pytest.mark.parametrize("data", [None, 7, "x", {"a": 1}, [7], [{"root": "0123abcd"}]])
def test_a_list_of_models_may_be_anything(data):
    with pytest.raises(EngineError, match="there: none"):
        choose({"data": data}, None, Path("0123abcd"), "URL")


def test_scores_come_in_the_order_of_the_requests(loaded):
    asked = [
        ScoreRequest((1, 2, row), tuple((row, column) for column in range(1 + row % 3)))
        for row in range(12)
    ]
    asked.append(ScoreRequest((1,), ()))
    expected = [
        [[-token / 8 for token in target] for target in request.targets] for request in asked
    ]
    assert list(loaded.score(asked)) == expected


def test_what_does_not_fit_is_refused_before_anything_is_sent(server, loaded):
    assert loaded.max_model_len == 512
    with pytest.raises(EngineError, match="do not fit"):
        list(loaded.generate([request(1), request(2, max_tokens=500)]))
    with pytest.raises(EngineError, match="do not fit"):
        list(loaded.score([ScoreRequest((1,) * 511, ((2,),))]))
    assert server.bodies == []


def test_a_server_that_fails_loses_nothing_it_finished(server, loaded):
    server.broken = {*range(9, 99)}
    finished = []
    requests = [request(n) for n in range(20)]
    with pytest.raises(EngineError, match=f"{server.url}/completions: status 503"):
        finished.extend(loaded.generate(requests))
    assert len(finished) == 8
    assert all(isinstance(completion, Completion) for _, completion in finished)


@pytest.mark.parametrize(
    ("wanted", "served", "result"),
    [
        (None, 512, 512),
        (256, 512, 256),
        (256, None, 256),
        (256, -5, 256),
        (None, True, "engine.max_model_len"),
        (1024, 512, "--max-model-len 1024"),
        (None, None, "engine.max_model_len"),
    ],
)
def test_the_context_length_is_checked(server, model_dir, wanted, served, result):
    server.card["max_model_len"] = served
    engine = engine_of(server, model_dir, max_model_len=wanted)
    if isinstance(result, str):
        with pytest.raises(EngineError, match=result):
            engine.load()
    else:
        engine.load()
        assert engine.max_model_len == result


def test_the_model_is_the_one_served_from_the_study_s_folder(tmp_path):
    folder = tmp_path / "0123abcd"
    here = {"id": "some", "root": f"/mnt/elsewhere/{folder.name}"}
    other = {"id": "other", "root": "org/other"}
    models = {"data": [other, here]}
    assert choose(models, None, folder, "URL") == here
    assert choose(models, "other", folder, "URL") == other  # the user says so
    with pytest.raises(EngineError, match=f"URL: .*there: other.*vllm serve {folder}"):
        choose({"data": [other]}, None, folder, "URL")
    with pytest.raises(EngineError, match="no model 'mine'; models there: other, some"):
        choose(models, "mine", folder, "URL")
    with pytest.raises(EngineError, match="there: none"):
        choose({}, None, folder, "URL")


def test_the_url_comes_from_the_environment(server, model_dir, monkeypatch):
    engine = engine_of(server, model_dir, base_url="${TEST_SERVER}/v1")
    with pytest.raises(StudyError, match="TEST_SERVER"):
        engine.load()
    monkeypatch.setenv("TEST_SERVER", server.url.removesuffix("/v1"))
    engine.load()
    assert engine.max_model_len == 512


def test_a_server_that_is_not_there(server, model_dir):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(EngineError, match=f"{url}/models: cannot be reached.*start the server"):
        engine_of(server, model_dir, base_url=url).load()


# --- the real server ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def vllm_server(smollm2_dir, tmp_path_factory):
    """URL of `vllm serve` with the laptop model, set up as the engine vllm sets itself up."""
    pytest.importorskip("vllm")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [  # what `vllm serve` runs; the command itself refuses to start in the CPU build
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", f"--model={smollm2_dir}",
        "--host=127.0.0.1", f"--port={port}", "--dtype=float32", "--enforce-eager",
        "--max-model-len=1024", "--max-num-seqs=16", "--kv-cache-memory-bytes=536870912",
        "--block-size=32", "--no-enable-chunked-prefill",
    ]  # fmt: skip
    log = tmp_path_factory.mktemp("server") / "log"
    quiet = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
    with log.open("w") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **quiet}
        )
    url = f"http://127.0.0.1:{port}/v1"
    asked = http.Server(url, key_env=None, concurrency=1, retries=0, timeout_s=5)
    try:
        for _ in range(600):
            assert process.poll() is None, log.read_text()[-3000:]
            try:
                asked.get("models")
                break
            except EngineError:
                time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.slow
def test_vllm_serve_gives_what_vllm_gives_in_process(vllm_server, smollm2_dir):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2_dir)
    topics = ("bread", "the moon", "fractions", "a loop", "die Alpen", "chess", "tea", "poems")
    contexts = [
        tuple(
            tokenizer(
                f"<|im_start|>user\nTell me about {topic}.<|im_end|>\n<|im_start|>assistant\n"
                f"I like {topic}. {n * 'More on it. '}<|im_end|>\n<|im_start|>user\n"
            )["input_ids"]
        )
        for n, topic in enumerate(topics)
    ]
    stop = (0, 1, 2)
    requests = [Request("w", context, Sampling(0.0, 1.0, 24, stop), 0) for context in contexts]
    requests += [
        Request("w", context, Sampling(0.8, top_p, 16, stop), seed)
        for seed, context in enumerate(contexts[:3], 1)
        for top_p in (1.0, 0.9)
    ]
    targets = tuple(tuple(tokenizer(text)["input_ids"]) for text in ("What is it?", " Thanks!\n"))
    scored = [ScoreRequest(context, targets) for context in contexts[:4]]

    results = []
    for name in ("openai", "vllm"):
        params = EngineParams(
            name=name, max_model_len=1024, kv_cache_gib=0.5, server={"base_url": vllm_server}
        )
        engine = create(params, smollm2_dir)
        engine.load()
        assert engine.max_model_len == 1024
        results.append((dict(engine.generate(requests)), list(engine.score(scored))))
        engine.close()
    (served, served_scores), (ours, our_scores) = results
    assert served == ours
    assert {completion.end for completion in ours.values()} >= {"length"}
    for there, here in zip(served_scores, our_scores, strict=True):
        for one, other in zip(there, here, strict=True):
            assert one == pytest.approx(other, abs=1e-3)
