"""A directory of Hugging Face `datasets`: a split per model, a row per turn, and a card."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from userturn.artifacts.schemas import TURN_KEY, columns
from userturn.base.progress import progress
from userturn.export import Format
from userturn.export._card import card
from userturn.export._turns import FACTS, SAID, TEXTS, measures, table
from userturn.study.study import Study

if TYPE_CHECKING:
    import pyarrow as pa


def write(study: Study, folder: Path) -> int:
    """Write `datasets.DatasetDict` with `save_to_disk`, and README.md beside it.

    One model's turns are in memory at a time.
    """
    from datasets import Dataset, DatasetDict, Features, disable_progress_bars

    disable_progress_bars()
    features = Features.from_arrow_schema(schema())
    models = study.models.probe
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        splits = {}
        with progress("export datasets", len(models), "models") as advance:
            for slug in models:
                rows = Path(work) / f"{slug}.parquet"
                table(study, slug).write_parquet(rows)
                splits[slug] = Dataset.from_parquet(
                    str(rows), split=slug, features=features, cache_dir=f"{work}/{slug}"
                )
                advance(0)
            DatasetDict(splits).save_to_disk(folder)
        counts = {slug: len(split) for slug, split in splits.items()}
    (folder / "README.md").write_text(card(study, counts), encoding="utf-8")
    return sum(counts.values())


def schema() -> pa.Schema:
    """Types of a row's columns."""
    import pyarrow as pa

    def named(types: dict[str, str]) -> list[pa.Field]:
        return [pa.field(name, pa.type_for_alias(kind)) for name, kind in types.items()]

    turns = columns("user_turns")
    plain = {
        **dict.fromkeys(TEXTS, "string"),
        **{name: turns[name] for name in FACTS},
        **measures(),
    }
    message = pa.struct(named({"role": "string", "content": "string"}))
    return pa.schema(
        [
            *named({name: turns[name] for name in TURN_KEY}),
            pa.field("earlier", pa.list_(message)),
            *named(plain),
            pa.field("labels", pa.list_(pa.struct(named(SAID)))),
        ]
    )


FORMAT = Format(
    "a directory of `datasets`, a split per model, with a card",
    'datasets.load_from_disk("{folder}")',
    write,
)
