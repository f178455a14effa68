import math
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from userturn import artifacts
from userturn.artifacts.turns import read_turns
from userturn.base import paths
from userturn.base.errors import ArtifactError
from userturn.chat.roles import Chat
from userturn.engines.base import ScoreRequest
from userturn.engines.transformers import TransformersEngine
from userturn.measures.grounding import (
    Ring,
    Turn,
    measure,
    plan,
    row,
)
from userturn.models import weights
from userturn.stages.ground import run
from userturn.study.classify import Ground
from userturn.study.loading import load_study
from userturn.study.models import EngineParams

STUDY = Path(__file__).parents[2] / "studies/laptop.yaml"
SLUG = "smollm2_135m"
CONVERSATIONS = {
    "0": (
        "How do I keep basil alive on a balcony?",
        "Give it six hours of sun, water it when the soil is dry, and pinch off the flowers.",
        "How often should I pinch off the flowers?",
    ),
    "1": (
        "Who wrote Middlemarch?",
        "George Eliot, the pen name of Mary Ann Evans, wrote Middlemarch in 1871.",
        "Why did Mary Ann Evans take a pen name?",
    ),
    "2": (
        "What does HTTP status 418 mean?",
        "It says that the server is a teapot; it began as an April Fools' joke in 1998.",
        "Does any real server send the teapot joke?",
    ),
    "3": (
        "Name a planet with rings.",
        "Saturn has the brightest rings, made of ice and dust.",
        "How thick are rings made of ice?",
    ),
}


def turn(item="0", condition="base", text="Why?", tokens=(7, 8), own=None, shown=None, sample=0):
    query, answer, _ = CONVERSATIONS[item]
    own = answer if own is None else own
    return Turn(("d", item, condition, 0.0, sample), query, shown or own, own, text, tuple(tokens))


class Spelling:
    """A stand-in for roles.Chat: an id per character; `1` opens a user turn, `2` an answer."""

    def user_context(self, query: str, answer: str, mode: str) -> tuple[int, ...]:
        return (*self.encode_content(query + "/" + answer), 0, 1)

    def assistant_context(self, query: str, answer: str, mode: str) -> tuple[int, ...]:
        return (*self.encode_content(query + "/" + answer), 0, 2)

    def encode_content(self, text: str) -> tuple[int, ...]:
        return tuple(map(ord, text))


class Scorer:
    """Gives every token a log-probability that depends on the whole sequence in front of it."""

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[list[list[float]]]:
        for request in requests:
            yield [
                [self.log_p(request.context + target[:at], target[at]) for at in range(len(target))]
                for target in request.targets
            ]

    @staticmethod
    def log_p(before: tuple[int, ...], token: int) -> float:
        return -1 - (hash((before, token)) % 1000) / 250


def expected(
    one: Turn, other_answers: Sequence[str], elsewhere: Sequence[str]
) -> tuple[float, float, float]:
    """G, V and C straight from their definition."""
    chat = Spelling()

    def log_p(context: tuple[int, ...]) -> float:
        return sum(
            Scorer.log_p(context + one.tokens[:at], token) for at, token in enumerate(one.tokens)
        )

    own = log_p(chat.user_context(one.query, one.own, "history"))
    swapped = [log_p(chat.user_context(one.query, other, "history")) for other in other_answers]
    voice = own - log_p(chat.assistant_context(one.query, one.own, "history"))
    size = len(one.tokens)
    moved = [log_p(chat.user_context(*CONVERSATIONS[item][:2], "history")) for item in elsewhere]
    return (
        (own - sum(swapped) / len(swapped)) / size,
        voice / size,
        own - sum(moved) / len(moved),
    )


TOKENS = st.lists(st.integers(10, 200), min_size=1, max_size=6)


@given(st.lists(st.tuples(st.sampled_from("0123"), TOKENS), min_size=2, max_size=12), st.integers())
def test_measures_follow_their_definition(drawn, seed):
    turns = [turn(item, tokens=tokens, sample=n) for n, (item, tokens) in enumerate(drawn)]
    layout = plan(turns, Spelling(), "history", Ground(swaps=2, others=3), seed, None)
    pool = {("d", item): CONVERSATIONS[item][1] for item, _ in drawn}
    found = {one.key: measured for one, measured in measure(layout, Scorer())}
    assert set(found) == {one.key for one in turns}
    for one in turns:
        ring = Ring(pool, seed)
        others = ring.swapped(one.key[:2], 2, (one.own,))
        if not others:
            assert found[one.key].grounding is None
            assert found[one.key].relevance is None
            continue
        elsewhere = [item for _, item in islice(ring.others(one.key[:2], (one.own,)), 3)]
        grounding, voice, relevance = expected(one, others, elsewhere)
        assert found[one.key].relevance == pytest.approx(relevance)
        assert found[one.key].grounding == pytest.approx(grounding)
        assert found[one.key].role_voice == pytest.approx(voice)


def test_every_context_is_asked_for_once_however_many_turns_share_it():
    turns = [turn(item, tokens=(n, 9), sample=n) for item in "01" for n in range(5)]
    layout = plan(turns, Spelling(), "history", Ground(swaps=1, others=1), 0, None)
    contexts = [
        request.context for group in layout.groups for request in (group.own, *group.swapped)
    ]
    assert len(contexts) == len(set(contexts)) == 4
    assert set(layout.elsewhere) == {("d", "0"), ("d", "1")}
    assert {len(request.targets) for request in layout.requests} == {5, 10}


def test_equal_turns_are_scored_once():
    layout = plan(
        [turn(sample=n) for n in range(9)], Spelling(), "history", Ground(swaps=1), 0, None
    )
    assert len(layout.groups[0].turns) == 9
    assert len(layout.groups[0].targets) == 1


def test_swapped_answers_carry_the_same_perturbation():
    turns = [
        turn(item, condition, own=CONVERSATIONS[item][1] + tail, sample=n)
        for n, item in enumerate("0123")
        for condition, tail in (("base", ""), ("ask", " Shall I go on?"))
    ]
    layout = plan(turns, Spelling(), "history", Ground(swaps=3), 0, None)
    for group in layout.groups:
        endings = {
            "".join(map(chr, request.context[:-2])).endswith("?") for request in group.swapped
        }
        assert endings == {group.turns[0].key[2] == "ask"}


def test_under_swap_neither_the_own_nor_the_shown_answer_is_a_swap():
    shown = CONVERSATIONS["1"][1]
    turns = [turn(item, "swap", shown=shown) for item in "0123"]
    layout = plan(turns, Spelling(), "history", Ground(swaps=9), 0, None)
    first = layout.groups[0]
    assert "".join(map(chr, first.own.context)).endswith(CONVERSATIONS["0"][1] + "\0")
    texts = ["".join(map(chr, request.context)) for request in first.swapped]
    assert len(texts) == 2
    assert not any(shown in text or CONVERSATIONS["0"][1] in text for text in texts)


def test_empty_and_overlong_turns_keep_their_text_measures():
    long = turn("0", text="Why should I pinch off the flowers?", tokens=range(10, 60))
    turns = [long, turn("1"), turn("2", text=" ", tokens=())]
    layout = plan(turns, Spelling(), "history", Ground(swaps=1), 0, 150)
    assert layout.too_long == (long,)
    assert [one.key[1] for one in layout.unscored] == ["2"]
    assert [group.turns[0].key[1] for group in layout.groups] == ["1"]
    rows = [row(one, None) for one in (long, layout.unscored[0])]
    assert rows[0]["grounding"] is None
    assert rows[0]["echo"] > 0.5
    assert rows[1]["tokens"] == 0
    assert {rows[1][name] for name in ("grounding", "restatement", "loop")} == {None}


@given(st.integers(), st.integers(1, 9), st.dictionaries(st.text(), st.text(), max_size=12))
def test_swapped_answers_are_other_answers_in_a_stable_order(seed, swaps, found):
    answers = {("d", item): text for item, text in found.items()}
    answers |= {("e", "far"): "from afar", ("d", "me"): "own"}
    ring = Ring(answers, seed)
    taken = ring.swapped(("d", "me"), swaps, ("own",))
    more = ring.swapped(("d", "me"), swaps + 1, ("own",))
    assert taken == more[: len(taken)]
    assert "own" not in taken
    near = [text for (name, item), text in answers.items() if name == "d" and text != "own"]
    assert set(taken[: len(near)]) <= set(near)
    assert len(taken) == min(swaps, len(near) + 1)


@given(st.integers(), st.sets(st.text(), min_size=2, max_size=12), st.integers(1, 5))
def test_every_answer_is_swapped_in_equally_often(seed, items, swaps):
    ring = Ring({("d", item): item for item in items}, seed)
    taken = Counter(
        text for item in items for text in ring.swapped(("d", item), swaps, exclude=(item,))
    )
    assert set(taken.values()) == {min(swaps, len(items) - 1)}


# --- with the real model ------------------------------------------------------------------------


def write_inputs(folder: Path, chat: Chat) -> None:
    """Artifacts of one dataset with two turns per prompt and a `swap` control."""

    def put(kind: str, slug: str, rows: list[dict]) -> None:
        full = [{**dict.fromkeys(artifacts.SCHEMAS[kind]), **entry} for entry in rows]
        artifacts.write(folder / paths.artifact(kind, slug), kind, full, {})

    def said(item: str, condition: str, text: str, sample: int) -> dict:
        ids = list(chat.encode_content(text))
        common = {"dataset": "mt_bench", "item": item, "condition": condition, "temperature": 0.7}
        done = {"request_id": "0", "text": text, "token_ids": ids, "end": "eos"}
        return {**common, "sample": sample, **done}

    prompts, answers, turns, controls = [], [], [], []
    items = list(CONVERSATIONS)
    for at, (item, (query, answer, follow_up)) in enumerate(CONVERSATIONS.items()):
        other = items[(at + 1) % len(items)]
        key = {"dataset": "mt_bench", "item": item}
        prompts.append({**key, "order": at, "text": query})
        answers.append({**key, "text": answer})
        turns += [said(item, "base", follow_up, 0), said(item, "base", CONVERSATIONS[other][2], 1)]
        shown = CONVERSATIONS[other][1]
        controls.append({**said(item, "swap", CONVERSATIONS[other][2], 0), "answer": shown})
    empty = said("0", "base", "", 2)
    nothing = dict.fromkeys(("request_id", "text", "token_ids", "end"))
    skipped = {**said("0", "base", "", 3), **nothing, "skipped": "too long"}
    put("prompts", "mt_bench", prompts)
    put("answers", SLUG, answers)
    put("user_turns", SLUG, [*turns, empty, skipped])
    put("controls", SLUG, controls)


@pytest.fixture
def laptop(tmp_path, monkeypatch, smollm2_dir):
    study = load_study(STUDY)
    study = study.model_copy(
        update={
            "prompts": study.prompts.model_copy(update={"datasets": ["mt_bench"]}),
            "ground": study.ground.model_copy(update={"swaps": 2}),
        }
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(weights, "materialise", lambda study, slug: smollm2_dir)
    monkeypatch.setattr(weights, "identity", lambda study, slug: "smollm2/float32")
    write_inputs(tmp_path, Chat.load(smollm2_dir, study.model[SLUG].chat))
    return study


@pytest.mark.slow
def test_measures_agree_with_full_forward_passes(laptop, smollm2_dir):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    run(laptop, SLUG)
    frame = artifacts.read(paths.artifact("grounding", SLUG), "grounding")
    rows = {(r["item"], r["condition"], r["sample"]): r for r in frame.iter_rows(named=True)}

    tokenizer = AutoTokenizer.from_pretrained(smollm2_dir)
    model = AutoModelForCausalLM.from_pretrained(smollm2_dir, dtype=torch.float32).eval()

    def log_p(query: str, answer: str, role: str, said: str) -> float:
        """Sum over the turn's tokens, ChatML written out, one forward pass over everything."""
        messages = [
            {"role": "user", "content": query},
            {"role": "assistant", "content": answer},
        ]
        head = tokenizer.apply_chat_template(messages, tokenize=False) + f"<|im_start|>{role}\n"
        context = tokenizer(head)["input_ids"]
        target = tokenizer(said)["input_ids"]
        with torch.inference_mode():
            logits = model(torch.tensor([context + target])).logits[0].log_softmax(-1)
        places = range(len(context) - 1, len(context) + len(target) - 1)
        return math.fsum(float(logits[at, token]) for at, token in zip(places, target, strict=True))

    pool = {("mt_bench", item): CONVERSATIONS[item][1] for item in CONVERSATIONS}
    ring, others = Ring(pool, laptop.seed), laptop.ground.others
    items = list(CONVERSATIONS)
    for (item, condition, sample), found in rows.items():
        if sample > 1:
            assert found["grounding"] is None
            continue
        query, answer, _ = CONVERSATIONS[item]
        other = items[(items.index(item) + 1) % len(items)]
        said = CONVERSATIONS[item if (condition, sample) == ("base", 0) else other][2]
        shown = CONVERSATIONS[other][1] if condition == "swap" else answer
        swaps = ring.swapped(("mt_bench", item), 2, (answer, shown))
        size = found["tokens"]
        own = log_p(query, answer, "user", said)
        behind = [log_p(query, swap, "user", said) for swap in swaps]
        assert len(behind) == 2
        assert found["log_p"] / size == pytest.approx(own / size, abs=1e-3)
        grounding = (own - sum(behind) / len(behind)) / size
        assert found["grounding"] == pytest.approx(grounding, abs=1e-3)
        elsewhere = [
            log_p(*CONVERSATIONS[other][:2], "user", said)
            for _, other in islice(ring.others(("mt_bench", item), (answer, shown)), others)
        ]
        assert len(elsewhere) >= 2
        relevance = own - sum(elsewhere) / len(elsewhere)
        assert found["relevance"] / size == pytest.approx(relevance / size, abs=1e-3)
        voice = (own - log_p(query, answer, "assistant", said)) / size
        assert found["role_voice"] == pytest.approx(voice, abs=1e-3)


@pytest.mark.slow
def test_a_turn_is_grounded_in_its_own_answer_and_not_in_another(laptop):
    run(laptop, SLUG)
    frame = artifacts.read(paths.artifact("grounding", SLUG), "grounding")
    by_kind: dict[tuple[str, int], list[float]] = {}
    relevance: dict[tuple[str, int], list[float]] = {}
    for found in frame.iter_rows(named=True):
        if found["grounding"] is not None:
            kind = found["condition"], found["sample"]
            by_kind.setdefault(kind, []).append(found["grounding"])
            relevance.setdefault(kind, []).append(found["relevance"])
    assert min(by_kind["base", 0]) > max(by_kind["base", 1])
    assert min(relevance["base", 0]) > max(relevance["base", 1])
    assert sum(by_kind["base", 0]) / 4 > 0.2
    # What follows the shown answer owes nothing to the prompt's own.
    assert sum(by_kind["swap", 0]) / 4 < 0.1


@pytest.mark.slow
def test_the_stage_writes_the_same_bytes_twice(laptop, monkeypatch):
    path = paths.artifact("grounding", SLUG)
    run(laptop, SLUG)
    first = path.read_bytes()
    shutil.rmtree(paths.completion_store("any").parent)
    run(laptop, SLUG)
    assert path.read_bytes() == first
    monkeypatch.setattr(TransformersEngine, "load", lambda _: pytest.fail("everything is stored"))
    run(laptop, SLUG)
    assert path.read_bytes() == first
    assert artifacts.read_provenance(path)["engine"]["engine"] == "transformers"


@pytest.mark.slow
def test_contexts_longer_than_the_scorer_takes_are_counted(laptop, capsys):
    short = EngineParams(name="transformers", max_model_len=24)
    laptop.model[SLUG] = laptop.model[SLUG].model_copy(update={"engine": short})
    run(laptop, SLUG)
    assert "12 of 14 turns have a context longer" in capsys.readouterr().err
    frame = artifacts.read(paths.artifact("grounding", SLUG), "grounding")
    assert frame["grounding"].null_count() == len(frame) == 14
    assert frame["restatement"].null_count() == 2


def test_a_turn_of_another_study_is_an_error(laptop):
    path = paths.artifact("prompts", "mt_bench")
    kept = [found for found in artifacts.read(path, "prompts").to_dicts() if found["item"] != "3"]
    artifacts.write(path, "prompts", kept, {})
    with pytest.raises(ArtifactError, match=r"item 3.*another study"):
        read_turns(laptop, SLUG)
