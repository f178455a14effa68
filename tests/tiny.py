"""The paper's architectures, tiny and with random weights: the real classes of transformers."""

from __future__ import annotations

from pathlib import Path

from chat_templates import FAMILIES, tokenizer

SMALL = {
    "vocab_size": 160,
    "hidden_size": 128,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 64,
    "max_position_embeddings": 256,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "initializer_range": 0.3,  # far from uniform, so that greedy choices are no near-ties
}
_LINEAR = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 2,
    "linear_key_head_dim": 32,
    "linear_value_head_dim": 32,
    "layer_types": ["linear_attention", "full_attention"],
}
CONFIGS = {
    "gpt_oss": {"num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 16},
    "glm4_moe": {
        "n_routed_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 64,
        "first_k_dense_replace": 1,
        "n_group": 1,
        "topk_group": 1,
    },
    "qwen3_5_text": _LINEAR,
    "qwen3_5_moe_text": {
        **_LINEAR,
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 64,
        "shared_expert_intermediate_size": 64,
    },
}
FAMILY = {
    "gpt_oss": "harmony",
    "glm4_moe": "glm47",
    "qwen3_5_text": "qwen",
    "qwen3_5_moe_text": "qwen",
}
"""Whose tokenizer and template each has."""
DEFAULTS = """
{%- set enable_thinking = enable_thinking | default(false) %}
{%- set today = today | default('2026-01-01') %}
{%- set thinking = thinking | default(true) %}{% set gap = gap | default('') %}"""


VISION = {
    "depth": 1,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_heads": 2,
    "out_hidden_size": 128,
    "num_position_embeddings": 16,
    "patch_size": 4,
}
"""Qwen3.5 is published with a vision model, which takes no part in text."""


def make_weights(folder: Path, architecture: str, **changes: object) -> None:
    """Weights and configuration in a folder, of the class that is published."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

    torch.manual_seed(0)
    text = {**SMALL, **CONFIGS[architecture], **changes}
    whole = architecture.removesuffix("_text")
    if whole == architecture:
        made = AutoModelForCausalLM.from_config(AutoConfig.for_model(architecture, **text))
    else:
        config = AutoConfig.for_model(whole, text_config=text, vision_config=VISION)
        made = AutoModelForImageTextToText.from_config(config)
    made.float().save_pretrained(folder)


def make_chat_model(folder: Path, architecture: str) -> None:
    """Weights with the tokenizer and template of the family, as a hub's snapshot has them."""
    from transformers import GenerationConfig

    made = FAMILIES[FAMILY[architecture]]
    tok = tokenizer(made.template, made.special, made.plain, made.eos, made.bos)
    eos = [tok.convert_tokens_to_ids(text) for text in made.eos_ids or (made.eos,)]
    size = {"vocab_size": 64 * (len(tok) // 64 + 1), "max_position_embeddings": 4096}
    make_weights(folder, architecture, **size, eos_token_id=eos[0], pad_token_id=eos[0])
    GenerationConfig(eos_token_id=eos).save_pretrained(folder)
    tok.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(DEFAULTS + made.template)
