"""Adding one thing is adding one file: study, schemas and outputs follow.

A copy of the package gets one new file for each kind of thing, and runs a study that names them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import userturn
from userturn import __version__
from userturn.artifacts import provenance
from userturn.base import paths

Params = dict[str, Any]
SOURCE = {"type": "generator", "module": "userturn.engines.fake", "version": __version__}


pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Addition:
    """One new file.

    Attributes:
        file: Its path in the package.
        text: What it holds.
        name_it: Has a study use it, where a study names such things.
        outcome: Whether the outputs in the current folder have it.
        beside: Files that belong to it, as a template does: their paths and what they hold.
    """

    file: str
    text: str
    name_it: Callable[[Params], Any]
    outcome: Callable[[], bool]
    beside: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return Path(self.file).stem


def read(kind: str, slug: str = "fake") -> pl.DataFrame:
    return pl.read_parquet(paths.artifact(kind, slug))


DATASET = Addition(
    "prompts/kinds/riddles.py",
    """
from userturn.prompts.kinds import Kind
from userturn.prompts.records import Prompt, as_target


def read(row):
    target = as_target(row.text("solution"))
    return Prompt(str(row.index), row.text("riddle"), verifier="mentions", target=target)


KIND = Kind(read)
""",
    lambda params: params["dataset"]["own"].update(kind="riddles"),
    lambda: set(read("prompts", "own")["text"]) == {f"What is {n}?" for n in range(3)},
)
VERIFIER = Addition(
    "verifiers/mentions.py",
    """
from userturn.verifiers import Score, Verifier


def check(target, text):
    share = float(target in text)
    return Score(share, share)


VERIFIER = Verifier(check)
""",
    lambda params: None,
    lambda: set(read("scores").select("verifier", "score").rows()) == {("mentions", 1.0)},
)
PERTURBATION = Addition(
    "perturbations/shout.py",
    """
from userturn.perturbations import Perturbation

PERTURBATION = Perturbation(lambda answer, _: answer.upper(), "down", "shouting repels")
""",
    lambda params: params["perturb"]["conditions"].append("shout"),
    lambda: (
        read("controls").filter(condition="shout")["answer"].str.contains("[A-Z]").all()
        and "shout" in pl.read_csv("reports/tables/controls.csv")["condition"]
    ),
)
CONTEXT = Addition(
    "measures/contexts/nodding.py",
    """
from dataclasses import replace

from userturn.measures.contexts import Context

CONTEXT = Context("behind an answer that says nothing", lambda s: [replace(s.own, answer="Yes.")])
""",
    lambda params: None,
    lambda: read("grounding").filter(pl.col("tokens") > 0)["log_p_nodding"].is_not_null().all(),
)
MEASURE = Addition(
    "measures/kinds/peak.py",
    """
from userturn.measures.kinds import Measure


def value(turn, log_p):
    gains = [own - bare for own, bare in zip(log_p["own"], log_p["nodding"])]
    return gains.index(max(gains))


MEASURE = Measure("token of the most uptake", "place", value, ("own", "nodding"), "int64")
""",
    lambda params: None,
    lambda: (
        read("grounding").schema["peak"] == pl.Int64
        and read("grounding").filter(pl.col("tokens") > 0)["peak"].is_not_null().all()
    ),
)
JUDGE = Addition(
    "judges/kinds/keyword.py",
    """
from userturn.judges.kinds import label_row


def label(study, judge, stage, turns):
    word = study.judge[judge].word
    rows = []
    for turn in turns.rows:
        label = "followup" if word in (turn["text"] or "") else "unrelated"
        rows.append(label_row(turn, judge, word, label=label, reason=word))
    return rows, {"word": word}


JUDGE = label
""",
    lambda params: (
        params["judge"].update(why={"type": "keyword", "word": "Why"}),
        params["classify"]["judges"].append("why"),
    ),
    lambda: (
        provenance.read(paths.artifact("labels", "fake"))["judges"]["why"] == {"word": "Why"}
        and "why" in pl.read_csv("reports/tables/rates.csv")["judge"]
    ),
)
TABLE = Addition(
    "tables/longest.py",
    """
from userturn.artifacts.csv_file import Kind
from userturn.tables._table import Table


def rows(results):
    return [
        {"model": model.slug, "turn": max(model.turns["text"], key=len)} for model in results.models
    ]


TABLE = Table({"model": Kind.NAME, "turn": Kind.TEXT}, rows)
""",
    lambda params: None,
    lambda: "fake" in pl.read_csv("reports/tables/longest.csv")["model"],
)
FIGURE = Addition(
    "figures/lengths.py",
    """
from userturn.artifacts.csv_file import Kind
from userturn.figures._figure import Drawing, Plot
from userturn.figures._page import Layout, lay_out


def draw(source):
    rows = [{"model": row["model"], "characters": 1} for row in source.table("models")]
    page = lay_out(source, Layout(title="Length", subtitle="of the longest turn"))
    page.axes[0].barh([row["model"] for row in rows], [row["characters"] for row in rows])
    return Drawing(page.figure, rows)


FIGURE = Plot({"model": Kind.NAME, "characters": Kind.COUNT}, draw)
""",
    lambda params: None,
    lambda: Path("reports/figures/lengths.svg").exists(),
)
PART = Addition(
    "report/shortest.py",
    """
from userturn.report._part import Part


def view(source):
    return {"length": len(source.models)}


PART = Part("Shortest", view)
""",
    lambda params: None,
    lambda: "<p>Shortest of 2</p>" in Path("reports/index.html").read_text(),
    {"report/templates/shortest.html.j2": "<p>Shortest of {{ length }}</p>"},
)
ENGINE = Addition(
    "engines/kinds/parrot.py",
    """
from userturn.engines.base import EngineKind
from userturn.engines.kinds.fake import FakeEngine


class Parrot(FakeEngine):
    name = "parrot"


ENGINE = EngineKind(lambda params, folder, constrained: Parrot(params, folder))
""",
    lambda params: (
        params["model"].update(other={"source": SOURCE, "engine": {"name": "parrot"}}),
        params["models"]["pretrained"].append("other"),
        params["models"]["probe"].append("other"),
    ),
    lambda: provenance.read(paths.artifact("answers", "other"))["engine"]["engine"] == "parrot",
)
ADDITIONS = [
    pytest.param(DATASET, id="dataset kind"),
    pytest.param(VERIFIER, id="verifier"),
    pytest.param(PERTURBATION, id="perturbation"),
    pytest.param(CONTEXT, id="context"),
    pytest.param(MEASURE, id="measure"),
    pytest.param(JUDGE, id="judge kind"),
    pytest.param(TABLE, id="table"),
    pytest.param(FIGURE, id="figure"),
    pytest.param(PART, id="part of the page"),
    pytest.param(ENGINE, id="engine"),
]
PRESENT: list[Addition] = [param.values[0] for param in ADDITIONS]

RUN = """
import json, sys
from userturn import stages
from userturn.study.explaining import schema_text
from userturn.study.study import Study

study = Study.model_validate_json(sys.stdin.read())
for name, slug in stages.instances(study):
    if name != "calibrate":
        stages.run(study, name, slug)
with open("schema.json", "w") as file:
    file.write(schema_text())
"""


def params() -> Params:
    """A tiny study on the fake engine that names every addition."""
    made: Params = {
        "prompts": {"datasets": ["own"], "items": None},
        "models": {"pretrained": ["fake"], "probe": ["fake"]},
        "perturb": {"conditions": ["swap"]},
        "ground": {"scorer": "fake"},
        "classify": {"judges": ["likelihood"]},
        "figures": {"formats": ["svg"]},
        "model": {"fake": {"source": SOURCE, "engine": {"name": "fake"}}},
        "dataset": {"own": {"kind": "jsonl", "source": {"type": "file", "path": "own.jsonl"}}},
        "judge": {},
    }
    for addition in PRESENT:
        addition.name_it(made)
    return made


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the study, run by a package with one more file of each kind."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("study")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(userturn.__file__).parent, source / "userturn", ignore=ignored)
    shutil.copy(ROOT / "dvc.yaml", source / "userturn")
    for addition in PRESENT:
        file = source / "userturn" / addition.file
        assert not file.exists()
        assert file.parent.is_dir()
        file.write_text(addition.text)
        for name, text in addition.beside.items():
            (source / "userturn" / name).write_text(text)
    riddles = [{"riddle": f"What is {n}?", "solution": ""} for n in range(3)]
    (folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in riddles))
    unset = ("USERTURN_CACHE", "USERTURN_STORE")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps(params()),
        cwd=folder,
        env={**environment, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("addition", ADDITIONS)
def test_one_thing_is_one_new_file(addition: Addition, finished: Path) -> None:
    with chdir(finished):
        assert addition.outcome()


@pytest.mark.parametrize("addition", [DATASET, PERTURBATION, JUDGE], ids=lambda one: one.file)
def test_what_a_study_names_is_a_choice_of_its_schema(addition: Addition, finished: Path) -> None:
    choices = (finished / "schema.json").read_text()
    assert f'"{addition.name}"' in choices
