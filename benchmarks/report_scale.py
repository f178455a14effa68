"""A made up study of the paper's size: seconds and memory of tables, figures and page.

    python benchmarks/report_scale.py [--prompts 500] [FOLDER]

Eleven models, five datasets, 60 turns a prompt: 1.65 million turns at 500 prompts a dataset. Writes
the artifacts into FOLDER (default: a temporary one), runs the three stages, each in a process of
its own, and prints seconds and peak memory; then how fast the served page answers.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from synthetic import ELEVEN, VERIFIERS, make_study  # noqa: E402
from userturn.artifacts import files, provenance, schemas  # noqa: E402
from userturn.artifacts.labels import Label  # noqa: E402
from userturn.artifacts.schemas import OWN, SHOWN, SWAP  # noqa: E402
from userturn.base import paths  # noqa: E402
from userturn.study.study import Study  # noqa: E402

DATASETS = ("gsm8k", "math_500", "ifbench", "healthbench", "coval")
WARM, SAMPLES = (0.4, 0.7, 1.0, 1.3), 14
CONDITIONS = ("truncate", "ask", "swap")
TOKENS = 20
CALIBRATION = Path("src/userturn/judges/likelihood/calibration.json")
STAGE = """
import sys
from userturn import stages
from userturn.study.study import Study

stages.run(Study.model_validate_json(sys.stdin.read()), sys.argv[1], None)
"""
SERVED = """
import sys, time
from userturn.report._query import Every, Wanted
from userturn.study.study import Study

every = Every(Study.model_validate_json(sys.stdin.read()))
for what, wanted in (
    ("index", {}), ("first turns", {}), ("one label", {"label": "followup", "dataset": "coval"}),
    ("highest uptake", {"order": "uptake-down"}), ("search", {"q": "word7 word3"}),
    ("the same search, sorted", {"q": "word7 word3", "order": "probability-down"}),
):
    start = time.perf_counter()
    count = every.index.height if what == "index" else every.answer(Wanted(**wanted))["count"]
    print(f"serve, {what}: {time.perf_counter() - start:.2f} s, {count:,} turns", flush=True)
"""


def main() -> None:
    """Make the study, and time what reads it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("folder", type=Path, nargs="?")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp())
    study = make_study(
        ELEVEN, DATASETS, (0.0, *WARM), SAMPLES, CONDITIONS,
        statistics={"bootstrap": 2000}, figures={"formats": ["svg", "png", "pdf"]},
    )  # fmt: skip
    (folder / CALIBRATION.parent).mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / CALIBRATION, folder / CALIBRATION)
    os.chdir(folder)
    if not Path("data").exists():
        start = time.perf_counter()
        turns = write(study, given.prompts)
        print(f"{turns:,} turns written in {time.perf_counter() - start:.0f} s to {folder}")
    seconds = sum(timed(name, STAGE, study) for name in ("tables", "figures", "report"))
    print(
        f"together: {seconds:.1f} s; the page: {Path('reports/index.html').stat().st_size:,} bytes"
    )
    timed("serve", SERVED, study)


def timed(name: str, code: str, study: Study) -> float:
    """Run code in a process of its own; its seconds, printed with its CPU time and peak memory."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", code, name],
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(study.model_dump_json())
    process.stdin.close()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        raise SystemExit(f"{name} failed")
    cpu, memory = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024**2
    print(f"{name}: {wall:.1f} s, {cpu:.1f} s of CPU, {memory:.2f} GiB", flush=True)
    return wall


def write(study: Study, items: int) -> int:
    """Write every artifact of the study; how many turns it has."""
    rng = np.random.default_rng(0)
    numbers = [f"{item:04d}" for item in range(items)]
    for dataset in DATASETS:
        save("prompts", dataset, prompts(dataset, numbers))
    pool = pl.DataFrame({"token_texts": sentences(rng)}).with_columns(
        text=pl.col("token_texts").list.join("")
    )
    total = 0
    for slug in study.models.probe:
        tasks = pl.DataFrame(list(product(DATASETS, numbers)), ["dataset", "item"], orient="row")
        answer = pl.concat_str(pl.lit("An answer "), "item", pl.lit(" of some words." * 80))
        save("answers", slug, tasks.with_columns(
            text=answer, request_id=pl.lit("0"), context_tokens=40, end=pl.lit("eos"),
            token_ids=pl.lit([1, 2, 3]),
        ))  # fmt: skip
        verified = pl.col("dataset").replace_strict(VERIFIERS, default=None)
        right = pl.Series(rng.random(tasks.height) < 0.6).cast(pl.Float64)
        score = pl.when(verified.is_not_null()).then(right)
        save("scores", slug, tasks.with_columns(
            verifier=verified, score=score, score_loose=score,
            unscored=pl.when(verified.is_null()).then(pl.lit("no published verifier")),
        ))  # fmt: skip
        turns = keys(tasks).with_columns(pool[rng.integers(0, pool.height, tasks.height * 60)])
        total += turns.height
        made = turns.drop("token_texts").with_columns(
            request_id=pl.lit("0"), seed=0, context_tokens=90, end=pl.lit("stop_token"),
            token_ids=pl.lit(list(range(TOKENS))), stripped=pl.lit(value=False),
        )  # fmt: skip
        save("user_turns", slug, made.filter(condition="base"))
        changed = pl.concat_str("condition", pl.lit(" of "), "item", pl.lit(" and more." * 80))
        save(
            "controls",
            slug,
            made.filter(pl.col("condition") != "base").with_columns(answer=changed),
        )
        swapped = turns.filter(condition=SWAP)
        compared = pl.concat([
            turns.with_columns(against=pl.lit(SHOWN)), swapped.with_columns(against=pl.lit(OWN)),
        ])  # fmt: skip
        save("grounding", slug, measured(compared, rng))
        save("labels", slug, labelled(compared, rng))
    return total


def prompts(dataset: str, numbers: list[str]) -> pl.DataFrame:
    """Prompts of one dataset."""
    return pl.DataFrame({
        "dataset": dataset, "item": numbers, "order": range(len(numbers)),
        "text": [f"Prompt {number} of {dataset}. " * 12 for number in numbers],
        "verifier": VERIFIERS.get(dataset), "target": "0",
    })  # fmt: skip


def sentences(rng: np.random.Generator) -> list[list[str]]:
    """Turns of TOKENS tokens, as tokens: few enough to be made at once."""
    return [["Why", *(f" word{n}" for n in row)] for row in rng.integers(0, 50, (5000, TOKENS - 1))]


def keys(tasks: pl.DataFrame) -> pl.DataFrame:
    """The key of every turn."""
    settings = [("base", 0.0, 0), *((condition, 0.0, 0) for condition in CONDITIONS)]
    settings += [("base", warmth, sample) for warmth, sample in product(WARM, range(SAMPLES))]
    return tasks.join(
        pl.DataFrame(settings, ["condition", "temperature", "sample"], orient="row"), how="cross"
    )


def measured(turns: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Rows of kind `grounding`."""
    columns: dict[str, Any] = {"tokens": pl.Series(np.full(turns.height, TOKENS))}
    offsets = pa.array(np.arange(turns.height + 1, dtype=np.int32) * TOKENS)
    for name, kind in schemas.measured().items():
        if kind == "list<float64>":
            values = pa.array(-rng.exponential(2, turns.height * TOKENS).round(3))
            columns[name] = pl.Series(pa.ListArray.from_arrays(offsets, values))
        elif kind == "float64":
            columns[name] = pl.Series(rng.normal(0.3, 0.5, turns.height).round(4))
    return turns.drop("text").with_columns(**columns)


def labelled(turns: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Rows of kind `labels`: prompts differ, so that the samples of one cluster."""
    leaning = np.repeat(rng.beta(0.6, 4, turns.height // 60 + 1), 60)[: turns.height]
    hit = rng.random(turns.height) < leaning
    others = np.array([label.value for label in Label if label is not Label.FOLLOWUP])
    names = np.where(hit, Label.FOLLOWUP.value, others[rng.integers(0, 8, turns.height)])
    return turns.drop("text", "token_texts").with_columns(
        judge=pl.lit("likelihood"), label=pl.Series(names), reason=pl.lit("made up"),
        rubric=pl.lit("0"), probability=pl.Series(np.where(hit, 0.8, 0.1)),
    )  # fmt: skip


def save(kind: str, slug: str, frame: pl.DataFrame) -> None:
    """Write an artifact as `files.write` would, but from a frame: rows would take an hour."""
    schema = files._schema(kind).with_metadata(provenance.pack({"stage": "synthetic"}, kind))
    missing = {name: pl.lit(None) for name in schema.names if name not in frame.columns}
    ordered = frame.with_columns(**missing).select(schema.names).sort(schemas.KEYS[kind])
    path = paths.artifact(kind, slug)
    path.parent.mkdir(parents=True, exist_ok=True)
    table = ordered.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)
    pq.write_table(table.replace_schema_metadata(schema.metadata), path, compression="zstd")


if __name__ == "__main__":
    main()
