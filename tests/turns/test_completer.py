"""An engine that runs out of memory, breaks or hangs costs no finished completion."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest

from synthetic import fake_study
from userturn.base import paths
from userturn.base.errors import EngineError
from userturn.chat.chat import Chat
from userturn.engines import watchdog
from userturn.engines.fake import SPECIALS
from userturn.engines.kinds.fake import FakeEngine
from userturn.engines.requests import Completion, Request, Sampling
from userturn.models import weights
from userturn.stages.weights import run as make_weights
from userturn.store.database import Store
from userturn.store.kinds import COMPLETIONS
from userturn.study.study import Study
from userturn.turns.completer import Completer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
STOP = tuple(sorted(SPECIALS))
REQUESTS = [Request("w", (7,) * (1 + n % 9), Sampling(1.0, 1.0, 64, STOP), n) for n in range(1000)]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A study on the fake engine, its weights' pointer written, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("USERTURN_FAKE_LOG", "sent.log")
    study = fake_study()
    make_weights(study, "smollm2_135m")
    return study


def completer(study: Study) -> Completer:
    return Completer(study, "smollm2_135m", "generate@smollm2_135m", cast(Chat, None))


def sent() -> Counter[str]:
    return Counter(Path("sent.log").read_text().split())


def stored() -> int:
    with Store(paths.completion_store("smollm2_135m"), COMPLETIONS) as store:
        return len(store)


def undisturbed(study: Study) -> dict[str, Completion]:
    engine = FakeEngine(
        study.model["smollm2_135m"].engine, weights.materialise(study, "smollm2_135m")
    )
    engine.load()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("USERTURN_FAKE_LOG")
        patch.delenv("USERTURN_FAKE_MEMORY_AT", raising=False)
        return {request.id: done for request, done in engine.generate(REQUESTS)}


def test_out_of_memory_goes_on_with_half_the_batch(
    study: Study, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("USERTURN_FAKE_MEMORY_AT", "400")  # of each load: 1000, then 601, then 202
    with completer(study) as source:
        done = source.complete(REQUESTS, "user turns")
    counts = sent()
    assert set(counts.values()) == {1, 2}
    assert sum(counts.values()) == 1000 + 2  # the two in flight when memory ran out
    assert stored() == 1000
    assert "399 of 1000 user turns are finished and stored; out of memory" in caplog.text
    assert "going on with 32 sequences in a batch" in caplog.text
    assert "798 of 1000" in caplog.text
    assert "Set model.smollm2_135m.engine.max_num_seqs: 16 to begin so" in caplog.text
    assert done == undisturbed(study)


def test_out_of_memory_with_one_sequence_names_model_and_keys(
    study: Study, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("USERTURN_FAKE_MEMORY_AT", "3")
    for finished in (14, 28):  # two of each load with 64, 32 ... 1 sequences
        with completer(study) as source, pytest.raises(EngineError) as caught:
            source.complete(REQUESTS, "user turns")
        assert "model.smollm2_135m.engine.max_model_len" in str(caught.value)
        assert "same command again" in str(caught.value)
        assert stored() == finished
    assert "going on with 1 sequences" in caplog.text


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate "
                      "memory: you tried to allocate 9 bytes."), None),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA"), None),
        (RuntimeError("Worker failed with error 'CUDA out of memory. Tried to allocate 2.00 GiB'"),
         None),
        (MemoryError(), None),
        (ValueError("bad shape"), "fake engine broke (ValueError: bad shape)"),
    ],
)  # fmt: skip
def test_what_an_engine_may_raise(
    study: Study, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str | None
) -> None:
    generate, broken = FakeEngine.generate, []

    def breaking(self: FakeEngine, requests: Any) -> Any:
        for place, finished in enumerate(generate(self, requests)):
            if place == 400 and not broken:
                broken.append(True)
                raise error
            yield finished

    monkeypatch.setattr(FakeEngine, "generate", breaking)
    with completer(study) as source:
        if message is not None:
            with pytest.raises(EngineError, match=re.escape(message)):
                source.complete(REQUESTS, "user turns")
            assert stored() == 400
        assert len(source.complete(REQUESTS, "user turns")) == 1000
    assert sum(sent().values()) == 1000 + 1


def test_a_broken_engine_sends_only_the_rest_next_time(
    study: Study, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("USERTURN_FAKE_FAIL_AT", "400")
    with completer(study) as source, pytest.raises(EngineError, match="breaks at request 400"):
        source.complete(REQUESTS, "user turns")
    assert "399 of 1000 user turns are finished and stored: run the same" in caplog.text
    monkeypatch.delenv("USERTURN_FAKE_FAIL_AT")
    with completer(study) as source:
        assert source.complete(REQUESTS, "user turns") == undisturbed(study)
    assert sorted(sent().values())[-2:] == [1, 2]


HANG = """
import logging
from tests.turns.test_completer import REQUESTS, completer, fake_study

logging.basicConfig(format="%(message)s", level=logging.INFO)
completer(fake_study(hang_seconds=0.5)).complete(REQUESTS, "user turns")
"""


@pytest.mark.slow
def test_a_hung_engine_ends_the_process_and_loses_nothing(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USERTURN_FAKE_HANG_AT", "400")
    path = os.pathsep.join([str(ROOT), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", HANG],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == watchdog.STATUS
    assert "399 of 1000 user turns are finished and stored, and then none for 0.5 s" in done.stderr
    assert "model.smollm2_135m.engine.hang_seconds" in done.stderr
    assert "Traceback" not in done.stderr
    monkeypatch.delenv("USERTURN_FAKE_HANG_AT")
    with completer(study) as source:
        assert len(source.complete(REQUESTS, "user turns")) == 1000
    assert sorted(sent().values())[-2:] == [1, 2]
