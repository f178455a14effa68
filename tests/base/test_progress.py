"""Progress without a terminal: a line now and then, and none that is wrong."""

import re
import time

import pytest

from userturn.base import progress as shown
from userturn.base.progress import progress


def test_a_long_silence_is_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shown, "SECONDS_OF_SILENCE", 0.1)
    with progress("ground@m: likelihoods", 3, "likelihoods") as advance:
        time.sleep(0.3)  # a model loads
        advance(5)
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"ground@m: likelihoods: 0/3, at work for \d+ s", lines[0])


def test_the_time_left_does_not_count_the_time_of_loading(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shown, "SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr(shown, "SECONDS_OF_A_RATE", 0.01)
    with progress("generate@m: answers", 3, "answers") as advance:
        time.sleep(0.5)
        advance(100)
        time.sleep(0.02)
        advance(10)
        advance(10)
    first, second, third = capsys.readouterr().err.splitlines()
    assert first == "generate@m: answers: 1/3"
    assert re.fullmatch(
        r"generate@m: answers: 2/3, [\d.]+ answers/s, [\d,]+ tokens/s, 0 s left", second
    )
    assert third.startswith("generate@m: answers: 3/3 in ")


def test_a_batch_that_ends_all_at_once_has_no_rate(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("generate@m: answers", 2, "answers") as advance:
        advance(100)
        advance(100)
    assert capsys.readouterr().err == "generate@m: answers: 2/2 in 0 s\n"


def test_no_work_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("generate@m: answers", 0, "answers"):
        pass
    assert capsys.readouterr().err == ""
