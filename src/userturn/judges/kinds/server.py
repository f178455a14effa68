"""An LLM judge behind a server with the chat interface of OpenAI."""

from __future__ import annotations

from userturn.judges.kinds._llm import label

JUDGE = label
