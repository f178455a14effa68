"""Requests and completions: what is asked of an engine, what it answers, and how each is named.

Pure functions and values only. A request is hashed over exactly what determines its completion,
so a finished completion can be found again by whoever asks for the same thing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

End = Literal["eos", "stop_token", "length"]
"""Why a completion ended: an end-of-sequence token of the model, another token of the stop set, or
the token limit. `Completion.stop_id` tells which token it was."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Every sampling parameter that reaches an engine; models' own defaults are never used.

    Attributes:
        temperature: Softmax temperature; 0 is greedy.
        top_p: Nucleus mass in (0, 1]; 1 keeps the whole distribution.
        max_tokens: Limit of generated tokens, the ending token not counted.
        stop_ids: Token ids that end the completion, ascending, the model's EOS among them.
        json_schema: JSON schema, as text, that the completion is held to; None leaves it free.
    """

    temperature: float
    top_p: float
    max_tokens: int
    stop_ids: tuple[int, ...]
    json_schema: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One completion to generate (always n = 1).

    Attributes:
        weights: Identity of the weights and the number format they run in.
        context: Token ids in front of the completion.
        sampling: The complete sampling parameters.
        seed: Seed of this request alone; 0 where `sampling` is greedy.
    """

    weights: str
    context: tuple[int, ...]
    sampling: Sampling
    seed: int

    @property
    def id(self) -> str:
        """Hash (32 hexadecimal digits) of everything that determines the completion."""
        fields = asdict(self)
        if self.sampling.json_schema is None:  # stores hold ids from before there were schemas
            del fields["sampling"]["json_schema"]
        canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Completion:
    """What an engine generated for one request.

    Attributes:
        token_ids: Generated ids without the token that ended them.
        end: Why it ended.
        stop_id: The token that ended it; None where `end` is `length`.
    """

    token_ids: tuple[int, ...]
    end: End
    stop_id: int | None
