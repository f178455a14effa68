"""Hugging Face transformers: where vLLM cannot be installed, for scoring, and as tests' oracle."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from userturn.engines.requests import Completion, Request, Sampling
from userturn.study.models import EngineParams

if TYPE_CHECKING:
    import torch

BATCH_TOKENS = 16_384
"""Most keys and values a batch keeps, in tokens of all its rows together."""
LOGIT_TOKENS = 1_024
"""Most positions whose vocabulary-sized logits exist at once while scoring."""


class TransformersEngine(Engine):
    """An `AutoModelForCausalLM` with a decode loop in which every row has its own generator."""

    name = "transformers"

    def __init__(self, params: EngineParams, model_dir: Path) -> None:
        self._params = params
        self._model_dir = model_dir
        self._model: Any = None

    @property
    def max_model_len(self) -> int:
        """Longest context plus completion, in tokens, that the loaded engine takes."""
        own = int(self._loaded().config.get_text_config().max_position_embeddings)
        return min(own, self._params.max_model_len or own)

    def load(self) -> None:
        """Import transformers and load the weights, on a GPU where there is one.

        Raises:
            EngineError: torch or transformers is missing, or the weights cannot be loaded.
        """
        devices.hold(1)
        try:
            import torch
            from transformers import AutoModelForCausalLM
            from transformers.utils import logging
        except ImportError as error:
            raise EngineError(
                f"transformers cannot run here ({error}); install `userturn[cpu]`"
            ) from None
        self._eos = eos_ids(self._model_dir)
        logging.disable_progress_bar()  # the project draws its own
        dtype: Any = self._params.dtype
        try:
            model: Any = AutoModelForCausalLM.from_pretrained(
                self._model_dir, dtype=dtype, local_files_only=True, trust_remote_code=False
            )
            self._model = model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
        except Exception as error:
            raise self._broken("load", error) from error

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Completion]]:
        """Yield each request with its completion as soon as it is finished, in any order.

        Raises:
            EngineError: A request does not fit `max_model_len` or holds a `json_schema`, or the
                model broke; as EngineMemoryError where memory ran out.
        """
        limit = self.max_model_len
        check_fits(requests, limit)
        if any(request.sampling.json_schema for request in requests):
            raise EngineError("the transformers engine cannot hold completions to a JSON schema")
        longest_first = sorted(requests, key=lambda r: (-len(r.context), r.context))
        while longest_first:
            longest = max(len(r.context) + r.sampling.max_tokens for r in longest_first)
            rows = max(1, min(self._params.max_num_seqs, BATCH_TOKENS // longest))
            try:
                yield from self._generate_batch(longest_first[:rows], limit)
            except (RuntimeError, MemoryError) as error:
                raise self._broken("generate", error) from error
            longest_first = longest_first[rows:]

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[list[list[float]]]:
        """Yield, in the order of `requests`, natural-log probabilities per target and token.

        A score is the same, to the last digit, whatever is scored beside it: each context is run
        from its first token, and each of its targets alone against its keys and values. Where a
        model keeps more than keys and values (linear attention), each target is run with its whole
        context.

        Raises:
            EngineError: A request does not fit `max_model_len`, or memory ran out.
        """
        check_scores_fit(requests, self.max_model_len)
        whole = not _keeps_all_keys(self._loaded().config)
        for request in requests:
            runner = (_WholeSequences if whole else _KeptContext)(self, request.context)
            yield [_log_probabilities(runner.logits_of(t), t) for t in request.targets]

    def describe(self) -> dict[str, str]:
        """Facts for provenance: engine, version, device, number format, and what they promise."""
        device = device_name()
        exact = self._params.dtype == "float32" and device == "cpu"
        return {
            "engine": self.name,
            "version": package_version("transformers"),
            "device": device,
            "dtype": self._params.dtype,
            "regeneration": "bit-exact" if exact else "statistical",
        }

    def close(self) -> None:
        """Free the weights; a later `load` works again."""
        import torch

        self._model = None
        gc.collect()
        torch.cuda.empty_cache()  # does nothing where there is no GPU

    def forward(self, ids: torch.Tensor, keep: int, **inputs: Any) -> torch.Tensor:
        """Logits, in float32, of the last `keep` positions of `ids` (rows x positions).

        Raises:
            EngineError: Memory ran out.
        """
        import torch

        model = self._loaded()
        try:
            with torch.inference_mode():
                output = model(ids.to(model.device), logits_to_keep=keep, **inputs)
                logits: torch.Tensor = output.logits.float()
                return logits
        except RuntimeError as error:
            raise self._broken("run", error) from error

    def _generate_batch(
        self, batch: Sequence[Request], limit: int
    ) -> Iterator[tuple[Request, Completion]]:
        """Decode left-padded rows together; a row's draws come from its own generator alone."""
        import torch
        from transformers import DynamicCache

        model = self._loaded()
        width = len(batch[0].context)
        mask = torch.ones(len(batch), width, dtype=torch.long)
        ids = torch.zeros_like(mask)
        for row, request in enumerate(batch):
            padding = width - len(request.context)
            mask[row, :padding] = 0
            ids[row, padding:] = torch.tensor(request.context)
        mask = mask.to(model.device)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        cache = DynamicCache(config=model.config)
        generators = [torch.Generator(model.device).manual_seed(r.seed) for r in batch]
        generated: list[list[int]] = [[] for _ in batch]
        running = set(range(len(batch)))
        while running:
            logits = self.forward(
                ids, 1, attention_mask=mask, position_ids=positions, past_key_values=cache
            )[:, -1]
            for row in sorted(running):
                request = batch[row]
                token = _draw(logits[row], request.sampling, generators[row])
                generated[row].append(token)
                full = len(generated[row]) == steps(request, limit)
                if full or token in request.sampling.stop_ids:
                    running.remove(row)
                    yield request, finish(generated[row], request.sampling, self._eos)
            ids = torch.tensor([[tokens[-1]] for tokens in generated])
            mask = torch.cat([mask, mask.new_ones(len(batch), 1)], dim=1)
            positions = positions[:, -1:] + 1

    def _loaded(self) -> Any:
        if self._model is None:
            raise EngineError("the transformers engine was used before load()")
        return self._model

    def _broken(self, doing: str, error: Exception) -> EngineError:
        kind = EngineMemoryError if ran_out_of_memory(error) else EngineError
        return kind(
            f"{self._model_dir}: transformers could not {doing} ({why(error, self._model_dir)}); "
            "if memory ran out, lower engine.max_num_seqs or engine.max_model_len"
        )


ENGINE = EngineKind(lambda params, folder, _: TransformersEngine(params, folder), package="torch")


class _KeptContext:
    """Keys and values of one context."""

    def __init__(self, engine: TransformersEngine, context: tuple[int, ...]) -> None:
        import torch
        from transformers import DynamicCache

        self._engine = engine
        # Made without a configuration, the cache keeps sliding-window layers whole, so that it
        # can be cut; the attention mask applies the window.
        self._cache: Any = DynamicCache()
        self._behind = engine.forward(
            torch.tensor([context]), 1, past_key_values=self._cache, use_cache=True
        )

    def logits_of(self, target: tuple[int, ...]) -> torch.Tensor:
        """Logits of every token of a target behind the context (tokens x vocabulary)."""
        import torch

        if len(target) == 1:
            return self._behind[0]
        fed = torch.tensor([target[:-1]])
        rest = self._engine.forward(
            fed, len(target) - 1, past_key_values=self._cache, use_cache=True
        )
        self._cache.crop(1 - len(target))
        return torch.cat([self._behind, rest], dim=1)[0]


class _WholeSequences:
    """The same for models that carry more than keys and values: context and target in one row."""

    def __init__(self, engine: TransformersEngine, context: tuple[int, ...]) -> None:
        self._engine, self._context = engine, context

    def logits_of(self, target: tuple[int, ...]) -> torch.Tensor:
        """Logits of every token of a target behind the context (tokens x vocabulary)."""
        import torch

        row = torch.tensor([(*self._context, *target)])
        return self._engine.forward(row[:, :-1], len(target), use_cache=False)[0]


def _keeps_all_keys(config: Any) -> bool:
    """Whether keys and values are all that the model carries from one token to the next."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    layers = DynamicCache(config=config).layers
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


def _log_probabilities(logits: torch.Tensor, target: tuple[int, ...]) -> list[float]:
    """Natural-log probability of every token of a target.

    Args:
        logits: Tokens x vocabulary, in float32.
        target: Token ids, one per row of `logits`.
    """
    import torch

    chosen = torch.tensor(target, device=logits.device)
    picked = logits.gather(1, chosen[:, None])[:, 0] - logits.logsumexp(dim=1)
    values: list[float] = picked.tolist()
    return values


def _draw(logits: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """Next token of one row, greedy or from the nucleus of its distribution."""
    import torch

    if sampling.temperature == 0:
        return int(logits.argmax())
    probabilities = (logits / sampling.temperature).softmax(dim=-1)
    if sampling.top_p < 1:
        ranked, order = probabilities.sort(descending=True)
        outside = ranked.cumsum(dim=-1) - ranked >= sampling.top_p
        probabilities[order[outside]] = 0
    return int(torch.multinomial(probabilities, 1, generator=generator))
