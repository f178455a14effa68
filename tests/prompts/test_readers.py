"""Readers: what each kind of dataset becomes, and what is said about input that is no dataset."""

import json
import os
from pathlib import Path

import pytest

from userturn.base import registry
from userturn.base.errors import PromptError
from userturn.prompts.collect import collect
from userturn.prompts.kinds import gsm_symbolic
from userturn.prompts.records import read_rows

DATA = Path(os.environ.get("USERTURN_DATA", Path(__file__).resolve().parents[3] / "shared/data"))


def user(text):
    return {"role": "user", "content": text}


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
    "jsonl": (
        {"id": "mine", "prompt": "Hi", "reference": "Hello", "note": 1},
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


@pytest.mark.parametrize("kind", ["healthbench", "coval"])
def test_conversations_of_more_turns_are_left_out_and_counted(kind, tmp_path, capsys):
    def record(name, *messages):
        held = list(messages) if kind == "healthbench" else {"messages": list(messages)}
        return {"prompt_id": name, "prompt": held}

    reply = {"role": "assistant", "content": "Where?"}
    path = written(
        tmp_path,
        record("one", user("It hurts.")),
        record("three", user("It hurts."), reply, user("Here.")),
        record("system", {"role": "system", "content": "Be kind."}, user("Ow.")),
    )
    assert [prompt.item for prompt in collect(read_rows(path), kind, "x")] == ["one", "system"]
    assert "1 of 3 items are no single user message: left out" in capsys.readouterr().err


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
