"""What an edit of the code makes stale, by the dependencies that are derived from imports."""

from pathlib import Path

import pytest
import yaml

from userturn import stages
from userturn.workflow.dependencies import code_of

GRAPH = yaml.safe_load((Path(__file__).parents[2] / "dvc.yaml").read_text())["stages"]


def affected(folder: str) -> set[str]:
    """Stages that run code of a folder, and those behind them whose inputs would change."""
    code = f"src/userturn/{folder}"
    stale = {
        name
        for name in stages.ORDER
        if any(code == unit or code.startswith(f"{unit}/") for unit in code_of(name))
    }
    for name in stages.ORDER:
        made = {out.split("/")[1] for before in stale for out in GRAPH[before]["outs"]}
        if any(dep.startswith(f"data/{kind}") for dep in GRAPH[name]["deps"] for kind in made):
            stale.add(name)
    return stale | ({"figures", "report"} if "tables" in stale else set())


@pytest.mark.parametrize(
    ("folder", "stale"),
    [
        ("verifiers", {"score", "tables", "figures", "report"}),
        ("prompts/kinds", set(stages.ORDER) - {"entries", "weights"}),
        ("judges/kinds", {"classify", "human", "tables", "figures", "report"}),
        ("tables", {"tables", "figures", "report"}),
    ],
)
def test_an_edit_makes_stale_what_it_can_change(folder: str, stale: set[str]) -> None:
    assert affected(folder) == stale


@pytest.mark.parametrize("stage", ["prompts", "weights", "generate", "score"])
def test_one_perturbation_makes_no_answer_stale(stage: str) -> None:
    assert stage not in affected("perturbations")


def test_the_stages_that_verifiers_and_readers_reach() -> None:
    for name in stages.ORDER:
        code = code_of(name)
        assert ("src/userturn/verifiers" in code) == (name == "score")
        assert ("src/userturn/prompts/kinds" in code) == (name in ("prompts", "calibrate"))
