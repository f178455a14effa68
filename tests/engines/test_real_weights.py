"""vLLM and transformers on real weights: each is the other's oracle.

The two engines are loaded once. Prompts are short and completions shorter, so that the module
takes about two minutes on two cores.
"""

import dataclasses
import random

import pytest

from userturn.base.errors import EngineError
from userturn.base.seeds import derive_seed
from userturn.engines import create
from userturn.engines.base import ScoreRequest
from userturn.engines.requests import Request, Sampling
from userturn.study.models import EngineParams

pytestmark = pytest.mark.slow

STOP = (0, 1, 2)  # <|endoftext|>, <|im_start|>, <|im_end|>
EOS = 2
NEAR_TIE = 1e-3

TOPICS = {
    "bread": "Mix flour, water, salt and yeast, let the dough rest for an hour, then bake it.",
    "the moon": "It circles the Earth in 27 days and always shows us the same side.",
    "fractions": "To add 1/2 and 1/3, write both with the denominator 6: 3/6 + 2/6 = 5/6.",
    "a Python loop": "Use `for item in items:` and put what should be repeated below, indented.",
    "die Alpen": "Die Alpen sind ein Gebirge in Europa; ihr höchster Berg ist der Mont Blanc.",
    "running": "Start with ten minutes every other day and add two minutes each week.",
    "chess": "White moves first. Each side has sixteen pieces; the aim is to checkmate the king.",
    "tea": "Green tea wants water at 80 degrees for two minutes, black tea boiling water for four.",
    "volcanoes": "Magma rises because it is lighter than the rock around it, until it breaks out.",
    "poems": "Choose one picture, say it plainly, and cut every word that it does not need.",
}
QUERIES = (
    "Tell me about {topic}.",
    "{topic}?",
    "I have never heard anything about {topic} before. Explain it to me as if I were ten years "
    "old, in a few sentences, and give me one example that I can try at home.",
    "List 3 facts on {topic}:\n1.\n2.\n3.",
    "Is it true that {topic} was invented in 1999? Answer yes or no, then give your reasons.",
)


@pytest.fixture(scope="module")
def vllm(smollm2_dir):
    engine = create(EngineParams(name="vllm", max_model_len=1024, kv_cache_gib=1), smollm2_dir)
    engine.load()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def transformers(smollm2_dir):
    engine = create(EngineParams(name="transformers", max_model_len=1024), smollm2_dir)
    engine.load()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def contexts(smollm2_dir):
    """Fifty contexts of a user turn, 40 to 110 tokens long."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2_dir)

    def context(query: str, answer: str) -> tuple[int, ...]:
        messages = [{"role": "user", "content": query}, {"role": "assistant", "content": answer}]
        rendered = tokenizer.apply_chat_template(messages, tokenize=False)
        return tuple(tokenizer(rendered + "<|im_start|>user\n")["input_ids"])

    return [
        context(query.format(topic=topic), answer)
        for topic, answer in TOPICS.items()
        for query in QUERIES
    ]


def greedy(context: tuple[int, ...], max_tokens: int = 24, stop: tuple[int, ...] = STOP) -> Request:
    return Request("w", context, Sampling(0.0, 1.0, max_tokens, stop), 0)


def sampled(context: tuple[int, ...], seed: int, top_p: float = 1.0) -> Request:
    return Request("w", context, Sampling(1.0, top_p, 12, STOP), seed)


def ask(engine, requests):
    done = {request.id: completion for request, completion in engine.generate(requests)}
    return [done[request.id] for request in requests]


@pytest.fixture(scope="module")
def greedy_turns(vllm, contexts):
    return ask(vllm, [greedy(context) for context in contexts])


def log_probabilities(engine, context):
    """Of every token of the vocabulary behind a context, by one plain forward."""
    import torch

    with torch.inference_mode():
        logits = engine._model(torch.tensor([context])).logits[0, -1].float()
    return logits.log_softmax(-1)


def assert_near_tie(transformers, context, ours, theirs):
    """Two greedy completions part where the oracle finds both tokens equally likely."""
    same = 0
    ids, other = [[*c.token_ids, c.stop_id] for c in (ours, theirs)]
    while ids[same] == other[same]:
        same += 1
    row = log_probabilities(transformers, (*context, *ids[:same]))
    assert abs(row[ids[same]] - row[other[same]]) < NEAR_TIE


def test_greedy_turns_are_those_of_transformers(vllm, transformers, contexts, greedy_turns):
    theirs = ask(transformers, [greedy(context) for context in contexts])
    differ = [row for row in range(len(contexts)) if theirs[row] != greedy_turns[row]]
    assert len(differ) <= 0.05 * len(contexts)
    for row in differ:
        assert_near_tie(transformers, contexts[row], greedy_turns[row], theirs[row])


def test_a_turn_is_the_same_alone_and_among_two_hundred(vllm, smollm2_dir, contexts):
    crowd = [
        sampled(context, derive_seed(0, "d", str(item), "base", 1.0, sample))
        for item, context in enumerate(contexts)
        for sample in range(4)
    ]
    together = ask(vllm, crowd)
    assert len({completion.token_ids for completion in together}) > 150
    for row in random.Random(0).sample(range(len(crowd)), 10):
        assert ask(vllm, [crowd[row]]) == [together[row]]
    vllm.close()
    # Again in the same process, nothing cached, and so little room that vLLM drops requests
    # half-way and resumes them: none of it may change a turn.
    narrow = EngineParams(name="vllm", max_model_len=1024, kv_cache_gib=0.05, max_num_seqs=24)
    other = create(narrow, smollm2_dir)
    other.load()
    assert ask(other, crowd) == together
    other.close()
    vllm.load()
    for row in random.Random(1).sample(range(len(crowd)), 5):
        assert ask(vllm, [crowd[row]]) == [together[row]]


def test_long_contexts_may_need_several_steps(vllm, contexts):
    long = [sum(contexts[first : first + 9], ()) for first in range(0, 36, 6)]
    assert sum(map(len, long)) > vllm._engine.vllm_config.scheduler_config.max_num_batched_tokens
    asked = [sampled(context, seed) for seed, context in enumerate(long)]
    together = ask(vllm, asked)
    assert [ask(vllm, [one])[0] for one in asked] == together


@pytest.mark.parametrize("name", ["vllm", "transformers"])
def test_seeds_matter_and_repeat(name, request, contexts):
    engine = request.getfixturevalue(name)
    first = ask(engine, [sampled(contexts[0], seed) for seed in range(8)])
    assert len({completion.token_ids for completion in first}) > 4
    assert ask(engine, [sampled(contexts[0], seed) for seed in reversed(range(8))]) == first[::-1]


@pytest.mark.parametrize("name", ["vllm", "transformers"])
def test_a_narrow_nucleus_is_greedy(name, request, contexts, greedy_turns):
    engine = request.getfixturevalue(name)
    asked = [sampled(context, seed, top_p=1e-6) for seed, context in enumerate(contexts[:8])]
    kept = [completion.token_ids[:12] for completion in greedy_turns[:8]]
    assert [completion.token_ids for completion in ask(engine, asked)] == kept


def test_a_nucleus_leaves_out_the_tail(vllm, transformers, contexts):
    row = log_probabilities(transformers, contexts[0]).exp()
    ranked = row.sort(descending=True)
    inside = set(ranked.indices[: int((ranked.values.cumsum(0) < 0.5).sum()) + 1].tolist())
    for engine in (vllm, transformers):
        one = [Request("w", contexts[0], Sampling(1.0, 0.5, 1, STOP), s) for s in range(24)]
        drawn = [c.token_ids[0] if c.token_ids else c.stop_id for c in ask(engine, one)]
        assert len(set(drawn)) > 1
        assert set(drawn) <= inside


@pytest.mark.parametrize("name", ["vllm", "transformers"])
def test_ends(name, request, contexts, greedy_turns):
    engine = request.getfixturevalue(name)
    row = max(range(len(contexts)), key=lambda row: len(greedy_turns[row].token_ids))
    ids, context = greedy_turns[row].token_ids, contexts[row]
    place = next(i for i in range(3, len(ids)) if ids[i] not in ids[:i])
    stop = (ids[place],)

    def turn(**changes):
        (completion,) = ask(engine, [greedy(context, **changes)])
        return completion.token_ids, completion.end, completion.stop_id

    assert turn(max_tokens=place + 1) == (ids[: place + 1], "length", None)
    assert turn(max_tokens=1) == (ids[:1], "length", None)
    assert turn(stop=stop) == (ids[:place], "stop_token", ids[place])
    assert turn(stop=stop, max_tokens=place) == (ids[:place], "stop_token", ids[place])
    assert turn(stop=stop, max_tokens=place - 1) == (ids[: place - 1], "length", None)
    assert turn(stop=(ids[0],)) == ((), "stop_token", ids[0])


@pytest.mark.parametrize("name", ["vllm", "transformers"])
def test_the_models_own_end_is_eos_and_only_if_it_is_a_stop(name, request, contexts):
    engine = request.getfixturevalue(name)
    # Behind a finished message a model writes what opens the next one: <|im_end|> comes soon.
    closing = (*contexts[0][:-3], *contexts[0][:12])
    (completion,) = ask(engine, [greedy(closing, 64)])
    assert (completion.end, completion.stop_id) == ("eos", EOS)
    (longer,) = ask(engine, [greedy(closing, len(completion.token_ids) + 2, stop=(0,))])
    assert longer.token_ids[: len(completion.token_ids) + 1] == (*completion.token_ids, EOS)


@pytest.mark.parametrize("name", ["vllm", "transformers"])
def test_what_does_not_fit_is_refused_and_what_just_fits_is_generated(name, request, contexts):
    engine = request.getfixturevalue(name)
    assert engine.max_model_len == 1024
    long = (contexts[0] * 40)[:1020]
    with pytest.raises(EngineError, match="max_model_len 1024"):
        ask(engine, [greedy(long, 5)])
    (completion,) = ask(engine, [greedy(long, 4)])
    assert len(completion.token_ids) <= 4


@pytest.mark.parametrize("name", ["vllm", "transformers"])
def test_a_consumer_may_stop_early(name, request, contexts, greedy_turns):
    engine = request.getfixturevalue(name)
    some = engine.generate([greedy(context, 8) for context in contexts[:6]])
    next(some)
    some.close()
    assert ask(engine, [greedy(contexts[7])]) == [greedy_turns[7]]


def test_the_same_request_may_be_asked_for_twice(vllm, contexts):
    one = greedy(contexts[0], 4)
    (_, first), (_, second) = vllm.generate([one, dataclasses.replace(one)])
    assert first == second


def test_scores_are_those_of_a_plain_forward(vllm, transformers, contexts, greedy_turns):
    import torch

    turns = [completion.token_ids for completion in greedy_turns if len(completion.token_ids) > 1]
    requests = [
        ScoreRequest(contexts[0], tuple(turns[:4])),
        ScoreRequest(contexts[1], (turns[0], turns[5][:1], turns[6])),  # same query in front
        ScoreRequest(contexts[0][:-3], (turns[0],)),  # a part of another context
        ScoreRequest(contexts[2], (turns[1][:1],)),
        ScoreRequest(contexts[40][:1], (turns[2], turns[2])),
        ScoreRequest(contexts[3], ()),
    ]
    by_vllm = list(vllm.score(requests))
    by_transformers = list(transformers.score(requests))
    assert [len(scores) for scores in by_transformers] == [4, 3, 1, 1, 2, 0]
    for place, request in enumerate(requests):
        for row, target in enumerate(request.targets):
            ids = torch.tensor([(*request.context, *target)])
            with torch.inference_mode():
                table = transformers._model(ids).logits[0].float().log_softmax(-1)
            start = len(request.context) - 1
            plain = [float(table[start + i, token]) for i, token in enumerate(target)]
            assert by_vllm[place][row] == pytest.approx(plain, abs=1e-3)
            assert by_transformers[place][row] == pytest.approx(plain, abs=1e-3)


def test_many_targets_are_scored_in_several_batches(
    transformers, contexts, greedy_turns, monkeypatch
):
    targets = tuple(completion.token_ids or (5,) for completion in greedy_turns[:12])
    request = ScoreRequest(contexts[0], targets)
    (together,) = transformers.score([request])
    monkeypatch.setattr("userturn.engines.kinds.transformers.LOGIT_TOKENS", 50)
    (apart,) = transformers.score([request])
    for one, other in zip(together, apart, strict=True):
        assert one == pytest.approx(other, abs=1e-4)


@pytest.mark.parametrize("name", ["vllm", "transformers"])
def test_describe(name, request):
    facts = request.getfixturevalue(name).describe()
    assert facts["engine"] == name
    assert facts["version"] != "not installed"
    assert facts["dtype"] == "float32"
    if facts["device"] == "cpu":
        assert facts["regeneration"] == "bit-exact"


@pytest.mark.parametrize("name", ["vllm", "transformers"])
def test_a_folder_that_is_no_model_is_an_error_that_names_it(name, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "llama", "eos_token_id": 2}')
    engine = create(EngineParams(name=name), tmp_path)
    with pytest.raises(EngineError, match=str(tmp_path)):
        engine.load()
    with pytest.raises(EngineError, match="before load"):
        list(engine.generate([]))


def test_too_small_a_cache_names_the_key_that_mends_it(smollm2_dir):
    params = EngineParams(name="vllm", max_model_len=8192, kv_cache_gib=0.01)
    with pytest.raises(EngineError, match=r"raise engine\.kv_cache_gib"):
        create(params, smollm2_dir).load()


def test_what_vllm_refuses_is_said_with_the_reason(smollm2_dir):
    params = EngineParams(name="vllm", max_model_len=100_000)
    with pytest.raises(EngineError, match=r"max_model_len \(100000\) is greater than"):
        create(params, smollm2_dir).load()
