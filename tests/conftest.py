"""Fixtures that every test may use."""

from pathlib import Path

import pytest
from hypothesis import settings

from userturn.models import weights
from userturn.study.loading import load_study
from userturn.study.study import Study

ROOT = Path(__file__).parents[1]

# On a busy machine any example may take long: what is slow is a matter for benchmarks.
settings.register_profile("any speed", deadline=None)
settings.load_profile("any speed")


@pytest.fixture(scope="session")
def laptop() -> Study:
    """The laptop study."""
    return load_study(ROOT / "studies/laptop.yaml")


@pytest.fixture(scope="session")
def smollm2_dir() -> Path:
    """The laptop model as a Hugging Face directory, the same that `make` uses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        entry = load_study(ROOT / "studies/laptop.yaml").model["smollm2_135m"]
        folder, _ = weights.make(entry, "smollm2_135m")
    return ROOT / folder
