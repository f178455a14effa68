"""Task accuracy: the published verifiers' verdicts, and what is not scored says why."""

import json
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from userturn.prompts.collect import collect
from userturn.prompts.records import read_rows
from userturn.verifiers import Score, math, score

DATA = Path(os.environ.get("USERTURN_DATA", Path(__file__).resolve().parents[3] / "shared/data"))
RIGHT, WRONG = Score(1.0, 1.0), Score(0.0, 0.0)


def instruction(name, prompt="Do it.", **arguments):
    return json.dumps({"prompt": prompt, "instruction_id_list": [name], "kwargs": [arguments]})


def test_what_has_no_verifier_or_no_answer_is_not_scored():
    assert score(None, None, "Hi") == Score(None, None, "conversation: no published verifier")
    assert score("math", '"1"', None) == Score(None, None, "no answer")
    assert score("math", None, "1") == Score(None, None, "math: no target")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("So it is light.\n\nAnswer: B", RIGHT),
        ("answer:$b$", RIGHT),
        ("Answer: C", WRONG),
        ("It is B.", WRONG),
        ("", WRONG),
    ],
)
def test_multiple_choice(text, expected):
    assert score("choice", '"B"', text) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "text", "expected"),
    [
        ("18", "She makes 9 * 2 = 18 dollars. The answer is 18.", RIGHT),
        ("18", "First 18, then one more: 19", WRONG),
        ("1,200", r"So it is \boxed{1200}.", RIGHT),
        ("9281.25", "That is $9,281.25", RIGHT),
        (r"\frac{1}{2}", "The answer is 0.5", RIGHT),
        (r"\left( 3, \frac{\pi}{2} \right)", r"$\boxed{(3, \pi/2)}$", RIGHT),
        (r"\text{Evelyn}", r"\boxed{\text{Evelyn}}", RIGHT),
        ("18", "I do not know.", WRONG),
        ("18", "", WRONG),
        ("18", r"\frac{" * 2000, WRONG),
        ("", "5", Score(None, None, "math: the target '' cannot be parsed")),
    ],
)
def test_mathematics(target, text, expected):
    assert score("math", json.dumps(target), text) == expected


@pytest.mark.slow
def test_mathematics_without_verdict_in_time_is_not_wrong(monkeypatch):
    monkeypatch.setattr(math, "SECONDS", 1)
    found = score("math", '"18"', r"\boxed{9^{9^{9^{9}}}}")
    assert found == Score(None, None, "math: no verdict within 1 s")


@pytest.mark.slow
def test_mathematics_works_outside_the_main_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(score("math", '"18"', "it is 18")))
    thread.start()
    thread.join()
    assert found == [RIGHT]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verifier", "target", "text", "expected"),
    [
        ("ifeval", instruction("punctuation:no_comma"), "No comma here.", RIGHT),
        ("ifeval", instruction("punctuation:no_comma"), "A comma, here.", WRONG),
        ("ifeval", instruction("punctuation:no_comma"), "Sure, here:\nNone.", Score(0.0, 1.0)),
        ("ifeval", instruction("punctuation:no_comma"), "", WRONG),
        (
            "ifeval",
            instruction("language:response_language", language="de"),
            "Das ist ein ganz gewöhnlicher deutscher Satz.",
            RIGHT,
        ),
        (
            "ifbench",
            instruction("count:numbers", N=2),
            "There are 3 cats and 4 dogs.",
            RIGHT,
        ),
        (
            "ifbench",
            instruction("words:start_verb"),
            "Run now.",
            Score(None, None, "ifbench: the checker needs NLTK's averaged_perceptron_tagger_eng"),
        ),
        (
            "ifbench",
            instruction("no:such"),
            "x",
            Score(None, None, "ifbench: no checker for no:such"),
        ),
    ],
)
def test_instructions(verifier, target, text, expected):
    assert score(verifier, target, text) == expected


@pytest.mark.slow
def test_a_checker_that_breaks_gives_no_score():
    found = score("ifeval", instruction("punctuation:no_comma", wrong=1), "x")
    assert found == Score(None, None, "ifeval: the checker failed (TypeError)")


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason=f"published datasets are not at {DATA}")
@pytest.mark.parametrize(
    ("kind", "name", "scored"),
    [("ifeval", "ifeval/input_data.jsonl", 541), ("ifbench", "ifbench/IFBench_test.jsonl", 294)],
)
def test_published_prompts_are_scored_the_same_whatever_the_random_state(kind, name, scored):
    text = "Here is my answer. It has two sentences!\n\n* one\n* two\nGoodbye, 12 friends."

    def scores(seed):
        random.seed(seed)
        return [score(kind, prompt.target, text) for prompt in found]

    found = collect(read_rows(DATA / name), kind, kind)
    once = scores(0)
    assert sum(one.strict is not None for one in once) == scored
    assert all((one.strict is None) == (one.unscored is not None) for one in once)
    assert scores(1) == once
    after = random.random()
    random.seed(1)
    assert after == random.random()  # scoring left the caller's random state alone


@pytest.mark.slow
def test_checkers_never_ask_nltk_for_a_download():
    script = (
        "import nltk; nltk.download = lambda *a, **k: print('DOWNLOAD', a)\n"
        "from userturn.verifiers import _instructions; "
        "print(len(_instructions.checkers('ifbench')[0]) > 50)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr
    assert "nltk_data" not in done.stderr
