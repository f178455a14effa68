"""The fake engine: deterministic, varied, and disturbed only as asked."""

import time
from collections import Counter

import pytest

from userturn.base.errors import EngineError
from userturn.engines.base import ScoreRequest
from userturn.engines.fake import IM_END, IM_START, SPECIALS, make_model
from userturn.engines.kinds.fake import FakeEngine
from userturn.engines.requests import Request, Sampling
from userturn.study.models import EngineParams

STOP = tuple(sorted(SPECIALS))


@pytest.fixture
def model(tmp_path):
    make_model(tmp_path / "model", seed=0)
    return tmp_path / "model"


@pytest.fixture
def engine(model):
    engine = FakeEngine(EngineParams(name="fake"), model)
    engine.load()
    return engine


def context(*messages: tuple[str, str], header: str) -> tuple[int, ...]:
    ids: list[int] = []
    for role, text in messages:
        ids += [IM_START, *f"{role}\n{text}".encode(), IM_END, *b"\n"]
    return (*ids, IM_START, *f"{header}\n".encode())


def turns(count: int, max_tokens: int = 64) -> list[Request]:
    shown = context(("user", "What is a {cat}?"), ("assistant", "A furry animal."), header="user")
    return [
        Request("w", shown, Sampling(1.0, 1.0, max_tokens, STOP), seed) for seed in range(count)
    ]


def test_turns_are_of_every_sort(engine):
    done = [completion for _, completion in engine.generate(turns(300))]
    assert {"eos", "stop_token", "length"} == {completion.end for completion in done}
    texts = Counter(bytes(completion.token_ids).decode() for completion in done)
    assert texts[""] > 0
    assert texts["What is a {cat}?"] > 0
    assert texts["Can you say more about furry?"] > 0
    assert len(texts) > 20


def test_a_completion_depends_on_its_request_alone(engine):
    asked = turns(50)
    together = dict(engine.generate(asked))
    assert dict(engine.generate(asked[::-1])) == together
    assert all(dict(engine.generate([one]))[one] == together[one] for one in asked)


def test_an_answer_is_no_user_turn(engine):
    asked = context(("user", "What is a cat?"), header="assistant")
    request = Request("w", asked, Sampling(0.0, 1.0, 400, STOP), 0)
    ((_, answer),) = engine.generate([request])
    assert bytes(answer.token_ids).decode().startswith(("The answer", "Here are", "I would"))


def test_scores_are_log_probabilities_and_stable(engine):
    request = ScoreRequest((1, 2, 3), ((4, 5), (6,)))
    (scores,) = engine.score([request])
    assert [len(target) for target in scores] == [2, 1]
    assert all(-6 <= value <= 0 for target in scores for value in target)
    assert list(engine.score([request])) == [scores]
    (other,) = engine.score([ScoreRequest((1, 2), request.targets)])
    assert other != scores


def test_log_delay_and_failure(engine, monkeypatch, tmp_path):
    log = tmp_path / "sent.log"
    monkeypatch.setenv("USERTURN_FAKE_LOG", str(log))
    monkeypatch.setenv("USERTURN_FAKE_DELAY", "0.02")
    monkeypatch.setenv("USERTURN_FAKE_FAIL_AT", "4")
    asked, done = turns(6), []
    start = time.monotonic()
    with pytest.raises(EngineError, match="request 4"):
        done.extend(engine.generate(asked))
    assert time.monotonic() - start >= 0.06
    assert [request for request, _ in done] == asked[:3]
    assert log.read_text().split() == [request.id for request in asked[:4]]


def test_it_must_be_loaded_and_needs_a_model(tmp_path):
    engine = FakeEngine(EngineParams(name="fake"), tmp_path)
    with pytest.raises(EngineError, match="before load"):
        list(engine.generate(turns(1)))
    with pytest.raises(EngineError, match=r"config\.json"):
        engine.load()


def test_the_model_has_the_same_bytes_for_the_same_seed(model, tmp_path):
    def files(folder):
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    make_model(tmp_path / "again", seed=0)
    make_model(tmp_path / "other", seed=1)
    assert files(tmp_path / "again") == files(model)
    changed = {n for n, b in files(tmp_path / "other").items() if b != files(model)[n]}
    assert changed == {"config.json"}


@pytest.mark.slow
def test_the_tokenizer_loads_and_its_ids_are_bytes(model):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    text = "Grüße, 日本! \x00\n ok"
    assert tokenizer(text)["input_ids"] == list(text.encode())
    assert tokenizer.decode(list(text.encode())) == text
    assert {tokenizer.convert_tokens_to_ids(t): t for t in SPECIALS.values()} == SPECIALS
    rendered = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What?"}], add_generation_prompt=True, return_dict=False
    )
    assert tuple(rendered) == context(("user", "What?"), header="assistant")
