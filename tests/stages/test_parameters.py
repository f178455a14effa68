"""What a stage reads of the study is what `dvc.yaml` names for it: seen by watching it run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from userturn import __version__, stages
from userturn.study.section import Section
from userturn.study.slices import slice_of
from userturn.study.study import Study

ROOT = Path(__file__).parents[2]
GRAPH = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]

BY_FILE = {
    # the folder holds the files of these models and no other: `stages.prune`
    "data/cross": ["models.cross"],
    "data/entries/judges.json": ["judge.*"],
    "data/entries/models.json": ["model.*.family", "model.*.parameters"],
    "data/entries/references.json": ["reference.*"],
    "registry.yaml": ["*"],
    "/weights.json": ["model.*.source.*", "model.*.format"],
}
"""Keys that a stage depends on through a file."""
NO_RESULT = [
    "model.*.license",
    "model.*.resources.*",
    *(
        f"model.*.engine.{name}"
        for name in (
            "max_num_seqs", "tensor_parallel", "pipeline_parallel", "kv_cache_gib", "enforce_eager",
            "gpu_memory_share", "hang_seconds", "server",
        )
    ),
]  # fmt: skip
"""Keys that no result depends on."""


def sections(section: Section, path: str = "") -> Iterator[tuple[Section, str]]:
    """Every section of a study with its dotted key."""
    yield section, path
    for name in type(section).model_fields:
        value = section.__dict__[name]
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for slug, each in inner:
            if isinstance(each, Section):
                yield from sections(each, ".".join(filter(None, (path, name, slug))))


def holds_sections(value: Any) -> bool:
    values = value.values() if isinstance(value, dict) else [value]
    return any(isinstance(each, Section) for each in values)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, laptop: Study) -> Study:
    """The laptop study on the fake engine, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("USERTURN_CACHE", ".cache")
    monkeypatch.setenv("USERTURN_STORE", ".cache/completions")
    rows = [{"id": f"p{n}", "prompt": f"What is {n}?"} for n in range(4)]
    Path("p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    raw = laptop.model_dump(mode="json")
    source = {"type": "generator", "module": "userturn.engines.fake", "version": __version__}
    engine = {"name": "fake", "max_model_len": 4096}
    raw["model"] = {"smollm2_135m": {"source": source, "engine": engine}}
    raw["dataset"] = {"p": {"kind": "jsonl", "source": {"type": "file", "path": "p.jsonl"}}}
    raw["prompts"] = {"datasets": ["p"], "items": 3}
    raw["reference"] = {"own": raw["reference"]["own"]}
    raw["reference"]["own"]["source"]["path"] = str(ROOT / "data/reference/conversations.jsonl")
    raw["statistics"]["bootstrap"] = 100
    return Study.model_validate(raw)


def watched(study: Study, name: str, slug: str | None) -> set[str]:
    """Keys that a stage reads while it runs."""
    paths = {id(section): path for section, path in sections(study)}
    read: set[str] = set()
    dumping = False
    look, dump = Section.__getattribute__, Section.model_dump

    def attribute(section: Section, field: str) -> Any:
        value = look(section, field)
        path = paths.get(id(section))
        known = not dumping and path is not None and field in type(section).model_fields
        if known and not holds_sections(value):
            read.add(f"{path}.{field}".removeprefix("."))
        return value

    def whole(section: Section, **options: Any) -> Any:
        nonlocal dumping
        path = paths.get(id(section))
        if path:  # the whole study is what `slice_of` takes
            left_out = options.get("exclude") or set()
            names = set(options.get("include") or type(section).model_fields) - set(left_out)
            read.update(f"{path}.{field}" for field in names)
        dumping = True  # pydantic looks at the types of sources
        try:
            return dump(section, **options)
        finally:
            dumping = False

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Section, "__getattribute__", attribute)
        patch.setattr(Section, "model_dump", whole)
        import_module(f"userturn.stages.{name}").run(study, *filter(None, [slug]))
    return read


@pytest.mark.slow
def test_every_stage_names_the_parameters_that_it_reads(study: Study) -> None:
    unnamed = {}
    for name, slug in stages.instances(study):
        keys = watched(study, name, slug)
        named = set(slice_of(study, stages.full_name(name, slug)))
        by_file = [
            key for file, keys in BY_FILE.items() for key in keys
            if any(dep.endswith(file) for dep in GRAPH[name]["deps"])
        ]  # fmt: skip
        unnamed[name] = {
            key
            for key in keys
            if not any(key == one or key.startswith(f"{one}.") for one in named)
            and not any(fnmatch(key, pattern) for pattern in [*by_file, *NO_RESULT])
        }
    assert {name: keys for name, keys in unnamed.items() if keys} == {}
