"""An LLM judge behind a server with the chat interface of OpenAI."""

from __future__ import annotations

import sys

from userturn.judges.kinds import Row, Turns
from userturn.judges.kinds._llm import label as ask
from userturn.models import keys
from userturn.study.judges import ServerJudge
from userturn.study.study import Study


def label(study: Study, judge: str, stage: str, turns: Turns) -> tuple[list[Row], Row]:
    """Ask the judge, unless it is optional and its key was set nowhere: then no row, and why."""
    if keys.is_asked(study, judge):
        return ask(study, judge, stage, turns)
    entry = study.judge[judge]
    assert isinstance(entry, ServerJudge)
    why = f"{entry.key_env} was set nowhere where the study ran"
    print(
        f"{stage}: the judge '{judge}' is not asked, for {why}; set it and run the same command "
        "again to add its labels",
        file=sys.stderr,
    )
    return [], {"not_asked": why}


JUDGE = label
