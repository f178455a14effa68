"""The report's page over all turns of a study, where reading can become labelling.

It is the page of stage `report`, but its turns come from here, a few at a time, so that it has all
of them (report/_query.py). An annotator's labels go to the same file as those of `annotate`. A turn
that is labelled here was chosen by who reads: outside the sample of `annotate` it has no known
weight, so it counts in the judges' agreement and in no corrected rate.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, BinaryIO

from pydantic import BaseModel, ConfigDict, Field

from userturn.annotate import http
from userturn.annotate.file import held
from userturn.annotate.http import Reply, as_json
from userturn.annotate.saving import append
from userturn.artifacts.labels import Label
from userturn.artifacts.schemas import TURN_KEY
from userturn.artifacts.turns import frame
from userturn.judges.human import labels as human
from userturn.report import _page
from userturn.report._part import Served, Source, read_source
from userturn.report._query import Every, Wanted, key_of

if TYPE_CHECKING:
    from userturn.study.study import Study


class Given(BaseModel):
    """What the page posts."""

    model_config = ConfigDict(extra="forbid")

    turn: str  # its name in the page's addresses
    label: Label | None  # None takes it back
    seconds: float = Field(ge=0, allow_inf_nan=False)


class Labels:
    """What one annotator says of turns: read from their file, and appended to it.

    Args:
        study: Study whose turns they are.
        file: The annotator's file, open for appending, unbuffered.
        lines: What it holds.
    """

    def __init__(self, study: Study, file: BinaryIO, lines: list[human.Annotation]) -> None:
        self._study, self._file = study, file
        self._given = human.in_force(lines)
        self._lock = threading.Lock()

    def on(self, block: Mapping[str, Any]) -> dict[str, str]:
        """Labels in force on the turns of a block, by the turns' names."""
        ours = {}
        with self._lock:
            for model, prompt, condition, temperature, sample, answer, text, *_ in block["turns"]:
                dataset, item, query, *before = block["prompts"][prompt]
                earlier = [
                    {"role": role, "content": content}
                    for role, content in zip(before[::2], before[1::2], strict=True)
                ]
                key = (model, dataset, item, condition, temperature, sample)
                shown = block["answers"][answer]
                label = self._given.get(_text(key, human.digest(query, shown, text, earlier)))
                if label is not None:
                    ours[_name(key)] = str(label)
        return ours

    def give(self, given: Given) -> bool:
        """Save a label; False where there is no such turn.

        Raises:
            OSError: The line could not be written; the file is as it was.
        """
        key = key_of(given.turn)
        if key is None or key["model"] not in self._study.models.probe:
            return False
        turns = frame(self._study, key["model"], [key["item"]])
        row = next(
            turns.filter(**{name: key[name] for name in TURN_KEY}).iter_rows(named=True), None
        )
        if row is None or row["skipped"] is not None:
            return False
        digest = human.digest(row["query"], row["shown"], row["text"], row["earlier"] or ())
        text = _text(tuple(key.values()), digest)
        with self._lock:
            append(self._file, text, given.label, given.seconds)
            self._given.pop(text, None)
            if given.label is not None:
                self._given[text] = given.label
        return True


class Browser:
    """The page and its turns as a site.

    Args:
        source: What the page is made of.
        labels: The annotator's, or None of a reader.
    """

    def __init__(self, source: Source, every: Every, labels: Labels | None) -> None:
        self._source, self._every, self._labels = source, every, labels

    @cached_property
    def policy(self) -> str:
        """The page's own, and nobody may put it into a frame."""
        return f"{_page.policy(self._source)}; frame-ancestors 'none'"

    @cached_property
    def _content(self) -> bytes:
        return _page.render(self._source).encode()

    def get(self, name: str, asked: Mapping[str, str]) -> Reply | None:
        """The page, turns that pass its filters, or those of one prompt. Raises as `http.Site`."""
        if name == "":
            return Reply("text/html; charset=utf-8", self._content)
        if name == "turns":
            return self._turns(self._every.answer(Wanted.model_validate(asked)))
        if name == "turn":
            block = self._every.beside(asked.get("turn", ""))
            return None if block is None else self._turns(block)
        return None

    def post(self, name: str, content: bytes) -> Reply | None:
        """A label. Raises as `http.Site`."""
        if name != "label" or self._labels is None:
            return None
        given = Given.model_validate_json(content)
        return as_json({}) if self._labels.give(given) else None

    def _turns(self, block: dict[str, Any]) -> Reply:
        mine = {} if self._labels is None else self._labels.on(block)
        return as_json({**block, "mine": mine}, HTTPStatus.OK)


@contextmanager
def open_browser(study: Study, annotator: str | None) -> Iterator[Browser]:
    """The page over all turns; with an annotator's name, their file open for this process alone.

    Raises:
        ArtifactError: An artifact is missing, corrupt, or from another study.
        UserturnError: The name is no annotator's, or the file is in use.
    """
    every = Every(study)
    served = Served(every.index.height, annotator)
    source = replace(read_source(study), served=served)
    if annotator is None:
        yield Browser(source, every, None)
        return
    path = human.file_of(annotator)
    with held(annotator) as file:
        labels = Labels(study, file, human.read_lines(path, human.Annotation))
        yield Browser(source, every, labels)


def serve(study: Study, annotator: str | None, port: int) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        UserturnError: See `open_browser` and `http.listen`.
    """
    with open_browser(study, annotator) as browser:
        http.run(*http.listen(browser, port))


def _text(key: tuple[Any, ...], sha256: str) -> human.Text:
    return human.Text(**dict(zip(("model", *TURN_KEY), key, strict=True)), sha256=sha256)


def _name(key: tuple[Any, ...]) -> str:
    """A turn's name in the page's addresses, as its script makes it."""
    model, dataset, item, condition, temperature, sample = key
    degree = int(temperature) if temperature == int(temperature) else temperature
    return "/".join(map(str, (model, dataset, item, condition, degree, sample)))
