"""What is stale, how a trigger says so, and which --config is refused: without the real tools."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from userturn.base.errors import StudyError
from userturn.workflow.decision import (
    Stage,
    reasons,
    refuse_overrides,
    stale,
    write_triggers,
)


def stage(name: str, deps: list[str], outs: list[str], *changed: str) -> Stage:
    return Stage(name, {"cmd": name, "deps": deps, "params": {}, "outs": outs}, changed)


def test_stale_follows_files_and_folders() -> None:
    stages = [
        stage("tables", ["data/answers"], ["reports/tables"]),
        stage("generate@a", ["data/prompts"], ["data/answers/a.parquet"]),
        stage("generate@ab", ["data/other"], ["data/answers_ab.parquet"]),
        stage("prompts@x", [], ["data/prompts/x.parquet"], "seed modified"),
    ]
    assert stale(stages) == {"prompts@x", "generate@a", "tables"}
    assert stale(stages[:3]) == set()


def test_stale_stops_at_what_a_run_writes_as_it_is() -> None:
    entries = stage("entries", ["registry.yaml"], ["judges", "models"], "registry.yaml modified")
    stages = [
        replace(entries, kept=frozenset({"judges"})),
        stage("classify@a", ["judges"], ["labels"]),
        stage("tables", ["models"], ["tables"]),
    ]
    assert stale(stages) == {"entries", "tables"}


@given(st.lists(st.tuples(st.sets(st.integers(0, 7)), st.booleans()), min_size=8, max_size=8))
def test_stale_is_what_a_changed_stage_reaches(graph: list[tuple[set[int], bool]]) -> None:
    edges = [(dep, node) for node, (deps, _) in enumerate(graph) for dep in deps if dep < node]
    oracle = nx.DiGraph(edges)
    oracle.add_nodes_from(range(len(graph)))
    changed = {node for node, (_, is_changed) in enumerate(graph) if is_changed}
    expected = changed.union(*(nx.descendants(oracle, node) for node in changed))
    stages = [
        stage(str(node), [f"o/{a}" for a, b in edges if b == node], [f"o/{node}"], *["x"] * flag)
        for node, (_, flag) in enumerate(graph)
    ]
    assert stale(stages) == {str(node) for node in expected}


def test_triggers_are_new_only_for_what_runs(tmp_path: Path) -> None:
    artifact = tmp_path / "artifact"
    artifact.touch()
    (tmp_path / "gone.yaml").touch()
    stages = [stage("a", [], ["a"], "seed modified"), stage("b", [], ["b"])]
    write_triggers(stages, {"a"}, tmp_path)
    first = (tmp_path / "a.yaml").read_text()
    assert (tmp_path / "a.yaml").stat().st_mtime >= artifact.stat().st_mtime
    assert (tmp_path / "b.yaml").stat().st_mtime < artifact.stat().st_mtime
    assert not (tmp_path / "gone.yaml").exists()
    write_triggers(stages, {"a"}, tmp_path)
    assert (tmp_path / "a.yaml").read_text() != first


def test_reasons_name_the_parameters() -> None:
    status = [
        {"changed deps": {"src/a.py": "modified", "params.yaml": {"generate": "modified"}}},
        {"changed outs": {"data/a": "deleted"}},
        "changed checksum",
    ]
    assert list(reasons(status)) == [
        "src/a.py modified",
        "generate modified",
        "data/a deleted",
        "changed checksum",
    ]


def test_config_that_differs_is_refused() -> None:
    params = {"seed": 0, "generate": {"context": "history", "samples": 4}}
    refuse_overrides({}, params)
    refuse_overrides({"seed": 0, "generate": {"samples": 4}}, params)
    with pytest.raises(StudyError, match=r"generate\.context=live: params\.yaml has 'history'"):
        refuse_overrides({"generate": {"context": "live"}}, params)
    with pytest.raises(StudyError, match=r"sead=1: params\.yaml has not set"):
        refuse_overrides({"sead": 1}, params)
