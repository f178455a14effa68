"""An LLM judge of the registry."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from userturn.study.section import Count, NameIn, Section, Slug, Tokens, field

JudgeKind = Annotated[str, NameIn("judges.kinds")]

RUBRICS = Path(__file__).parents[1] / "judges" / "llm" / "rubrics"
"""Folder of the rubrics of LLM judges, one text file per version."""
LIKELIHOOD = "likelihood"
"""Name of the judge that is no LLM."""


class LlmJudge(Section):
    """What every LLM judge has."""

    rubric: Slug = field("v2", "Version of the rubric (src/userturn/judges/llm/rubrics/).")
    max_tokens: Count = field(256, "Limit of a reply; one that is cut gives no label.", "tokens")


class LocalJudge(LlmJudge):
    """The model `classify.judge_model`, run in the process of the stage."""

    type: Literal["local"] = field(..., "Selects this kind of judge.")


class ServerJudge(LlmJudge):
    """A model behind a server with the chat interface of OpenAI."""

    type: Literal["server"] = field(..., "Selects this kind of judge.")
    model: str = field(..., "Name of the model on the server.")
    base_url: str = field(
        "https://api.openai.com/v1",
        "URL up to and with `/v1`; `${NAME}` is replaced by that environment variable.",
    )
    key_env: str | None = field(
        "OPENAI_API_KEY", "Environment variable that holds the key; null: the server wants none."
    )
    concurrency: Count = field(8, "Requests at a time.", "requests")
    retries: Annotated[int, Field(ge=0)] = field(
        6, "Tries after the first, on 429, 5xx and lost connections, ever later.", "tries"
    )
    optional: bool = field(
        False,
        "Ask this judge only if its key was set where the study ran, once at least; false: without "
        "its key the study stops.",
    )
    reasoning_effort: str | None = field(
        None,
        "Sent along, such as `low` or `none`; null: not sent. A model that reasons spends "
        "`max_tokens` on that too, and may refuse temperature 0 unless it is `none`.",
    )
    serves_judge_model: bool = field(
        False,
        "The server has to serve the very weights of `classify.judge_model`, from their folder; "
        "false: `model` is believed.",
    )
    max_total_tokens: Tokens = field(
        2_000_000, "Cost ceiling: tokens, read and written, that this judge may ever use.", "tokens"
    )


class OtherJudge(LlmJudge):
    """A judge of a kind that somebody added, with keys of its own."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: JudgeKind = field(..., "Kind of judge (src/userturn/judges/kinds/).")


def _tag(entry: Any) -> str | None:
    kind = entry.get("type") if isinstance(entry, dict) else getattr(entry, "type", None)
    return kind if kind in (None, "local", "server") else "other"


JudgeEntry = Annotated[
    Annotated[LocalJudge, Tag("local")]
    | Annotated[ServerJudge, Tag("server")]
    | Annotated[OtherJudge, Tag("other")],
    Discriminator(_tag),
]


def optional(entry: LlmJudge) -> bool:
    """Whether a study runs without this judge where nobody has its key."""
    return isinstance(entry, ServerJudge) and entry.optional
