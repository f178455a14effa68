"""Ends are facts: how generated ids become a completion, and which requests are refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from userturn.base.errors import EngineError
from userturn.engines.base import (
    ScoreRequest,
    check_fits,
    check_scores_fit,
    finish,
    steps,
)
from userturn.engines.folder import eos_ids
from userturn.engines.requests import Completion, Request, Sampling

EOS = frozenset({2})


def sampling(max_tokens: int = 4, stop_ids: tuple[int, ...] = (1, 2)) -> Sampling:
    return Sampling(0.0, 1.0, max_tokens, stop_ids)


@pytest.mark.parametrize(
    ("generated", "completion"),
    [
        ([7, 8, 2], Completion((7, 8), "eos", 2)),
        ([7, 1], Completion((7,), "stop_token", 1)),
        ([2], Completion((), "eos", 2)),
        ([7, 8, 9, 7, 2], Completion((7, 8, 9, 7), "eos", 2)),  # ends exactly at the limit
        ([7, 8, 9, 7, 8], Completion((7, 8, 9, 7), "length", None)),
        ([7, 8, 9, 7], Completion((7, 8, 9, 7), "length", None)),  # no place for one more
    ],
)
def test_finish(generated, completion):
    assert finish(generated, sampling(), EOS) == completion


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 12))
def test_a_completion_keeps_no_ending_token_and_no_more_than_the_limit(generated, limit):
    completion = finish(generated, sampling(limit, (1, 2)), EOS)
    kept = len(completion.token_ids)
    assert kept <= limit
    assert completion.token_ids == tuple(generated[:kept])
    assert not {1, 2} & set(completion.token_ids)
    assert (completion.stop_id is None) == (completion.end == "length")
    if completion.stop_id is not None:
        assert generated[kept] == completion.stop_id


def test_one_token_more_than_the_limit_is_generated_where_it_fits():
    request = Request("w", (5,) * 10, sampling(4), 0)
    assert steps(request, max_model_len=100) == 5
    assert steps(request, max_model_len=14) == 4


@pytest.mark.parametrize(
    ("files", "ids"),
    [
        ({"generation_config.json": {"eos_token_id": [3, 5]}, "config.json": {}}, {3, 5}),
        ({"generation_config.json": {}, "config.json": {"eos_token_id": 2}}, {2}),
        ({"config.json": {"text_config": {"eos_token_id": 4}}}, {4}),
        ({"config.json": {}}, set()),
    ],
)
def test_eos_ids(tmp_path, files, ids):
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    assert eos_ids(tmp_path) == ids


def test_eos_ids_of_a_folder_that_is_no_model(tmp_path):
    with pytest.raises(EngineError, match=r"config\.json.*Hugging Face model folder"):
        eos_ids(tmp_path)


def test_requests_that_do_not_fit_are_named():
    fits = Request("w", (5,) * 10, sampling(4), 0)
    check_fits([fits], 14)
    with pytest.raises(EngineError, match=f"{fits.id}.*max_model_len 13"):
        check_fits([fits], 13)
    scores = ScoreRequest((5,) * 10, ((1, 2, 3), (1,)))
    check_scores_fit([scores], 13)
    with pytest.raises(EngineError, match=r"score request 1: .* 13 tokens"):
        check_scores_fit([ScoreRequest((5,), ((1,),)), scores], 12)
