"""The card of an exported data set: what is in it, whose texts they are, and what labels mean."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from userturn import __version__
from userturn.artifacts.labels import MEANING
from userturn.measures import kinds
from userturn.study.study import Study

COLUMNS = {
    "dataset, item": "the prompt: slug of its dataset, and its id there",
    "condition": "`base`, or what was done to the answer before the user turn",
    "temperature, sample": "how the turn was sampled, and which sample it is",
    "earlier": "what stood in front of the query: a system message, exchanges; mostly nothing",
    "query": "the prompt's last user turn",
    "shown": "the answer that the context of the turn showed",
    "own": "the answer to its own prompt; another than `shown` under `swap`",
    "text": "the user turn that the model wrote",
    "end": "what ended it: `eos`, `stop_token`, `length` (cut), `empty`",
    "stripped": "whether a control word was cut off its end",
    "skipped": "why nothing was generated, or null",
    "context_tokens, request_id": "length of its context; hash of weights, context and sampling",
}


def card(study: Study, counts: Mapping[str, int]) -> str:
    """A dataset card in Markdown.

    Args:
        study: The study that the turns are of.
        counts: Turns per model.
    """
    head = yaml.safe_dump(
        {
            "pretty_name": "User turns of chat models",
            "license": "other",
            "language": ["en"],
            "tags": ["user-turns", "interaction-awareness", "userturn"],
        },
        sort_keys=False,
    )
    columns = [*COLUMNS.items(), *_measures(), ("labels", "one per judge and person, see below")]
    sources = [
        (slug, study.dataset[slug].license, "prompts") for slug in study.prompts.datasets
    ] + [(slug, study.model[slug].license, "answers and turns") for slug in counts]
    parts = [
        f"---\n{head}---\n\n# User turns of chat models",
        "A model answers a prompt and then writes the next turn of the *user*, from the user role "
        "of its own chat template (arXiv 2604.02315). Each row is one such turn, with what it "
        f"reacts to, measures and labels. Written by `userturn` {__version__}; a split per model.",
        "```python\nfrom datasets import load_from_disk\n\n"
        f'turns = load_from_disk("FOLDER")["{next(iter(counts))}"]\n```',
        _table(("split", "turns"), [(f"`{slug}`", f"{n}") for slug, n in counts.items()]),
        f"Seed {study.seed}; primary judge `{study.classify.primary}`; answers and turns were "
        f"generated with `generate.context: {study.generate.context}`.",
        "## Columns",
        _table(("column", "is"), [(_code(names), meaning) for names, meaning in columns]),
        "`labels` holds `judge` (a slug, or a person's name where `person` is true), `against` "
        "(`shown`, or under `swap` also `own`: judged against the answer that the context did not "
        "show), `label`, `probability` of a follow-up, `invalid` (why there is no label), "
        "`reason`, and the quotes `evidence_turn` and `evidence_answer`. Judges differ: report "
        "rates per judge, never mixed. A label is a way to the turns, and no measurement by "
        "itself: read some before you use a rate.",
        "## Labels",
        _table(("label", "the turn"), [(f"`{label}`", text) for label, text in MEANING.items()]),
        "## Whose texts these are",
        "Prompts and models keep their own licences:",
        _table(("slug", "licence", "gives"), [(f"`{s}`", has, of) for s, has, of in sources]),
    ]
    return "\n\n".join(parts) + "\n"


def _measures() -> list[tuple[str, str]]:
    return [(name, f"{m.meaning} ({m.unit})") for name, m in kinds.load_all().items()]


def _code(names: str) -> str:
    return ", ".join(f"`{name}`" for name in names.split(", "))


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
