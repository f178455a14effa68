"""Turns whose label is known, and conversations to make such turns from, of the registry."""

from __future__ import annotations

from typing import Literal

from userturn.study.section import Section, Slug, field
from userturn.study.sources import BytesSource, FileSource

Kind = Literal[
    "conversations", "mathchat", "mtbench101", "mt_bench", "mtrag", "oasst1", "gold", "read"
]


class ReferenceEntry(Section):
    """A set of reference turns, or of conversations with real second turns."""

    kind: Kind = field(..., "Reader (src/userturn/judges/calibration/).")
    source: BytesSource = field(..., "Where the turns or conversations come from.")
    prompts: Slug | None = field(
        None,
        "Kind `gold`: entry of `dataset` whose texts are the queries.",
    )
    dataset: str | None = field(
        None,
        "Kind `gold`: takes the lines of this `dataset`.",
        otherwise="the name of `prompts`",
    )
    conversations: Slug | None = field(
        None,
        "Kind `read`: entry of `reference` whose second turns were read; takes the lines with its "
        "name for `dataset`.",
    )
    answers: BytesSource | None = field(None, "Kind `mt_bench`: its reference answers.")
    task: str | None = field(None, "Kind `mtbench101`: task code, such as `CR`.")
    reacts: bool = field(True, "Whether the second turns are taken to react to the answer.")
    license: str = field("unknown", "Licence of the data (SPDX id).")

    @property
    def turns(self) -> tuple[str, str | None] | None:
        """Which turns with labels by reading it has, wherever their texts are; None of others."""
        named = {"gold": self.dataset or self.prompts, "read": self.conversations}
        return (self.kind, named[self.kind]) if self.kind in named else None


def own_reference() -> dict[str, ReferenceEntry]:
    """The conversations that ship with the project."""
    source = FileSource(type="file", path="data/reference/conversations.jsonl")
    return {"own": ReferenceEntry(kind="conversations", source=source, license="Apache-2.0")}
