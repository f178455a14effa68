"""The paper's architectures through the whole chain, by Snakemake in a clone, and by a probe."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import polars as pl
import pytest

from chat_templates import FAMILIES
from tiny import CONFIGS, FAMILY, make_chat_model
from userturn.artifacts import files

from .conftest import Clone, plant, study

pytestmark = pytest.mark.slow

# What probes run with; Snakemake's chain runs with transformers, which starts in half the time.
# vLLM's CPU build has no Qwen3.5: see tests/engines/test_architectures.py.
ENGINES = {"gpt_oss": "vllm", "glm4_moe": "vllm"}
PROBES = """
import json, sys
from userturn.commands.cli import app
for slug, engine in json.loads(sys.argv[1]).items():
    options = ["--model", f"../{slug}", "--prompts", "data/inputs/own.jsonl", "--items", "1"]
    options += ["--out", f"probed/{slug}", "--name", f"{slug}_own", "--engine", engine]
    app(["probe", *options], standalone_mode=False)
"""


@pytest.fixture
def clone(tmp_path: Path, tool_env: dict[str, str]) -> Clone:
    """A study of all four, one of them the scorer: of those that start in seconds."""
    keys = study(list(CONFIGS), ["own"], scorer="qwen3_5_text", spare="qwen3_5_text")
    for slug in CONFIGS:
        make_chat_model(tmp_path / slug, slug)
        keys["model"][slug] |= {
            "source": {"type": "file", "path": str(tmp_path / slug)},
            "family": FAMILY[slug],
            "engine": {"name": "transformers", "dtype": "float32", "max_model_len": 4096},
            "chat": {"template_kwargs": FAMILIES[FAMILY[slug]].kwargs},
        }
    keys["prompts"]["items"] = 2
    keys["generate"] |= {"answer": {**keys["generate"]["answer"], "max_tokens": 12}}
    turn = {**keys["generate"]["user_turn"], "temperatures": [0.0, 1.0], "max_tokens": 12}
    keys["generate"]["user_turn"] = {**turn, "samples": 1}
    keys["perturb"]["conditions"] = ["truncate", "ask", "swap"]
    keys["calibrate"]["per_set"] = 10
    clone = plant(tmp_path / "clone", keys, tool_env)
    clone.env |= {"OMP_NUM_THREADS": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    return clone


@pytest.mark.timeout(900)
def test_every_architecture_goes_through_the_whole_chain(clone: Clone) -> None:
    run = clone.command(str(Path(sys.executable).parent / "snakemake"), "--cores=all")
    assert run.status == 0, run.text[-4000:]
    for slug in CONFIGS:
        turns = files.read(clone.path / f"data/user_turns/{slug}.parquet", "user_turns")
        assert turns["skipped"].null_count() == turns.height == 4
        measured = files.read(clone.path / f"data/grounding/{slug}.parquet", "grounding")
        assert measured["uptake"].drop_nulls().len() > 0
        labels = files.read(clone.path / f"data/labels/{slug}.parquet", "labels")
        assert set(labels["judge"]) == {"likelihood"}
    rates = pl.read_csv(clone.path / "reports/tables/rates.csv")
    assert set(rates["model"]) == set(CONFIGS)
    models = pl.read_csv(clone.path / "reports/tables/models.csv")
    assert dict(models.select("model", "template_kwargs").iter_rows()) == {
        slug: json.dumps(FAMILIES[FAMILY[slug]].kwargs, sort_keys=True) for slug in CONFIGS
    }
    assert (clone.path / "reports/index.html").stat().st_size > 10_000
    dry = clone.snakemake("-n")
    assert dry.scheduled == set(), dry.text

    engines = {slug: ENGINES.get(slug, "transformers") for slug in CONFIGS}
    probes = clone.command(sys.executable, "-c", PROBES, json.dumps(engines))
    assert probes.status == 0, probes.text[-4000:]
    for slug in CONFIGS:
        rates = pl.read_csv(clone.path / f"probed/{slug}/reports/tables/rates.csv")
        assert set(rates["model"]) == {f"{slug}_own"}
        assert os.path.getsize(clone.path / f"probed/{slug}/reports/index.html") > 10_000
