"""Chat templates that behave as those of known model families do, and tokenizers small enough to
build in a test. Written for these tests: the semantics are the families', the text is not."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

from userturn.chat.chat import Chat

QUICK = settings(
    max_examples=25,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PLAIN = "<|im_start|>", "<|im_end|>"
# SmolLM2's vocabulary lacks some bytes: of planes that Unicode has not filled, and six controls.
characters = st.characters(
    exclude_categories=["Cs", "Cn", "Co"], exclude_characters="\x04\x06\x13\x14\x16\x1d"
)
TEXTS = st.text(characters, max_size=60)
AWKWARD = [
    "", " ", "\n\n", "\x00", "a\x00b", "שלום, מה שלומך?", "مرحبا", "👩‍👩‍👧🏽", "  two  spaces  ",
    "\r\n", "\U000f0000", "\U000f0001\ue000", "{{ messages }}", "{% raw %}", "<|im", "CONTENT",
]  # fmt: skip

CORPUS = [
    "user assistant system tool final analysis think",
    "What is the answer?\n\nThe answer is 42, I think.\n",
    "How many apples are left? There are three apples left; see the list:\n1. one\n2. two\n",
    "Could you explain why that works? It works because both sides are equal.\n\n",
]

# ChatML; an assistant turn behind the last user turn shows its think block, older ones do not.
THINK_BLOCK = """
{%- macro turn(role, text) -%}
  {{ '<|im_start|>' + role + '\n' + text + '<|im_end|>\n' }}
{%- endmacro %}
{%- set ns = namespace(last_user=-1) %}
{%- for m in messages %}{% if m.role == 'user' %}{% set ns.last_user = loop.index0 %}{% endif %}
{%- endfor %}
{%- for m in messages %}
  {%- set text = m.content | trim %}
  {%- if m.role == 'system' and not loop.first %}
    {{- raise_exception('the system message comes first') }}
  {%- elif m.role == 'tool' %}
    {{- turn('user', '<tool_response>\n' + text + '\n</tool_response>') }}
  {%- elif m.role == 'assistant' %}
    {%- set thought = '' %}
    {%- if '</think>' in text %}
      {%- set thought = text.split('</think>')[0].split('<think>')[-1] | trim %}
      {%- set text = text.split('</think>')[-1] | trim %}
    {%- endif %}
    {%- if loop.index0 > ns.last_user %}
      {{- turn('assistant', '<think>\n' + thought + '\n</think>\n\n' + text) }}
    {%- else %}{{- turn('assistant', text) }}{% endif %}
  {%- else %}{{- turn(m.role, text) }}{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}
  {{- '<|im_start|>assistant\n' }}
  {{- '<think>\n' if enable_thinking else '<think>\n\n</think>\n\n' }}
{%- endif %}"""

# Channels; a last assistant turn ends in another token than one that is followed by a turn.
HARMONY = """
{{- '<|start|>system<|message|>Today is ' + today + '.<|end|>' }}
{%- for m in messages %}
  {%- if m.role == 'tool' %}{{ raise_exception('a tool message needs a tool call before it') }}
  {%- elif m.role == 'assistant' %}
    {{- '<|start|>assistant<|channel|>final<|message|>' + m.content }}
    {{- '<|return|>' if loop.last and not add_generation_prompt else '<|end|>' }}
  {%- else %}
    {%- set role = 'developer' if m.role == 'system' else m.role %}
    {{- '<|start|>' + role + '<|message|>' + m.content + '<|end|>' }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}"""

# No token ends a turn; `gap` is what follows a user header (a newline, or nothing since 4.7).
GLM = """
{{- '[gMASK]<sop>' }}
{%- set ns = namespace(last_user=-1) %}
{%- for m in messages %}{% if m.role == 'user' %}{% set ns.last_user = loop.index0 %}{% endif %}
{%- endfor %}
{%- for m in messages %}
  {%- if m.role == 'user' %}
    {{- '<|user|>' + gap + m.content }}
    {%- if not thinking and not m.content.endswith('/nothink') %}{{ '/nothink' }}{% endif %}
  {%- elif m.role == 'assistant' %}
    {{- '<|assistant|>' }}
    {%- if loop.index0 > ns.last_user %}{{ '\n<think></think>' }}{% endif %}
    {{- '\n' + m.content | trim }}
  {%- elif m.role == 'tool' %}
    {{- '<|observation|>\n<tool_response>\n' + m.content + '\n</tool_response>' }}
  {%- else %}{{- '<|' + m.role + '|>\n' + m.content }}{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}
  {{- '<|assistant|>' + ('' if thinking else '\n<think></think>') }}
{%- endif %}"""

LLAMA = """
{{- bos_token }}
{%- for m in messages %}
  {{- '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + m.content | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
  {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}"""

# Strictly alternating, no generation prompt, the answer follows the end of the query directly.
INSTRUCT = """
{{- bos_token }}
{%- for m in messages %}
  {%- if (m.role == 'user') != (loop.index0 % 2 == 0) %}
    {{- raise_exception('user and assistant must alternate') }}
  {%- endif %}
  {{- '[INST]' + m.content + '[/INST]' if m.role == 'user' else m.content + eos_token }}
{%- endfor %}"""


@dataclass(frozen=True)
class Family:
    """A template, the added tokens it needs, and how it is called."""

    template: str
    special: tuple[str, ...]
    plain: tuple[str, ...] = ()  # added tokens that are not flagged special
    eos: str = "<|endoftext|>"
    bos: str | None = None
    kwargs: dict[str, Any] = field(default_factory=dict)
    strip_suffixes: tuple[str, ...] = ()
    eos_ids: tuple[str, ...] = ()  # spelled; what generation_config.json lists


_THINK = ("<think>", "</think>", "<tool_response>", "</tool_response>")
_GLM = ("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>")
_HARMONY = ("<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|return|>", "<|call|>")
_QWEN = Family(
    THINK_BLOCK, ("<|im_start|>", "<|im_end|>"), _THINK, "<|im_end|>",
    kwargs={"enable_thinking": False}, eos_ids=("<|im_end|>", "<|endoftext|>"),
)  # fmt: skip

FAMILIES: dict[str, Family] = {
    "qwen": _QWEN,
    "qwen_thinking": Family(**{**vars(_QWEN), "kwargs": {"enable_thinking": True}}),
    "harmony": Family(
        HARMONY, _HARMONY, eos="<|return|>", kwargs={"today": "2026-01-01"},
        eos_ids=("<|return|>", "<|endoftext|>", "<|call|>"),
    ),
    "glm45": Family(
        GLM, (*_GLM, "/nothink"), _THINK, strip_suffixes=("/nothink",),
        kwargs={"thinking": False, "gap": "\n"},
        eos_ids=("<|endoftext|>", "<|user|>", "<|observation|>"),
    ),
    "glm47": Family(GLM, _GLM, _THINK, kwargs={"thinking": True, "gap": ""}),
    "llama": Family(
        LLAMA, ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        eos="<|eot_id|>", bos="<|begin_of_text|>",
    ),
    "instruct": Family(INSTRUCT, ("<s>", "</s>", "[INST]", "[/INST]"), eos="</s>", bos="<s>"),
}  # fmt: skip

_TURN = "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
_PROMPT = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
CHATML = "{% for m in messages %}" + _TURN + "{% endfor %}" + _PROMPT

BROKEN: dict[str, tuple[str, str]] = {
    "drops the answer": (
        "{% for m in messages if m.role == 'user' %}" + _TURN + "{% endfor %}" + _PROMPT,
        "drops",
    ),
    "keeps the last turn": (
        "{% for m in messages[-1:] %}" + _TURN + "{% endfor %}" + _PROMPT,
        "drops",
    ),
    "newest first": (
        "{% for m in messages | reverse %}" + _TURN + "{% endfor %}" + _PROMPT,
        "reorders",
    ),
    "says it twice": (
        "{% for m in messages %}" + _TURN + _TURN + "{% endfor %}" + _PROMPT,
        "repeats",
    ),
    "rejects the assistant": (
        "{% for m in messages %}{% if m.role == 'assistant' %}{{ raise_exception('no') }}"
        "{% endif %}" + _TURN + "{% endfor %}" + _PROMPT,
        r"rejects the roles \[user, assistant",
    ),
    "wants a system message": (
        "{% if messages[0].role != 'system' %}{{ raise_exception('system first') }}{% endif %}"
        + CHATML,
        "system first",
    ),
    "fails": ("{{ messages[0].content + 1 }}", "rejects the roles"),
    "merges turns": ("{% for m in messages %}{{ m.content }}\n{% endfor %}", "merges|begins"),
    "one role for all": (CHATML.replace("m.role", "'user'").replace("assistant", "user"), "same"),
    "squeezes spaces": (
        CHATML.replace("m.content", "m.content.split() | join(' ')"),
        "drops, repeats, alters",
    ),
    "escapes": (CHATML.replace("m.content", "m.content | e"), "drops, repeats, alters"),
    "cuts": (CHATML.replace("m.content", "m.content[:20]"), "drops, repeats, alters"),
    "upper": (CHATML.replace("m.content", "m.content.upper()"), "drops, repeats, alters"),
    "comments on long turns": (
        CHATML.replace("m.content", "m.content + (' (long)' if m.content | length > 9 else '')"),
        "alters the text",
    ),
    "no generation prompt": (CHATML.removesuffix(_PROMPT), "ignores add_generation_prompt"),
    "open-ended header": (
        CHATML.replace("m.role + '\n'", "m.role + ' i'").replace("assistant\n", "assistant i"),
        "merges with",
    ),
}


@cache
def tokenizer(
    template: str,
    special: tuple[str, ...],
    plain: tuple[str, ...] = (),
    eos: str = "<|endoftext|>",
    bos: str | None = None,
    *,
    normalized: bool = False,
    rstrip: bool = False,
) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of some hundred tokens, with the given added tokens."""
    backend = Tokenizer(models.BPE())
    split = Regex(r"[^\S\n]?\p{L}+|\p{N}|[^\S\n]?[^\s\p{L}\p{N}]+\n*|\s*\n+|\s+(?!\S)|\s+")
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(split, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    backend.train_from_iterator(CORPUS * 3, trainer)
    flags = {"normalized": normalized, "rstrip": rstrip}
    names = dict.fromkeys((*special, "<|endoftext|>"))
    backend.add_special_tokens([AddedToken(name, **flags) for name in names])
    backend.add_tokens([AddedToken(name, normalized=False) for name in plain])
    if bos:
        backend.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, backend.token_to_id(bos))]
        )
    made = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=eos, bos_token=bos)
    made.chat_template = template
    made.name_or_path = "tiny"
    return made


@cache
def family(name: str) -> Chat:
    made = FAMILIES[name]
    tok = tokenizer(made.template, made.special, made.plain, made.eos, made.bos)
    ids = [tok.convert_tokens_to_ids(text) for text in made.eos_ids]
    return Chat(tok, made.kwargs, (), made.strip_suffixes, ids)


def reference(chat: Chat, contents: list[str], *, prompt: bool = False) -> tuple[int, ...]:
    """What transformers makes of a conversation."""
    roles = ["user", "assistant", "user"]
    messages = [{"role": r, "content": c} for r, c in zip(roles, contents, strict=False)]
    return tuple(
        chat._template.tokenizer.apply_chat_template(
            messages,
            tokenize=True,
            return_dict=False,
            add_generation_prompt=prompt,
            **chat._template.arguments,
        )
    )


def controls(chat: Chat, ids: tuple[int, ...]) -> list[int]:
    return [id_ for id_ in ids if id_ in chat.control_ids]


def names(chat: Chat, ids: tuple[int, ...]) -> list[str]:
    return chat._template.tokenizer.convert_ids_to_tokens(list(controls(chat, ids)))
