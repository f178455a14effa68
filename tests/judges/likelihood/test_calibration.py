"""The fitted file: what it says is what is written in it."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from userturn.artifacts.labels import Label
from userturn.base.errors import ArtifactError
from userturn.judges.likelihood import calibration, inputs
from userturn.judges.likelihood.calibration import Calibration, HeldOut, Split
from userturn.judges.likelihood.evidence import CONTEXTS, Evidence
from userturn.judges.likelihood.judge import Verdict, judge
from userturn.study.classify import SHIPPED_CALIBRATION

UPTAKE = {"if": "uptake", "at_most": 0.5, "then": -1.0, "else": 1.5}
PLAIN = Calibration.model_validate(
    {
        "least": 0.6,
        "start": {"followup": 0.1, "unrelated": 0.2, "generic": -0.3},
        "trees": {
            "followup": [
                UPTAKE,
                {"if": "echo", "at_most": 0.2, "then": UPTAKE, "else": 0.25},
            ],
            "unrelated": [{"if": "echo", "at_most": 0.1, "then": 0.5, "else": 0.0}],
            "generic": [],
        },
        "origin": {"sets": ["x"]},
        "held_out": [
            HeldOut(
                set="x", prompt="1", followup=True, labelled=False, probability=0.25,
                temperature=0.7, condition="base",
            )
        ],
    }
)  # fmt: skip


@given(st.floats(-5, 5), st.floats(0, 1))
def test_probabilities_are_those_of_the_written_trees(uptake, echo):
    leaf = -1.0 if uptake <= 0.5 else 1.5
    scores = [
        0.1 + leaf + (leaf if echo <= 0.2 else 0.25),
        0.2 + (0.5 if echo <= 0.1 else 0.0),
        -0.3,
    ]
    total = sum(map(math.exp, scores))
    p = PLAIN.probabilities({"uptake": uptake, "echo": echo})
    assert list(p.values()) == pytest.approx([math.exp(score) / total for score in scores])
    assert sum(p.values()) == pytest.approx(1)


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_follow_up_is_likely_enough_and_else_the_likeliest_other_label(p, share):
    chances = {Label.FOLLOWUP: p, Label.GENERIC: (1 - p) * share}
    chances[Label.UNRELATED] = (1 - p) * (1 - share)
    label = PLAIN.decide(chances)
    assert (label is Label.FOLLOWUP) == (p >= 0.6)
    if label is not Label.FOLLOWUP:
        assert chances[label] == max(chances[Label.GENERIC], chances[Label.UNRELATED])


def test_a_file_reads_back_as_what_was_written_and_holds_a_line_per_tree(tmp_path):
    PLAIN.write(tmp_path / "c.json")
    assert calibration.read(tmp_path / "c.json") == PLAIN
    text = (tmp_path / "c.json").read_text()
    assert json.dumps(UPTAKE) + ",\n" in text
    assert isinstance(PLAIN.trees[Label.FOLLOWUP][0], Split)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"least": 2}, "least"),
        ({"version": 1}, "version"),
        ({"trees": {"charm": []}}, "trees"),
        ({"trees": {"followup": [{"if": "uptake"}]}}, "trees"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_file_that_is_no_calibration_says_what_is_wrong(tmp_path, change, message):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(PLAIN.model_dump(mode="json", by_alias=True) | change))
    with pytest.raises(ArtifactError, match=rf"c\.json.*{message}.*dvc repro calibrate"):
        calibration.read(path)


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(ArtifactError, match="does not exist; run `dvc repro calibrate`"):
        calibration.read(tmp_path / "c.json")


def asked(tree):
    if isinstance(tree, Split):
        yield tree.input
        yield from asked(tree.then)
        yield from asked(tree.otherwise)


def test_the_shipped_file_asks_for_what_there_is_and_names_its_origin():
    assert str(calibration.SHIPPED).endswith(SHIPPED_CALIBRATION)
    shipped = calibration.read(calibration.SHIPPED)
    assert shipped.origin["turns"] == len(shipped.held_out) == 750
    assert shipped.origin["followups"] == sum(one.followup for one in shipped.held_out)
    names = {name for trees in shipped.trees.values() for tree in trees for name in asked(tree)}
    tokens = dict.fromkeys(CONTEXTS, (-1.0,))
    assert names <= set(inputs.inputs(Evidence("Why?", "eos", "q", "a", ("Why?",), tokens)))
    assert {"uptake_content", "role_voice", "relevance"} <= names


def test_the_shipped_judge_agrees_with_readers_on_turns_that_it_was_not_fitted_on():
    """The aims of the judge, by fits without each turn's prompt, on turns that models wrote."""
    written = [one for one in calibration.read(calibration.SHIPPED).held_out if one.condition]
    called = [one.followup for one in written if one.labelled]
    assert sum(called) / len(called) >= 0.8
    assert sum(called) / sum(one.followup for one in written) >= 0.6


QUERY, ANSWER = "How do I keep basil alive?", "Pinch off the flowers."
PIECES = ("Why", " pinch", "?")


def evidence(text="Why pinch?", own=(-1.0, -1.0, -1.0)):
    behind = {"own": own, "neutral": (-1.0, -9.0, -1.5)} | dict.fromkeys(
        ("alone", "assistant"), (-2.0, -2.0, -2.0)
    )
    return Evidence(text, "eos", QUERY, ANSWER, PIECES, behind)


def test_a_label_says_what_gave_it():
    said = judge(evidence(), PLAIN)
    assert said.label is Label.FOLLOWUP
    assert said.reason == f"p(followup) {said.probability:.2f}; the answer explains: pinch"
    said = judge(evidence(own=(-1.0, -9.0, -1.5)), PLAIN)
    assert said.label is Label.UNRELATED
    assert said.reason == f"p(followup) {said.probability:.2f}"
    rule = Verdict(Label.GENERIC, 0.0, "a closing without content")
    assert judge(Evidence("Thanks!", "eos", QUERY, ANSWER), PLAIN) == rule
    asked = ANSWER + " Shall I go on?"
    assert judge(Evidence("Yes, please.", "eos", QUERY, asked), PLAIN).probability == 1.0


def test_without_likelihoods_only_rules_give_labels():
    said = judge(Evidence("Why pinch?", "eos", QUERY, ANSWER), PLAIN)
    assert (said.label, said.probability) == (None, None)
    assert "not scored" in said.reason
