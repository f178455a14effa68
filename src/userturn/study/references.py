"""A set of conversations with real second turns, of the registry."""

from __future__ import annotations

from typing import Literal

from userturn.study.section import Section, field
from userturn.study.sources import BytesSource, FileSource


class ReferenceEntry(Section):
    """Conversations with real second turns, for calibration."""

    kind: Literal["conversations", "mathchat", "mtbench101", "mt_bench"] = field(
        ..., "Reader (src/userturn/judges/calibration/)."
    )
    source: BytesSource = field(..., "Where the conversations come from.")
    answers: BytesSource | None = field(None, "Kind `mt_bench`: its reference answers.")
    task: str | None = field(None, "Kind `mtbench101`: task code, such as `CR`.")
    reacts: bool = field(True, "Whether the second turns react to the answer.")
    license: str = field("unknown", "Licence of the data (SPDX id).")


def own_reference() -> dict[str, ReferenceEntry]:
    """The conversations that ship with the project."""
    source = FileSource(type="file", path="data/reference/conversations.jsonl")
    return {"own": ReferenceEntry(kind="conversations", source=source, license="Apache-2.0")}
