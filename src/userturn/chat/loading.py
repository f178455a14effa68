"""The chat of a model of the study."""

from __future__ import annotations

from userturn.chat.chat import Chat
from userturn.models import weights
from userturn.study.study import Study


def load_chat(study: Study, slug: str) -> Chat:
    """Chat template and tokenizer of a model, self-checked. Raises TemplateError."""
    chat = Chat.load(weights.materialise(study, slug), study.model[slug].chat)
    chat.self_check()
    return chat
