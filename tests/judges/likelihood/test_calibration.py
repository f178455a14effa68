import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from userturn.base.errors import ArtifactError
from userturn.judges.likelihood import calibration
from userturn.judges.likelihood.calibration import Calibration, Scale
from userturn.judges.likelihood.evidence import Evidence
from userturn.study.classify import SHIPPED_CALIBRATION

PLAIN = Calibration(
    role_voice=0.0,
    least=0.5,
    intercept=-1.0,
    measures={"relevance": Scale(mean=2.0, sd=4.0), "echo": Scale(mean=0.5, sd=0.25)},
    weights={"relevance": 0.5, "relevance * echo": 2.0, "echo * echo": -1.0},
    origin={"sets": ["x"]},
)


def evidence(relevance=0.0, echo=0.0, text="Why is it so?", tokens=4):
    return Evidence(text, "eos", "a", tokens, 0.0, 0.0, relevance, 0.0, echo, 0.0)


@given(st.floats(-50, 50), st.floats(0, 1))
def test_the_probability_is_the_written_formula(relevance, echo):
    r, e = (relevance - 2) / 4, (echo - 0.5) / 0.25
    expected = 1 / (1 + math.exp(-(-1 + 0.5 * r + 2 * r * e - e * e)))
    assert PLAIN.probability(evidence(relevance, echo)) == pytest.approx(expected)


@given(st.floats(-1e300, 1e300))
def test_no_measure_is_too_large_for_a_probability(relevance):
    assert 0 <= PLAIN.probability(evidence(relevance)) <= 1


def test_a_turn_refers_back_by_a_pronoun():
    assert evidence(text="Why is it so?").inputs()["refers_back"] == 1
    assert evidence(text="Why is rain wet?").inputs()["refers_back"] == 0


def test_a_file_reads_back_as_what_was_written(tmp_path):
    PLAIN.write(tmp_path / "c.json")
    assert calibration.read(tmp_path / "c.json") == PLAIN


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": {"charm": 1.0}}, "'charm' names"),
        ({"least": 2}, "least"),
        ({"measures": {"echo": {"mean": 0, "sd": 0}}}, "measures.echo.sd"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_file_that_is_no_calibration_says_what_is_wrong(tmp_path, change, message):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(PLAIN.model_dump() | change))
    with pytest.raises(ArtifactError, match=rf"c\.json.*{message}.*dvc repro calibrate"):
        calibration.read(path)


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(ArtifactError, match="does not exist; run `dvc repro calibrate`"):
        calibration.read(tmp_path / "c.json")


def test_the_shipped_file_is_found_and_names_its_origin():
    assert str(calibration.SHIPPED).endswith(SHIPPED_CALIBRATION)
    shipped = calibration.read(calibration.SHIPPED)
    assert shipped.origin["followups"] > 500
    assert len(shipped.origin["sets"]) > 5
    assert {"relevance", "grounding", "role_voice"} <= set(shipped.measures)
