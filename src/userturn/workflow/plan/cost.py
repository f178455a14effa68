"""How long work takes: a roofline of one model on its GPUs or on two CPU cores. Pure.

With N parameters that one token passes through (of a mixture of experts the active ones), W bytes
of weights, g GPUs of F FLOP/s and B byte/s:

- Reading T tokens is bound by arithmetic: `2 N T / (g F u)`, u the utilisation of prefill.
- Writing runs in steps of one token for each of b sequences, and a step takes the longer of moving
  weights, `W min(1, b N / N_all) / (g B v)`, and arithmetic, `2 N b / (g F u)`. Of a mixture of
  experts a small batch touches only some, hence the minimum. The keys and values that a step reads
  are left to the utilisation v.

(Williams, Waterman and Patterson 2009, doi:10.1145/1498765.1498785; Pope et al. 2022,
arXiv:2211.05102, for transformers.)
"""

from __future__ import annotations

from dataclasses import dataclass

from userturn.study.models import ModelEntry
from userturn.workflow.plan.assumptions import Assumptions

BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0, "auto": 2.0}
"""Bytes of a parameter; `auto` is the checkpoint's own, most often 16 bits."""


@dataclass(frozen=True, slots=True)
class Load:
    """Tokens that a model is to read and to write.

    Attributes:
        requests: How many requests that is.
        tokens_in: Tokens of all contexts as they are sent.
        tokens_read: Those that have to be computed: a shared beginning once.
        tokens_out: Tokens that it writes, as expected.
        tokens_out_most: The same where every completion runs to its limit.
    """

    requests: int = 0
    tokens_in: float = 0.0
    tokens_read: float = 0.0
    tokens_out: float = 0.0
    tokens_out_most: float = 0.0

    def scaled(self, share: float) -> Load:
        """A share of it."""
        return Load(
            round(self.requests * share),
            self.tokens_in * share,
            self.tokens_read * share,
            self.tokens_out * share,
            self.tokens_out_most * share,
        )


def weights_gb(entry: ModelEntry) -> float | None:
    """Size of a model's weights as published, GB; None where the registry does not say."""
    if entry.disk_gb is not None:
        return entry.disk_gb
    if entry.parameters is None:
        return None
    return entry.parameters * BYTES[entry.engine.dtype]


def seconds(
    entry: ModelEntry, load: Load, assumed: Assumptions, *, scores: bool = False
) -> float | None:
    """Wall-clock of one job of a model on the GPUs that its entry asks for; 0 for no requests.

    Args:
        entry: The model.
        load: What it reads and writes.
        assumed: Speeds and utilisations.
        scores: It scores given tokens, one context at a time, and writes none.

    Returns:
        Seconds, with the time to load the weights; None where its size is not known.
    """
    size = weights_gb(entry)
    if size is None or entry.parameters is None:
        return None
    if load.requests <= 0:
        return 0.0
    everything = entry.parameters * 1e9
    active = (entry.active_parameters or entry.parameters) * 1e9
    gpus = entry.resources.gpus
    if gpus:
        share = assumed.score_utilisation if scores else assumed.prefill_utilisation
        reads = gpus * assumed.gpu_flops * share
        writes = gpus * assumed.gpu_flops * assumed.prefill_utilisation
        moves = gpus * assumed.gpu_bandwidth * assumed.decode_utilisation
    else:
        reads, writes = assumed.cpu_prefill_flops, assumed.cpu_decode_flops
        moves = float("inf")  # the measured rate holds it
    batch = min(entry.engine.max_num_seqs, load.requests)
    touched = size * 1e9 * min(1.0, batch * active / everything)
    step = max(touched / moves, 2 * active * batch / writes)
    begin = assumed.load_seconds if gpus else assumed.cpu_load_seconds
    start = begin + size / assumed.load_gb_per_s
    return start + 2 * active * load.tokens_read / reads + load.tokens_out / batch * step
