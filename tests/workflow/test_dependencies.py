"""What `dvc.yaml` says a stage's code is follows from the imports of that code."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from userturn import stages
from userturn.workflow.dependencies import PACKAGE, code_of, fixed

ROOT = Path(__file__).parents[2]
GRAPH = (ROOT / "dvc.yaml").read_text()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package."""
    ignore = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(PACKAGE, tmp_path / "userturn", ignore=ignore))


def listed(graph: str, stage: str) -> list[str]:
    """The code that a `dvc.yaml` lists for a stage."""
    block = re.search(rf"(?ms)^  {stage}:$(.*?)(?=^  \w+:$|\Z)", graph)
    assert block
    return re.findall(r"(?m)^      - (src/userturn/.*)$", block[1])


def test_the_graph_lists_what_its_stages_import() -> None:
    assert fixed(GRAPH) == GRAPH, "run `make deps`"
    for stage in stages.ORDER:
        assert listed(GRAPH, stage) == code_of(stage)
        assert f"src/userturn/stages/{stage}.py" in code_of(stage)


@pytest.mark.parametrize("indent", ["", "def later():\n    "], ids=["at the top", "in a function"])
def test_an_added_import_is_a_difference_until_it_is_written(package: Path, indent: str) -> None:
    with (package / "stages" / "weights.py").open("a") as file:
        file.write(f"\n{indent}from userturn.tables import checks\n")
    after = fixed(GRAPH, package)
    assert after != GRAPH
    added = set(listed(after, "weights")) - set(listed(GRAPH, "weights"))
    assert "src/userturn/tables" in added
    assert fixed(after, package) == after
    for stage in set(stages.ORDER) - {"weights"}:
        assert listed(after, stage) == listed(GRAPH, stage)


def test_imports_for_types_alone_and_machinery_are_left_out(package: Path) -> None:
    with (package / "stages" / "weights.py").open("a") as file:
        file.write("\nfrom userturn.engines import fake\nfrom userturn.store import completions\n")
        file.write("from typing import TYPE_CHECKING\n")
        file.write("if TYPE_CHECKING:\n    from userturn.tables import checks\n")
    assert fixed(GRAPH, package) == GRAPH


def make_room(package: Path) -> None:
    """A room with two things, one of which imports from elsewhere."""
    room = package / "rooms" / "kinds"
    room.mkdir(parents=True)
    (room.parent / "__init__.py").write_text('"""Rooms."""\n')
    (room / "__init__.py").write_text('"""Kinds."""\n')
    (room / "first.py").write_text("THING = 1\n")
    (room / "second.py").write_text("from userturn.tables import checks\n\nTHING = 2\n")


BASE = "from userturn.base import registry"


@pytest.mark.parametrize(
    "code",
    [
        "from userturn.base.registry import load\nload('rooms.kinds', name, 'THING')",
        "from userturn.base.registry import load_all as every\nevery('rooms.kinds', 'THING')",
        f"{BASE}\nregistry.load_all('rooms.kinds', 'THING')",
        f"{BASE}\nROOM = 'rooms.kinds'\nregistry.load(ROOM, 'a', 'THING')",
        f"def f():\n    {BASE} as r\n    return r.load('rooms.kinds', 'a', 'b')",
    ],
)
def test_who_loads_from_a_room_depends_on_all_of_it(package: Path, code: str) -> None:
    make_room(package)
    with (package / "stages" / "weights.py").open("a") as file:
        file.write(f"\n{code}\n")
    assert {"src/userturn/rooms/kinds", "src/userturn/tables"} <= set(code_of("weights", package))


def test_who_asks_for_names_runs_no_module(package: Path) -> None:
    make_room(package)
    with (package / "stages" / "weights.py").open("a") as file:
        file.write("\nfrom userturn.base.registry import names\nnames('rooms.kinds')\n")
    assert code_of("weights", package) == code_of("weights")


def test_a_room_that_nobody_can_tell_is_refused(package: Path) -> None:
    with (package / "stages" / "weights.py").open("a") as file:
        file.write(
            "\nfrom userturn.base import registry\ndef f(room):\n    registry.load_all(room)\n"
        )
    with pytest.raises(ValueError, match=r"userturn\.stages\.weights, line \d+: name the room"):
        code_of("weights", package)
