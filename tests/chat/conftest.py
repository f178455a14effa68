"""Chats of every family of templates, and of the laptop model."""

from __future__ import annotations

from pathlib import Path

import pytest

from chat_templates import FAMILIES, family
from userturn.chat.chat import Chat
from userturn.study import models


@pytest.fixture(scope="session")
def smollm2(smollm2_dir: Path) -> Chat:
    return Chat.load(smollm2_dir, models.Chat())


@pytest.fixture(params=[*FAMILIES, "smollm2"])
def chat(request: pytest.FixtureRequest) -> Chat:
    if request.param == "smollm2":
        made = request.getfixturevalue("smollm2")
        assert isinstance(made, Chat)
        return made
    return family(request.param)
