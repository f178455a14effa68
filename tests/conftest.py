"""Fixtures that every test may use."""

from pathlib import Path

import pytest

from userturn.params import Study, load_study

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def laptop() -> Study:
    """The laptop study."""
    return load_study(ROOT / "studies/laptop.yaml")
