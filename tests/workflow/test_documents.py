"""Every marked block of the documents runs, in the order of the pages, on a finished study."""

from __future__ import annotations

import pytest

from documents import PAGES, ROOT, blocks

from .conftest import Clone

pytestmark = pytest.mark.slow

HERE = {"smollm2_135m": "alpha", "mt_bench": "first"}
"""What the small study has in the place of what the documents name."""


def test_marked_blocks_run(copied: Clone) -> None:
    for page in PAGES:
        for marked, text in blocks(page):
            if marked:
                for name, ours in HERE.items():
                    text = text.replace(name, ours)
                done = copied.command("bash", "-euo", "pipefail", "-c", text, active=True)
                assert done.status == 0, f"{page.relative_to(ROOT)}:\n{text}\n{done.text}"
