"""Turns with labels by reading: of models (`gold`) and of people (`read`).

A line of such a file names its dataset and item, from which the query comes, and holds `labels`,
one per annotator. What counts is the label on which annotators agreed in the end, else that of the
first. A line of gold holds answer and turn; one of `read` a hash of query, answer and turn, whose
texts stay in their dataset.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from userturn.artifacts.labels import Label
from userturn.base import paths
from userturn.base.errors import SourceError
from userturn.judges.calibration import conversations
from userturn.judges.calibration.reference import Reference
from userturn.models import sources
from userturn.prompts import collect
from userturn.study.study import Study

AGREED = "agreed"
"""Annotator of the label on which others agreed."""


def gold(study: Study, slug: str) -> list[Reference]:
    """Turns that models wrote behind the prompts of a dataset, with labels by reading.

    Those behind items that the dataset lacks, another version of it, are left out and counted.

    Raises:
        SourceError: A file cannot be had, is not of this kind, or is not of these prompts.
    """
    entry = study.reference[slug]
    if entry.prompts not in study.dataset:
        raise SourceError(f"reference.{slug}: `prompts` must name an entry of `dataset`")
    queries = {prompt.item: prompt.text for prompt in collect.load(study, entry.prompts)[0]}
    lines = list(_lines_of(study, slug, entry.dataset or entry.prompts))
    known = [line for line in lines if line["item"] in queries]
    if len(known) < len(lines):
        print(
            f"reference.{slug}: {len(lines) - len(known)} of {len(lines)} turns are behind items "
            f"that dataset '{entry.prompts}' lacks: left out",
            file=sys.stderr,
        )
    turns = []
    numbers: Counter[str] = Counter()
    for line in known:
        item = line["item"]
        turns.append(
            Reference(
                set=slug,
                item=item,
                source=slug,
                kind="gold",
                query=queries[item],
                answer=line["answer"],
                text=line["turn"],
                number=numbers[item],
                end=line["end"],
                condition=line["condition"],
                temperature=line["temperature"],
                **reading(line),
            )
        )
        numbers[item] += 1
    return turns


def read(study: Study, slug: str) -> list[Reference]:
    """Real second turns of a set of conversations, with labels by reading.

    Raises:
        SourceError: A file cannot be had, is not of this kind, or is not of these conversations.
    """
    source = study.reference[slug].conversations
    if source is None:
        raise SourceError(f"reference.{slug}: kind 'read' needs the key `conversations`")
    by_item = {one.item: one for one in conversations.read(study, source)}
    turns = []
    for line in _lines_of(study, slug, source):
        at = by_item.get(line["item"])
        texts = at and [at.query, at.answer, at.turn]
        if at is None or hashlib.sha256(json.dumps(texts).encode()).hexdigest() != line["sha256"]:
            raise SourceError(
                f"reference.{slug}: conversation '{line['item']}' of '{source}' is not the one "
                "that was read; restore the file"
            )
        turns.append(
            Reference(
                set=slug,
                item=at.item,
                source=source,
                kind="read",
                query=at.query,
                answer=at.answer,
                text=at.turn,
                **reading(line),
            )
        )
    return turns


def settled(labels: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The label that counts of those of several annotators: the one agreed on, else the first.

    >>> settled([{"label": "on_topic"}, {"annotator": "agreed", "label": "followup"}])["label"]
    'followup'
    """
    return next((one for one in labels if one.get("annotator") == AGREED), labels[0])


def reading(line: Mapping[str, Any]) -> dict[str, Any]:
    """`label` and `sure` of a line with the labels of several annotators.

    >>> reading({"labels": [{"annotator": "1", "label": "on_topic", "sure": False}]})
    {'label': <Label.ON_TOPIC: 'on_topic'>, 'sure': False}
    """
    chosen = settled(line["labels"])
    return {"label": Label(chosen["label"]), "sure": chosen["sure"]}


def _lines_of(study: Study, slug: str, dataset: str) -> Iterator[dict[str, Any]]:
    """Lines of a set's file that are of one dataset."""
    key, source = f"reference.{slug}.source", study.reference[slug].source
    path = sources.fetch(source, paths.cache(), key=key).path
    try:
        chosen = [line for line in conversations.lines(path) if line["dataset"] == dataset]
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"reference.{slug}: {path} holds no labelled turns ({error!r})") from None
    if not chosen:
        raise SourceError(f"reference.{slug}: {path} holds no turn of '{dataset}'")
    yield from chosen
