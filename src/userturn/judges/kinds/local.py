"""An LLM judge in this process: the model `classify.judge_model`."""

from __future__ import annotations

from userturn.judges.kinds._llm import label

JUDGE = label
