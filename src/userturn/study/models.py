"""A model of the registry: its weights, how it runs, how its conversations become tokens."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from userturn.study.section import Count, NameIn, Section, Share, field
from userturn.study.sources import Source

ENGINES = "engines.kinds"
"""Room of the engines."""
EngineName = Annotated[str, NameIn(ENGINES, also=("auto",))]


class ServerParams(Section):
    """A running server with the OpenAI interface. Nothing here may change a result."""

    base_url: str = field(
        "http://localhost:8000/v1",
        "URL up to and with `/v1`; `${NAME}` is replaced by that environment variable.",
    )
    model: str | None = field(
        None,
        "Name by which the server knows the model; null wants one served from the very folder "
        "where this study has the weights.",
    )
    key_env: str | None = field(
        None, "Environment variable that holds the server's key; null: it wants none."
    )
    concurrency: Count = field(64, "Requests in flight.", "requests")
    retries: Annotated[int, Field(ge=0)] = field(6, "Tries after the first.", "tries")
    timeout_s: Annotated[float, Field(gt=0)] = field(
        600, "Longest time for an answer: longer than the longest generation.", "seconds"
    )


class EngineParams(Section):
    """How a model runs. Nothing here may change a result, except `dtype`."""

    name: EngineName = field(
        "auto",
        "`auto` takes vLLM where it is installed, else transformers; `openai` asks a server; "
        "`fake` is for workflow tests.",
    )
    dtype: Literal["float32", "bfloat16", "float16", "auto"] = field(
        "float32",
        "Number format of the weights; `auto` takes the checkpoint's. Exact claims need float32.",
    )
    max_model_len: Count | None = field(
        None, "Longest context plus completion; null takes the model's own limit.", "tokens"
    )
    max_num_seqs: Count = field(64, "Sequences in a batch.", "sequences")
    tensor_parallel: Count = field(1, "GPUs a layer is split over.", "GPUs")
    pipeline_parallel: Count = field(1, "Pipeline stages.", "GPUs")
    kv_cache_gib: Annotated[float, Field(gt=0)] = field(
        2, "vLLM's key-value cache on a CPU.", "GiB"
    )
    gpu_memory_share: Share = field(0.9, "Share of a GPU's memory vLLM may take.", "share")
    enforce_eager: bool = field(True, "Run without compiled graphs: starts in seconds.")
    hang_seconds: Annotated[float, Field(gt=0)] | None = field(
        1800,
        "Time without a finished request after which the run ends, for the engine hangs; null: "
        "never.",
        "seconds",
    )
    server: ServerParams = field(ServerParams, "The server of the engine `openai`.")

    @property
    def gpus(self) -> int:
        """GPUs that one copy of the model is spread over."""
        return self.tensor_parallel * self.pipeline_parallel


class Chat(Section):
    """How a conversation becomes tokens."""

    template: str | None = field(
        None,
        "Chat template (Jinja) in place of the tokenizer's own, for a base model that has none.",
    )
    template_kwargs: dict[str, bool | int | float | str] = field(
        dict, "Passed to the chat template, such as `enable_thinking` or a fixed date."
    )
    extra_stop: list[str] = field(
        list, "Special tokens that end a user turn beside those found in the template."
    )
    strip_suffixes: list[str] = field(
        list, "Control words the family's models write after a user turn (`/nothink`): cut off."
    )


class Resources(Section):
    """What one job of this model asks of a scheduler."""

    gpus: Annotated[int, Field(ge=0)] = field(0, "GPUs.", "GPUs")
    mem_gb: Annotated[float, Field(gt=0)] = field(8, "Main memory.", "GB")
    hours: Annotated[float, Field(gt=0)] = field(1, "Wall-clock limit.", "hours")


class ModelEntry(Section):
    """One model of the registry."""

    source: Source = field(..., "Where the weights come from.")
    license: str = field("unknown", "Licence of the weights (SPDX id).")
    format: Literal["hf", "gguf"] = field(
        "hf", "`hf`: a Hugging Face directory; `gguf`: one file, converted to such a directory."
    )
    parameters: Annotated[float, Field(gt=0)] | None = field(
        None, "Total parameters; orders tables and figures.", "1e9"
    )
    active_parameters: Annotated[float, Field(gt=0)] | None = field(
        None,
        "Parameters that one token passes through, of a mixture of experts; only `userturn plan` "
        "reads it.",
        "1e9",
        otherwise="parameters",
    )
    disk_gb: Annotated[float, Field(gt=0)] | None = field(
        None,
        "Size of the weights as they are published; only `userturn plan` reads it.",
        "GB",
        otherwise="parameters times the bytes of engine.dtype",
    )
    family: str = field("other", "Model family; groups tables and figures.")
    engine: EngineParams = field(EngineParams, "How the model runs.")
    chat: Chat = field(Chat, "How a conversation becomes tokens.")
    resources: Resources = field(Resources, "What one job asks of a scheduler.")

    @model_validator(mode="after")
    def _gpus_suffice(self) -> ModelEntry:
        if self.engine.gpus > max(1, self.resources.gpus):
            raise ValueError(
                f"engine.tensor_parallel times engine.pipeline_parallel is {self.engine.gpus}, "
                f"more than resources.gpus, {self.resources.gpus}: a job would take GPUs that it "
                "did not ask for"
            )
        return self
