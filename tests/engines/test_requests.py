"""What a request's identity and seed depend on, and what they must not depend on."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from userturn.base.seeds import derive_seed
from userturn.engines.requests import Request, Sampling

REQUEST = Request("weights", (1, 2, 3), Sampling(0.7, 1.0, 64, (2,)), seed=5)


def test_id_is_stable_across_releases() -> None:
    # Stores and artifacts hold these ids: a change here makes every finished completion unknown.
    assert REQUEST.id == "556b03b71982db9016f5a46d965c15c7"


def test_a_request_without_a_schema_has_the_id_of_before_there_were_schemas() -> None:
    free = replace(REQUEST, sampling=replace(REQUEST.sampling, json_schema=None))
    assert free.id == REQUEST.id == "556b03b71982db9016f5a46d965c15c7"


def test_every_field_changes_the_id() -> None:
    others = [
        replace(REQUEST, weights="other"),
        replace(REQUEST, context=(1, 2)),
        replace(REQUEST, seed=6),
        *(
            replace(REQUEST, sampling=replace(REQUEST.sampling, **{name: value}))
            for name, value in {
                "temperature": 0.8,
                "top_p": 0.9,
                "max_tokens": 63,
                "stop_ids": (2, 3),
                "json_schema": "{}",
            }.items()
        ),
    ]
    ids = {request.id for request in [REQUEST, *others]}
    assert len(ids) == len(others) + 1


rows = st.tuples(
    st.integers(0, 9), st.text(), st.text(), st.text(), st.floats(0.01, 5), st.integers(0, 99)
)


@given(rows, rows)
def test_different_rows_get_different_seeds(left: tuple, right: tuple) -> None:
    assert 0 <= derive_seed(*left) < 2**32
    assert (derive_seed(*left) == derive_seed(*right)) == (left == right)


@given(rows, rows)
def test_greedy_rows_share_the_seed_zero(left: tuple, right: tuple) -> None:
    greedy = [derive_seed(*row[:4], 0.0, row[5]) for row in (left, right)]
    assert greedy == [0, 0]
