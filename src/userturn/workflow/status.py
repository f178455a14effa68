"""How far the study is: per stage its state, and what was and is to be asked of the models."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from userturn import stages
from userturn.artifacts import files, provenance
from userturn.artifacts.prompts import read_prompts
from userturn.base import paths
from userturn.base.errors import ArtifactError
from userturn.engines.requests import Completion
from userturn.store import previous
from userturn.store.database import Store
from userturn.store.kinds import COMPLETIONS
from userturn.study.study import Study
from userturn.workflow import decision

if TYPE_CHECKING:
    from userturn.turns.planner import Draft, Planner

KINDS = {"generate": ("answers", "user_turns"), "perturb": ("controls",)}
"""What each stage asks a model for."""

_Counted = tuple[int | None, int | None]  # wanted, finished
UNKNOWN: _Counted = (None, None)


@dataclass(frozen=True, slots=True)
class Line:
    """One stage, or one kind of request of a stage.

    Attributes:
        stage: Name as DVC has it.
        kind: Artifact that the requests are for; None for stages that ask a model for nothing.
        state: `up to date`, `stale` or `missing`.
        wanted: Different requests that the study asks; None where that is not known yet.
        finished: Those in the completion store or in the stage's last output; None: not known.
        age: Seconds since the artifact was written or fetched here; None where there is none.
    """

    stage: str
    kind: str | None
    state: str
    wanted: int | None = None
    finished: int | None = None
    age: float | None = None

    @property
    def to_send(self) -> int | None:
        """Requests that an engine has to answer."""
        if self.wanted is None or self.finished is None:
            return None
        return self.wanted - self.finished


def status(study: Study) -> list[Line]:
    """Where every stage of the study stands; loads no engine and no weights, fetches nothing.

    Requests are counted exactly: of a stage that is up to date in its artifact, of another by
    working them out from prompts and answers, which needs the model's tokenizer on this machine.
    Turns behind answers that are not finished yet are counted as to send.

    Raises:
        RunError: DVC cannot read the repository.
    """
    resolved = decision.read_stages(study)
    to_run = decision.stale(resolved)
    outs = {stage.name: [Path(out) for out in stage.slice["outs"]] for stage in resolved}
    counts: dict[str, dict[str, _Counted]] = {}
    lines = []
    for name, slug in stages.instances(study):
        stage = stages.full_name(name, slug)
        for kind in KINDS.get(name, (None,)):
            if kind is None or slug is None:
                made, counted = outs[stage], UNKNOWN
            else:
                made = [paths.artifact(kind, slug)]
                if stage not in to_run:
                    counted = _in_artifact(kind, made[0])
                else:
                    if slug not in counts:
                        counts[slug] = _count(study, slug)
                    counted = counts[slug].get(kind, UNKNOWN)
            lines.append(Line(stage, kind, _state(stage in to_run, made), *counted, _age(made)))
    return lines


def _count(study: Study, slug: str) -> dict[str, _Counted]:
    """Requests wanted and finished of one model, per kind; empty where that cannot be known."""
    from userturn.turns.controls import control_turns
    from userturn.turns.grid import Kind, turns_per_prompt
    from userturn.turns.planner import Planner

    try:
        items = read_prompts(study.prompts.datasets).to_dicts()
        planner = Planner.present(study, slug)
    except ArtifactError:
        return {}  # prompts or the pointer are still to be made
    if planner is None:
        return {}
    finished = _Finished(slug)
    answers = planner.answers(items)
    done = finished.of(answers)
    rows = _answer_rows(planner, answers, done)
    open_ = len(items) - len(rows)  # prompts without a finished answer
    counts: dict[str, tuple[int | None, int | None]] = {"answers": (len(_ids(answers)), len(done))}
    behind: dict[Kind, list[Draft[Any]]] = {
        "user_turns": [*planner.user_turns(items, rows)],
        "controls": [*control_turns(planner, items, rows)],
    }
    for kind, drafts in behind.items():
        wanted = len(_ids(drafts)) + open_ * turns_per_prompt(study, kind)
        counts[kind] = wanted, len(finished.of(drafts))
    return counts


def _answer_rows(
    planner: Planner, answers: Iterable[Draft[Any]], done: Mapping[str, str | Completion]
) -> list[dict[str, Any]]:
    """The answers that are known so far, as rows with the columns that turns depend on."""
    rows = []
    for draft in answers:
        text, request = draft.text, draft.request
        if request is not None:
            if request.id not in done:
                continue
            known = done[request.id]
            text = known if isinstance(known, str) else planner.chat.answer_text(known.token_ids)
        dataset, item = draft.key
        rows.append({"dataset": dataset, "item": item, "text": text, "skipped": draft.skipped})
    return rows


class _Finished:
    """Finished completions of one model: those in the store, and the texts of previous outputs."""

    def __init__(self, slug: str) -> None:
        self._store = paths.completion_store(slug)
        self._texts: dict[str, str] = {}
        for name, kinds in KINDS.items():
            for path in previous.outputs(stages.full_name(name, slug)):
                self._texts |= _texts(path, kinds)

    def of(self, drafts: Iterable[Draft[Any]]) -> dict[str, str | Completion]:
        """Text or completion by request id."""
        ids = _ids(drafts)
        known: dict[str, str | Completion] = {
            key: self._texts[key] for key in ids if key in self._texts
        }
        if self._store.exists():
            with Store(self._store, COMPLETIONS) as store:
                known |= store.get(ids)
        return known


def _texts(path: Path, kinds: Sequence[str]) -> dict[str, str]:
    try:
        kind = str(provenance.read(path).get("kind"))
        frame = files.read(path, kind) if kind in kinds else None
    except ArtifactError:
        return {}  # the stage will not use it either
    if frame is None:
        return {}
    return {key: text for key, text in frame.select("request_id", "text").iter_rows() if key}


def _in_artifact(kind: str, path: Path) -> _Counted:
    try:
        wanted = files.read(path, kind)["request_id"].drop_nulls().n_unique()
    except ArtifactError:
        return UNKNOWN
    return wanted, wanted


def _ids(drafts: Iterable[Draft[Any]]) -> list[str]:
    return list({draft.request.id: None for draft in drafts if draft.request})


def _state(stale: bool, outs: Iterable[Path]) -> str:
    if not all(out.exists() for out in outs):
        return "missing"
    return "stale" if stale else "up to date"


def _age(outs: Iterable[Path]) -> float | None:
    times = [out.stat().st_mtime for out in outs if out.exists()]
    return time.time() - min(times) if times else None


def age_text(seconds: float | None) -> str:
    """An age in its largest whole unit, such as `3 h`."""
    if seconds is None:
        return ""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
