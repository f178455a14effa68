"""The chat of a model of the study."""

from __future__ import annotations

from userturn.chat.chat import Chat
from userturn.models import weights
from userturn.study.study import Study


def load_chat(study: Study, slug: str, *, system: bool = False) -> Chat:
    """Chat template and tokenizer of a model, self-checked.

    Args:
        study: The study.
        slug: The model.
        system: Some of its conversations begin with a system message.

    Raises:
        TemplateError: The template does not carry a conversation as it is.
    """
    chat = Chat.load(weights.materialise(study, slug), study.model[slug].chat)
    chat.self_check(system=system)
    return chat
