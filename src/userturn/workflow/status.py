"""How far the study is: per stage its state, and what was and is to be asked of the models."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from userturn import stages
from userturn.artifacts import files
from userturn.base import locks, paths
from userturn.base.errors import ArtifactError
from userturn.models import inputs, keys
from userturn.study.judges import LIKELIHOOD
from userturn.study.study import Study
from userturn.workflow import decision
from userturn.workflow.asked import GENERATED, Counted
from userturn.workflow.counts import UNKNOWN, Counts

UP_TO_DATE = "up to date"


@dataclass(frozen=True, slots=True)
class Line:
    """One stage, or one kind of request of a stage.

    Attributes:
        stage: Name as DVC has it.
        kind: What the requests are for; None for stages that ask a model for nothing.
        state: `up to date`, `stale`, `missing` or `at work`.
        wanted: Different requests that the study asks; None where that is not known.
        finished: Those in the store or in the stage's last output; None: not known.
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
        """Requests that an engine or a server has to answer."""
        if self.kind and self.state == UP_TO_DATE:
            return 0
        if self.wanted is None or self.finished is None:
            return None
        return self.wanted - self.finished


def status(study: Study) -> list[Line]:
    """Where every stage of the study stands; loads no engine and no weights, fetches nothing.

    Also while a run is at work. Requests are counted of stages that are to run, exactly as far as
    turns are known: see `counts`. Stages that are up to date have none to send.

    Raises:
        RunError: DVC cannot read the repository.
    """
    at_work = {
        stage
        for stage in (stages.full_name(*one) for one in stages.instances(study))
        if locks.held(locks.stage_file(stage))
    }
    if not at_work and not locks.held(decision.LOCK_FILE):
        with suppress(OSError):  # a clone that cannot be written is still looked at
            inputs.link(study)
    resolved = decision.read_stages(study)
    to_run = frozenset(decision.stale(resolved) | at_work)
    outs = {stage.name: [Path(out) for out in stage.slice["outs"]] for stage in resolved}
    counts = Counts(study, to_run)
    lines = []
    for name, slug in stages.instances(study):
        stage = stages.full_name(name, slug)
        for kind in _kinds(study, name):
            made = outs[stage]
            if slug and kind in GENERATED.get(name, ()):
                made = [paths.artifact(kind, slug)]
            if stage in to_run:
                counted = _count(counts, name, slug, kind)
            else:
                counted = _in_artifact(kind, made[0]) if name in GENERATED else UNKNOWN
            state = "at work" if stage in at_work else _state(stage in to_run, made)
            what = kind and kind.replace("user_turns", "user turns")
            lines.append(Line(stage, what, state, counted.wanted, counted.finished, _age(made)))
    return lines


def _kinds(study: Study, stage: str) -> Iterator[str | None]:
    """What a stage asks for, one line each."""
    if stage in GENERATED:
        yield from GENERATED[stage]
    elif stage in ("ground", "calibrate", "expect"):
        yield "likelihoods"
    elif stage == "human":
        yield "likelihoods"
        yield from (f"judge {judge}" for judge in _asked(study))
    elif stage == "classify" and _asked(study):
        yield from (f"judge {judge}" for judge in _asked(study))
    else:
        yield None


def _asked(study: Study) -> list[str]:
    """Judges that are asked anything."""
    llm = (judge for judge in study.classify.judges if judge != LIKELIHOOD)
    return [judge for judge in llm if keys.is_asked(study, judge)]


def _count(counts: Counts, name: str, slug: str | None, kind: str | None) -> Counted:
    if name == "calibrate":
        return counts.calibration()
    if slug is None or kind is None:
        return UNKNOWN
    of_judge, judge = kind.startswith("judge "), kind.removeprefix("judge ")
    match name:
        case "ground":
            return counts.likelihoods(slug)
        case "classify":
            return counts.judged(slug, judge)
        case "human":
            return counts.real_judged(slug, judge) if of_judge else counts.real(slug)
        case "expect":
            return counts.expected(slug)
    return counts.generated(slug, kind)


def _in_artifact(kind: str | None, path: Path) -> Counted:
    try:
        wanted = files.read(path, str(kind))["request_id"].drop_nulls().n_unique()
    except ArtifactError:
        return UNKNOWN
    return Counted(wanted, wanted)


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
