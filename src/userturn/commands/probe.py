"""Probe a model and a prompt file of one's own: a whole study in a folder, without DVC.

The folder gets its own `params.yaml` and `registry.yaml`, so the probe can be read and run again
like any study. Turns are scored by the scorer of this folder's study, because the likelihood judge
was fitted on its likelihoods, and rates of two models are comparable only by one judge.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from userturn import stages
from userturn.base import paths
from userturn.base.errors import StudyError, UserturnError
from userturn.base.files import write_bytes, write_text
from userturn.models import hub
from userturn.study.classify import FITTED_CALIBRATION
from userturn.study.loading import PARAMS_FILE, REGISTRY_FILE, checked, load_study
from userturn.study.sources import HubSource, expand_path
from userturn.study.study import Registry, Study
from userturn.study.yaml import dump_mapping, read_mapping

log = logging.getLogger(__name__)

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
"""A model's name on the hub; a directory of this name comes first."""
LEFT_OUT = ("entries", "calibrate")
"""Stages that a probe does not run."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What is probed, and as what.

    Attributes:
        model: Directory of a Hugging Face chat model, or its `owner/name` on the hub.
        prompts: JSONL file, one object with `prompt` or `messages` per line.
        items: First n prompts of a seeded order; None for all.
        name: The model's slug in tables and figures; None for the last part of `model`.
        engine: What runs it, as `engine.name` of the registry.
    """

    model: str
    prompts: Path
    items: int | None = None
    name: str | None = None
    engine: str = "auto"

    @property
    def slug(self) -> str:
        """The model's slug."""
        last = Path(self.model).resolve().name.lower()
        return self.name or re.sub(r"[^a-z0-9_]+", "_", last).strip("_")[:64] or "model"

    @property
    def source(self) -> dict[str, str]:
        """Where the model is from: a directory where there is one, else the hub.

        Raises:
            UserturnError: It can be neither.
        """
        folder = Path(self.model)
        if HUB_ID.fullmatch(self.model) and not os.path.exists(folder):
            return {"type": "hub", "repo": self.model}
        if not os.path.exists(folder / "config.json"):  # false for what can be no path
            raise UserturnError(
                f"{folder / 'config.json'}: does not exist; name a model directory, or a model of "
                "the hub as `owner/name`"
            )
        return {"type": "file", "path": str(folder.resolve())}


def run_probe(probed: Probed, out: Path, dry_run: bool) -> None:
    """Answer, generate user turns, perturb, score and label; print the rates.

    Args:
        probed: What to probe.
        out: Folder of the study; one that holds another study is refused.
        dry_run: Say what would run and how many requests that is, and run nothing.

    Raises:
        UserturnError: A path does not exist, `out` holds another study, or a stage fails.
    """
    study = probe_study(probed)
    if not probed.prompts.exists():
        raise UserturnError(f"{probed.prompts}: does not exist; name a prompt file")
    fitted = Path(FITTED_CALIBRATION)
    needed = study.classify.likelihood.calibration == FITTED_CALIBRATION
    if needed and not fitted.exists():
        raise UserturnError(f"{fitted}: does not exist; run `dvc repro calibrate`")
    if dry_run:
        _describe(study, probed.prompts)
        return
    study = _pinned(study, probed.slug, out)
    _write(study, out)
    if needed:
        write_bytes(out / fitted, fitted.read_bytes())
    with _inside(out):
        # Calibration is about the judge and its scorer, not about the model that is probed, and
        # `entries` tells DVC, which is not here, what has changed.
        steps = [step for step in stages.instances(study) if step[0] not in LEFT_OUT]
        for name, slug in steps:
            log.info("stage %s", stages.full_name(name, slug))
            stages.run(study, name, slug)
        _print_rates()
    log.info("the result and the turns on one page: %s", out / "reports/index.html")


def probe_study(probed: Probed) -> Study:
    """This folder's study, or the defaults, on one model and one prompt file.

    Without a study the model scores itself, and what the judge says is not calibrated.

    Raises:
        UserturnError: There is no such model, or its slug is another model's.
    """
    base: dict[str, Any] = {}
    if PARAMS_FILE.exists():
        base = load_study().model_dump(mode="json")
    slug = probed.slug
    if base and slug in (base["ground"]["scorer"], base["classify"]["judge_model"]):
        raise StudyError(f"{slug}: is a model of this folder's study; choose another with --name")
    engine = {"name": probed.engine}
    entry = {"source": probed.source, "family": "own", "engine": engine}
    source = {"type": "file", "path": str(probed.prompts.resolve())}
    base["prompts"] = {"datasets": ["prompts"], "items": probed.items}
    scorer = base.get("ground", {}).get("scorer", slug)
    judge_model = base.get("classify", {}).get("judge_model", scorer)
    others = sorted({scorer, judge_model} - {slug})
    base["model"] = {slug: entry, **{name: _absolute(base["model"][name]) for name in others}}
    base["models"] = {"pretrained": list(base["model"]), "probe": [slug]}
    if base.get("generate"):  # there are no other models here
        own = load_study().generate.own_source
        base["generate"] = {**base["generate"], "answer_source": own}
    base["ground"] = {**base.get("ground", {}), "scorer": scorer}
    base["classify"] = {**base.get("classify", {}), "judge_model": judge_model}
    base["dataset"] = {"prompts": {"kind": "jsonl", "source": source}}
    for section, slugs in (
        ("reference", base.get("calibrate", {}).get("sets", [])),
        ("judge", base["classify"].get("judges", [])),
    ):
        if section in base:
            base[section] = {name: base[section][name] for name in slugs if name in base[section]}
    return checked(Study, base, f"probe of {probed.model}")


def _pinned(study: Study, slug: str, out: Path) -> Study:
    """The study with a model of the hub at a commit: that of an earlier run in `out`, or today's.

    Raises:
        SourceError: The hub does not give it.
    """
    source = study.model[slug].source
    if not isinstance(source, HubSource) or source.pinned:
        return study
    commit = None
    if (file := out / REGISTRY_FILE).exists():
        with suppress(LookupError, TypeError):
            before = read_mapping(file)["model"][slug]["source"]
            commit = before["revision"] if before["repo"] == source.repo else None
    raw = study.model_dump(mode="json")
    raw["model"][slug]["source"]["revision"] = commit or hub.resolve(source, "model")
    return checked(Study, raw, f"probe of {source.at}")


def _write(study: Study, out: Path) -> None:
    """Write the study as the two files that it is read from; refuse to replace another one."""
    whole = study.model_dump(mode="json")
    entries = {name: whole.pop(name) for name in Registry.model_fields}
    texts = {PARAMS_FILE: dump_mapping(whole), REGISTRY_FILE: dump_mapping(entries)}
    for name, text in texts.items():
        file = out / name
        if file.exists() and file.read_text(encoding="utf-8") != text:
            raise UserturnError(f"{file}: holds another study; choose another folder with --out")
    for name, text in texts.items():
        write_text(out / name, text)


def _absolute(entry: dict[str, Any]) -> dict[str, Any]:
    """A model's entry that holds in any folder."""
    source = entry["source"]
    if source["type"] == "file":
        source = {**source, "path": str(expand_path(source["path"]).resolve())}
    return {**entry, "source": source}


def _describe(study: Study, prompts: Path) -> None:
    from userturn.prompts.collect import load
    from userturn.turns.grid import turns_per_prompt

    available = len(load(study, "prompts")[0])
    count = min(available, study.prompts.items or available)
    turns, controls = (turns_per_prompt(study, kind) for kind in ("user_turns", "controls"))
    print(f"{prompts}: {available} prompts, {count} taken")
    print(f"answers: {count} requests of up to {study.generate.answer.max_tokens} tokens")
    limit = study.generate.user_turn.max_tokens
    print(f"user turns: {count * turns} requests of up to {limit} tokens")
    print(f"controls: {count * controls} requests of up to {limit} tokens")


def _print_rates() -> None:
    import polars as pl
    from rich.console import Console
    from rich.table import Table

    rates = pl.read_csv("reports/tables/rates.csv")
    columns = ("condition", "temperature", "prompts", "samples", "rate", "low", "high", "method")
    if missing := set(columns) - set(rates.columns):
        raise StudyError(f"reports/tables/rates.csv lacks the columns {sorted(missing)}")
    table = Table(*columns, title="genuine follow-up rate", box=None, pad_edge=False)
    for row in rates.filter(pl.col("dataset") == "all").select(columns).iter_rows():
        table.add_row(*(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row))
    Console().print(table)


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Work in a folder with the downloads and converted weights of this one."""
    before, set_before = Path.cwd(), os.environ.get("USERTURN_CACHE")
    os.environ["USERTURN_CACHE"] = str(paths.cache().resolve())
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.pop("USERTURN_CACHE")
        if set_before is not None:
            os.environ["USERTURN_CACHE"] = set_before
