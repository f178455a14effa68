"""Whether every artifact of the study is whole, is what `dvc.lock` records, and fits the others."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from userturn import stages
from userturn.artifacts import files, provenance, schemas
from userturn.artifacts.labels import Label
from userturn.artifacts.not_asked import not_asked
from userturn.artifacts.turns import answers_of, real_turns
from userturn.base import paths
from userturn.base.errors import ArtifactError, UserturnError
from userturn.base.progress import progress
from userturn.models import inputs, weights
from userturn.store.previous import LOCK_FILE
from userturn.study.study import Study
from userturn.turns.grid import Kind, turn_keys

if TYPE_CHECKING:
    import polars as pl

    from userturn.turns.planner import Draft

T = TypeVar("T")
Key = tuple[Any, ...]

STAGE_OF = {
    "prompts": "prompts",
    "answers": "generate",
    "user_turns": "generate",
    "scores": "score",
    "controls": "perturb",
    "cross": "cross",
    "grounding": "ground",
    "labels": "classify",
    "next_turns": "human",
    "expected": "expect",
}
PARTIAL_JUDGES = frozenset({"human"})
"""Judges that need not label every turn."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one file, and the mend."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What `verify` found.

    Attributes:
        files: Files and folders that were looked at.
        problems: What is wrong, in the order of the stages.
        not_recomputed: Models that are not on this machine, whose request ids were not recomputed.
    """

    files: int
    problems: tuple[Problem, ...]
    not_recomputed: tuple[str, ...]


def verify(study: Study) -> Findings:
    """Check every artifact of the study by itself, against `dvc.lock` and against the others.

    Nothing is changed, fetched or generated. Where a model's tokenizer is on this machine, the
    request id of every row is worked out again from the prompts and answers.
    """
    check = _Verification(study)
    recorded = list(_outs(study, check.problems))
    total = len(recorded) + len(study.models.pretrained) + len(study.models.probe)
    with progress("verify", total, "checks") as advance:
        for path, expected in recorded:
            check.bytes_of(path, expected)
            advance(0)
        check.local_files()
        for dataset in study.prompts.datasets:
            check.prompts(dataset)
        for slug in study.models.pretrained:
            check.pointer(slug)
            advance(0)
        for slug in study.models.probe:
            check.model(slug)
            advance(0)
        check.real_turns()
        check.calibration()
    return Findings(len(recorded), tuple(check.problems), tuple(check.not_recomputed))


@dataclass
class _Verification:
    study: Study
    problems: list[Problem] = field(default_factory=list)
    not_recomputed: list[str] = field(default_factory=list)
    items: list[dict[str, Any]] | None = field(default_factory=list)  # None: a file is unreadable

    def bytes_of(self, path: Path, expected: str) -> None:
        """Compare a file or folder with its hash in `dvc.lock`."""
        actual = md5(path)
        if actual is None:
            self._report(path, "is missing; `dvc repro` restores or makes it")
        elif actual != expected:
            self._report(
                path,
                f"is not what {LOCK_FILE} records; `dvc checkout --force {path}` restores it, "
                "`dvc repro` makes what the cache has lost",
            )

    def local_files(self) -> None:
        """Compare what local files hold with what the study was made of."""
        with suppress(OSError):  # a clone that cannot be written is still checked
            inputs.link(self.study)  # so that DVC sees what is found here
        made_of = inputs.recorded()
        now, local = inputs.fingerprints(self.study), inputs.sources(self.study)
        for key in (key for key in made_of if now.get(key) not in (None, made_of[key])):
            for source in local[key]:
                self._report(
                    Path(source.path),
                    f"holds other bytes than the study's {key} was made of; `dvc repro` runs what "
                    "reads it, or restore it",
                )

    def prompts(self, dataset: str) -> None:
        path = paths.artifact("prompts", dataset)
        frame = self._read("prompts", dataset)
        if frame is None:
            self.items = None
            return
        if set(frame["dataset"]) - {dataset} or sorted(frame["order"]) != list(range(len(frame))):
            self._report(path, f"is not the first items of {dataset} in order; {_again(path)}")
        if self.items is not None:
            self.items += frame.to_dicts()

    def pointer(self, slug: str) -> None:
        path = paths.weights_pointer(slug)
        if path.exists():
            self._try(path, lambda: weights.identity(self.study, slug))

    def real_turns(self) -> None:
        """What people said next, and how likely models find it, against the prompts."""
        if self.items is None:
            return
        human = self.study.prompts.human
        ours = (row for row in self.items if row["dataset"] in human)
        places = {(row["dataset"], row["item"]) for row in real_turns(ours)}
        for dataset in human:
            frame = self._read("next_turns", dataset, self.study.ground.scorer)
            if frame is not None:
                theirs = [place for place in places if place[0] == dataset]
                wanted = {
                    (*place, judge) for place in theirs for judge in self.study.classify.judges
                }
                self._keys("next_turns", dataset, frame, wanted, "the real next turns by judge")
        for slug in self.study.models.expect:
            frame = self._read("expected", slug, slug)
            if frame is not None:
                self._keys("expected", slug, frame, places, "the real next turns")

    def calibration(self) -> None:
        """The judged reference turns."""
        path = paths.REFERENCE_TURNS
        if path.exists():
            self._try(path, lambda: files.read(path, "reference"))

    def model(self, slug: str) -> None:
        """Each artifact of a model, and each against those it was made from."""
        answers = self._read("answers", slug, slug)
        turns = self._read("user_turns", slug, slug)
        controls = self._read("controls", slug, slug)
        cross = self._read("cross", slug, slug)
        scores = self._read("scores", slug)
        grounding = self._read("grounding", slug, self.study.ground.scorer)
        labels = self._read("labels", slug)
        if self.items is None or answers is None:
            return
        places = {(row["dataset"], row["item"]) for row in self.items}
        self._keys("answers", slug, answers, places, "prompts")
        if scores is not None:
            self._keys("scores", slug, scores, places, "prompts")
        grids: dict[Kind, pl.DataFrame | None] = {"user_turns": turns, "controls": controls}
        if slug in self.study.models.cross:
            grids["cross"] = cross
        known: set[Key] = set()
        for kind, frame in grids.items():
            wanted = {tuple(key) for key in turn_keys(self.study, kind, places, slug)}
            known |= wanted
            if frame is not None:
                self._keys(kind, slug, frame, wanted, "the study's turns")
        compared = {(*turn, against) for turn in known for against in answers_of(str(turn[2]))}
        if grounding is not None:
            self._keys("grounding", slug, grounding, compared, "the study's turns")
        if labels is not None:
            self._labels(slug, labels, compared)
        self._requests(slug, answers, grids)

    def _labels(self, slug: str, frame: pl.DataFrame, turns: Collection[Key]) -> None:
        import polars as pl

        path = paths.artifact("labels", slug)
        silent = not_asked(slug)
        asked = [judge for judge in self.study.classify.judges if judge not in silent]
        by_judge: dict[str, set[Key]] = {judge: set() for judge in asked}
        for *turn, judge in frame.select(schemas.KEYS["labels"]).iter_rows():
            by_judge.setdefault(judge, set()).add(tuple(turn))
        for judge, labelled in by_judge.items():
            if judge not in self.study.classify.judges:
                self._report(
                    path, f"holds labels of '{judge}', no judge of the study; {_again(path)}"
                )
                continue
            wanted = labelled & set(turns) if judge in PARTIAL_JUDGES else turns
            self._difference(path, f"labels by {judge}", labelled, wanted, "the study's turns")
        label, invalid = pl.col("label"), pl.col("invalid")
        odd = frame.filter(
            (label.is_null() == invalid.is_null()) | ~label.is_in([known.value for known in Label])
        )
        if len(odd):
            self._report(
                path,
                f"holds {len(odd)} rows that are no label and have no reason; {_again(path)}",
            )

    def _requests(
        self, slug: str, answers: pl.DataFrame, grids: Mapping[Kind, pl.DataFrame | None]
    ) -> None:
        """Work out every request id again."""
        from userturn.turns.controls import control_turns
        from userturn.turns.cross import cross_turns, models_of
        from userturn.turns.planner import Planner

        try:
            planner = Planner.present(self.study, slug)
        except ArtifactError:
            return  # the pointer: reported there
        except UserturnError as error:
            self._report(paths.weights_pointer(slug), str(error))
            return
        if planner is None:
            self.not_recomputed.append(slug)
            return
        items, rows = self.items or [], answers.to_dicts()
        self._ids("answers", slug, answers, planner.answers(items))
        places = {(row["dataset"], row["item"]) for row in items}
        rows = [row for row in rows if (row["dataset"], row["item"]) in places]
        if (turns := grids["user_turns"]) is not None:
            self._ids("user_turns", slug, turns, planner.user_turns(items, rows))
        if (controls := grids["controls"]) is not None:
            self._ids("controls", slug, controls, control_turns(planner, items, rows))
        if (cross := grids.get("cross")) is not None:
            sources = {one: self._read("answers", one, one) for one in models_of(self.study, slug)}
            known = {one: frame.to_dicts() for one, frame in sources.items() if frame is not None}
            if len(known) == len(sources):  # else it is reported where that model is checked
                self._ids("cross", slug, cross, cross_turns(planner, slug, items, known))

    def _ids(self, kind: str, slug: str, frame: pl.DataFrame, drafts: Iterable[Draft[Any]]) -> None:
        wanted = {tuple(draft.key): draft.request and draft.request.id for draft in drafts}
        odd = [
            tuple(key)
            for *key, request_id in frame.select(*schemas.KEYS[kind], "request_id").iter_rows()
            if tuple(key) in wanted and request_id != wanted[tuple(key)]
        ]
        if odd:
            path = paths.artifact(kind, slug)
            self._report(
                path,
                f"{len(odd)} rows hold completions of other requests than the study's, the first "
                f"{_named(path, odd[0])}; {_again(path)}",
            )

    def _keys(
        self, kind: str, slug: str, frame: pl.DataFrame, wanted: Collection[Key], of: str
    ) -> None:
        present = set(frame.select(schemas.KEYS[kind]).iter_rows())
        self._difference(paths.artifact(kind, slug), "rows", present, wanted, of)

    def _difference(
        self, path: Path, what: str, present: Collection[Key], wanted: Collection[Key], of: str
    ) -> None:
        lacking, beyond = set(wanted) - set(present), set(present) - set(wanted)
        for gap, verb in ((lacking, "lacks"), (beyond, "has")):
            if gap:
                more = "" if verb == "lacks" else " beyond them"
                self._report(
                    path,
                    f"{verb} {len(gap)} {what}{more} ({of}: {len(wanted)}), the first "
                    f"{_named(path, min(gap))}; {_again(path)}",
                )

    def _read(self, kind: str, slug: str, model: str | None = None) -> pl.DataFrame | None:
        """A checked artifact, or None where it is missing (found above) or not readable."""
        path = paths.artifact(kind, slug)
        if not path.exists():
            return None
        frame = self._try(path, lambda: files.read(path, kind))
        if frame is None:
            return None
        facts = self._try(path, lambda: provenance.read(path))
        if facts is None:
            return frame
        stage = stages.full_name(STAGE_OF[kind], slug)
        if facts.get("stage") != stage:
            self._report(
                path, f"was made by stage {facts.get('stage')}, not {stage}; {_again(path)}"
            )
        if model is not None:
            pinned = self._try(None, lambda: weights.identity(self.study, model))
            if pinned is not None and facts.get("weights") != pinned:
                self._report(
                    path,
                    f"was made by the weights {facts.get('weights')}, the study's model.{model} is "
                    f"{pinned}; {_again(path)}",
                )
        return frame

    def _try(self, path: Path | None, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except ArtifactError as error:
            if path is not None:
                self._report(path, str(error).removeprefix(f"{path}: "))
            return None

    def _report(self, path: Path, text: str) -> None:
        self.problems.append(Problem(path, text))


def _again(path: Path) -> str:
    """How an artifact is made again, also where DVC takes it for what its stage has made."""
    stage = stages.full_name(STAGE_OF[path.parent.name], path.stem)
    return f"run `dvc repro`; if it stays, `dvc repro --force --single-item {stage}`"


def _outs(study: Study, problems: list[Problem]) -> Iterator[tuple[Path, str]]:
    """Outputs of the study's stages with their hashes in `dvc.lock`."""
    try:
        recorded = yaml.safe_load(LOCK_FILE.read_text(encoding="utf-8"))["stages"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        problems.append(Problem(LOCK_FILE, f"cannot be read ({error!r}); `dvc repro` makes it"))
        return
    for name, slug in stages.instances(study):
        stage = stages.full_name(name, slug)
        if stage not in recorded:
            problems.append(Problem(LOCK_FILE, f"does not know {stage}; `dvc repro` runs it"))
            continue
        for out in recorded[stage].get("outs", []):
            yield Path(out["path"]), out["md5"]


def md5(path: Path) -> str | None:
    """Hash of a file or folder as DVC records it, always from the bytes; None if there is none."""
    if not path.is_dir():
        return _file_md5(path) if path.is_file() else None
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.tree import Tree

    tree: Any = Tree()  # type: ignore[no-untyped-call]
    for file in _files(path):
        tree.add(file.relative_to(path).parts, None, HashInfo("md5", _file_md5(file)))
    tree.digest()
    return str(tree.hash_info.value)


def _files(folder: Path) -> Iterable[Path]:
    ignored = {".snakemake_timestamp"}  # as in .dvcignore
    return (file for file in folder.rglob("*") if file.is_file() and file.name not in ignored)


def _file_md5(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _named(path: Path, key: Key) -> str:
    names = schemas.KEYS[path.parent.name][: len(key)]
    return ", ".join(f"{name}={value!r}" for name, value in zip(names, key, strict=True))
