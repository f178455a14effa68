"""Templates after the documented formats of model families that `chat_templates` does not have.

Written for these tests: what they write is the families', the text is not. `SHOWN` spells what a
context of [user Q, assistant A] must be, by hand from the formats' documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from chat_templates import FAMILIES, Family, tokenizer
from userturn.chat.chat import Chat


def build(made: Family) -> Chat:
    tok = tokenizer(made.template, made.special, made.plain, made.eos, made.bos)
    ids = [tok.convert_tokens_to_ids(text) for text in made.eos_ids]
    return Chat(tok, made.kwargs, (), made.strip_suffixes, ids)


def each(turn: str, prompt: str = "", before: str = "") -> str:
    """A template of one expression for each message."""
    asked = "{%- if add_generation_prompt %}{{ " + prompt + " }}{% endif %}" if prompt else ""
    loop = "{%- for m in messages %}{{ " + turn + " }}{%- endfor %}"
    return before + loop + asked


LLAMA4 = each(
    "'<|header_start|>' + m.role + '<|header_end|>\\n\\n' + m.content | trim + '<|eot|>'",
    "'<|header_start|>assistant<|header_end|>\\n\\n'",
    "{{- bos_token }}",
)
_GEMMA_TURN = (
    "'<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\\n'"
    " + m.content | trim + '<end_of_turn>\\n'"
)
GEMMA2 = (
    "{{- bos_token }}{%- if messages[0].role == 'system' %}"
    "{{- raise_exception('System role not supported') }}{%- endif %}"
) + each(_GEMMA_TURN, "'<start_of_turn>model\\n'")
# A system message stands in front of the first user turn's text.
GEMMA3 = (
    """{{- bos_token }}
{%- set ns = namespace(first='') %}
{%- if messages[0].role == 'system' %}
  {%- set ns.first = messages[0].content + '\n\n' %}{%- set messages = messages[1:] %}
{%- endif %}
{%- for m in messages %}
  {{- '<start_of_turn>' + ('model' if m.role == 'assistant' else 'user') + '\n' }}
  {{- ns.first + m.content | trim + '<end_of_turn>\n' }}{%- set ns.first = '' %}
{%- endfor %}"""
    "{%- if add_generation_prompt %}{{- '<start_of_turn>model\n' }}{%- endif %}"
)
MISTRAL = """{{- bos_token }}
{%- for m in messages %}
  {%- if m.role == 'system' %}{{- '[SYSTEM_PROMPT]' + m.content + '[/SYSTEM_PROMPT]' }}
  {%- elif m.role == 'user' %}{{- '[INST]' + m.content + '[/INST]' }}
  {%- else %}{{- m.content + eos_token }}{%- endif %}
{%- endfor %}"""
# The system message moves into the last user turn, behind its header.
MISTRAL_NEMO = """{{- bos_token }}
{%- set said = messages[0].content + '\n\n' if messages[0].role == 'system' else '' %}
{%- for m in messages if m.role != 'system' %}
  {%- if m.role == 'user' %}{{- '[INST]' + (said if loop.last else '') + m.content + '[/INST]' }}
  {%- else %}{{- m.content + eos_token }}{%- endif %}
{%- endfor %}"""
DEEPSEEK = """{{- bos_token }}
{%- for m in messages %}
  {%- if m.role == 'system' %}{{- m.content }}
  {%- elif m.role == 'user' %}{{- '<｜User｜>' + m.content }}
  {%- else %}
    {%- set text = m.content.split('</think>')[-1] if '</think>' in m.content else m.content %}
    {{- '<｜Assistant｜>' + text + '<｜end▁of▁sentence｜>' }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<｜Assistant｜>' + opening }}{%- endif %}"""
KIMI = each(
    "'<|im_' + m.role + '|>' + m.role + '<|im_middle|>' + m.content + '<|im_end|>'",
    "'<|im_assistant|>assistant<|im_middle|>'",
)
# Where no answer is asked for, an end of sequence stands behind the last turn.
PHI3 = (
    each("'<|' + m.role + '|>\\n' + m.content + '<|end|>\\n'")
    + "{%- if add_generation_prompt %}{{- '<|assistant|>\\n' }}{%- else %}{{- eos_token }}"
    "{%- endif %}"
)
PHI4 = each(
    "'<|im_start|>' + m.role + '<|im_sep|>' + m.content + '<|im_end|>'",
    "'<|im_start|>assistant<|im_sep|>'",
)
GRANITE = each(
    "'<|start_of_role|>' + m.role + '<|end_of_role|>' + m.content + '<|end_of_text|>\\n'",
    "'<|start_of_role|>assistant<|end_of_role|>'",
)
# The roles are plain text; no token ends a user turn.
OLMO2 = """{{- bos_token }}
{%- for m in messages %}
  {{- '<|' + m.role + '|>\n' + m.content }}
  {{- (eos_token if m.role == 'assistant' else '') + ('' if loop.last else '\n') }}
{%- endfor %}
{%- if add_generation_prompt %}
  {{- ('' if messages[-1].role == 'assistant' else '\n') + '<|assistant|>\n' }}
{%- endif %}"""
_COHERE = "{'user': '<|USER_TOKEN|>', 'assistant': '<|CHATBOT_TOKEN|>'}"
COMMAND_R = each(
    f"'<|START_OF_TURN_TOKEN|>' + {_COHERE}.get(m.role, '<|SYSTEM_TOKEN|>') + m.content"
    " + '<|END_OF_TURN_TOKEN|>'",
    "'<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>'",
    "{{- bos_token }}",
)
# Reasoning is opened by the generation prompt; a finished answer shows that it is over.
GLM5 = """{{- '[gMASK]<sop>' }}
{%- set ns = namespace(last=-1) %}
{%- for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}
{%- endfor %}
{%- for m in messages %}
  {%- if m.role == 'assistant' %}
    {%- if m.reasoning_content is defined and loop.index0 > ns.last %}
      {{- '<|assistant|><think>' + m.reasoning_content | trim + '</think>' + m.content | trim }}
    {%- else %}{{- '<|assistant|></think>' + m.content | trim }}{%- endif %}
  {%- elif m.role == 'tool' %}{{- '<|observation|>' + m.content }}
  {%- else %}{{- '<|' + m.role + '|>' + m.content }}{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
  {{- '<|assistant|>' + ('<think>' if thinking else '</think>') }}
{%- endif %}"""

_GLM = ("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>")
_THINK = ("<think>", "</think>")
_TURNS = ("<start_of_turn>", "<end_of_turn>", "<bos>")
_LLAMA4 = ("<|header_start|>", "<|header_end|>", "<|eot|>", "<|begin_of_text|>")
_INST = ("<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]")
_DEEPSEEK = ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>")
_KIMI = ("<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_middle|>", "<|im_end|>")
_PHI3 = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
_GRANITE = ("<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>")
_COHERE_TOKENS = (
    "<BOS_TOKEN>", "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "<|USER_TOKEN|>",
    "<|CHATBOT_TOKEN|>", "<|SYSTEM_TOKEN|>",
)  # fmt: skip
_R1 = Family(
    DEEPSEEK, _DEEPSEEK, _THINK, "<｜end▁of▁sentence｜>", "<｜begin▁of▁sentence｜>",
    {"opening": "<think>\n"},
)  # fmt: skip

DOCUMENTED: dict[str, Family] = {
    "glm5": Family(GLM5, _GLM, _THINK, kwargs={"thinking": True}),
    "glm5_plain": Family(GLM5, _GLM, _THINK, kwargs={"thinking": False}),
    "llama4": Family(LLAMA4, _LLAMA4, eos="<|eot|>", bos="<|begin_of_text|>"),
    "gemma2": Family(GEMMA2, _TURNS, eos="<end_of_turn>", bos="<bos>"),
    "gemma3": Family(GEMMA3, _TURNS, eos="<end_of_turn>", bos="<bos>"),
    "mistral": Family(MISTRAL, _INST, eos="</s>", bos="<s>"),
    "deepseek_v3": Family(**{**vars(_R1), "kwargs": {"opening": ""}}),
    "deepseek_r1": _R1,
    "kimi_k2": Family(KIMI, _KIMI, eos="<|im_end|>"),
    "phi3": Family(PHI3, _PHI3),
    "phi4": Family(PHI4, ("<|im_start|>", "<|im_sep|>", "<|im_end|>"), eos="<|im_end|>"),
    "granite": Family(GRANITE, _GRANITE, eos="<|end_of_text|>"),
    "olmo2": Family(OLMO2, ("<|endoftext|>",), bos="<|endoftext|>"),
    "command_r": Family(COMMAND_R, _COHERE_TOKENS, eos="<|END_OF_TURN_TOKEN|>", bos="<BOS_TOKEN>"),
    # A model of users: Llama's format, and its own turns are the user's.
    "userlm": FAMILIES["llama"],
}


@cache
def documented(name: str) -> Chat:
    return build(DOCUMENTED[name])


@dataclass(frozen=True)
class Shown:
    """What a context of [user Q, assistant A] is; `live` and `voice` where they say more."""

    answer: str  # in front of the answer
    history: str
    live: str
    voice: str | None  # in place of the user header, behind A; None: refused
    user_stop: set[str]
    answer_stop: set[str]


_DS = "<｜begin▁of▁sentence｜><｜User｜>Q<｜Assistant｜>"
_DS_END = "A<｜end▁of▁sentence｜><｜User｜>"
_DS_STOPS = {"<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"}
_G = "<bos><start_of_turn>user\nQ<end_of_turn>\n<start_of_turn>model\n"
_GA = _G + "A<end_of_turn>\n<start_of_turn>user\n"
_GV = "<end_of_turn>\n<start_of_turn>model\n"
_GS = {"<start_of_turn>", "<end_of_turn>"}, {"<end_of_turn>"}
_L4 = "<|begin_of_text|><|header_start|>user<|header_end|>\n\nQ<|eot|>"
_L4A = "<|header_start|>assistant<|header_end|>\n\n"
_L4U = f"{_L4}{_L4A}A<|eot|><|header_start|>user<|header_end|>\n\n"
_K, _KA = "<|im_user|>user<|im_middle|>Q<|im_end|>", "<|im_assistant|>assistant<|im_middle|>"
_KU = f"{_K}{_KA}A<|im_end|><|im_user|>user<|im_middle|>"
_P3, _P3A = "<|user|>\nQ<|end|>\n", "<|assistant|>\n"
_P3U = f"{_P3}{_P3A}A<|end|>\n<|user|>\n"
_P4 = "<|im_start|>user<|im_sep|>Q<|im_end|><|im_start|>assistant<|im_sep|>"
_P4U = f"{_P4}A<|im_end|><|im_start|>user<|im_sep|>"
_GR = "<|start_of_role|>user<|end_of_role|>Q<|end_of_text|>\n"
_GRA = "<|start_of_role|>assistant<|end_of_role|>"
_GRU = f"{_GR}{_GRA}A<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>"
_O = "<|endoftext|><|user|>\nQ\n<|assistant|>\n"
_OU = f"{_O}A<|endoftext|>\n<|user|>\n"
_S, _E = "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>"
_C = f"<BOS_TOKEN>{_S}<|USER_TOKEN|>Q{_E}{_S}<|CHATBOT_TOKEN|>"
_CU = f"{_C}A{_E}{_S}<|USER_TOKEN|>"
_GLMS = {"<|user|>", "<|assistant|>", "<|system|>", "<|observation|>", "<|endoftext|>"}
_Z = "[gMASK]<sop><|user|>Q<|assistant|>"

SHOWN: dict[str, Shown] = {
    "glm5": Shown(
        f"{_Z}<think>", f"{_Z}</think>A<|user|>", f"{_Z}<think></think>A<|user|>",
        "<|assistant|><think></think>", _GLMS, _GLMS - {"<|assistant|>"},
    ),
    "glm5_plain": Shown(
        f"{_Z}</think>", f"{_Z}</think>A<|user|>", f"{_Z}</think>A<|user|>",
        "<|assistant|></think>", _GLMS, _GLMS - {"<|assistant|>"},
    ),
    "llama4": Shown(
        _L4 + _L4A, _L4U, _L4U, f"<|eot|>{_L4A}", {"<|eot|>", "<|header_start|>"}, {"<|eot|>"}
    ),
    "gemma2": Shown(_G, _GA, _GA, _GV, *_GS),
    "gemma3": Shown(_G, _GA, _GA, _GV, *_GS),
    "mistral": Shown(
        "<s>[INST]Q[/INST]", "<s>[INST]Q[/INST]A</s>[INST]", "<s>[INST]Q[/INST]A</s>[INST]", None,
        {"[INST]", "[/INST]", "</s>", "[SYSTEM_PROMPT]"}, {"</s>", "[INST]", "[SYSTEM_PROMPT]"},
    ),
    "deepseek_v3": Shown(
        _DS, _DS + _DS_END, _DS + _DS_END, "<｜end▁of▁sentence｜><｜Assistant｜>",
        _DS_STOPS, _DS_STOPS - {"<｜Assistant｜>"},
    ),
    "deepseek_r1": Shown(
        _DS + "<think>\n", _DS + _DS_END, f"{_DS}<think>\n</think>\n\n{_DS_END}",
        "<｜end▁of▁sentence｜><｜Assistant｜><think>\n</think>\n\n",
        _DS_STOPS, _DS_STOPS - {"<｜Assistant｜>"},
    ),
    "kimi_k2": Shown(
        _K + _KA, _KU, _KU, f"<|im_end|>{_KA}",
        {"<|im_end|>", "<|im_user|>", "<|im_assistant|>", "<|im_system|>"},
        {"<|im_end|>", "<|im_user|>", "<|im_system|>"},
    ),
    "phi3": Shown(
        _P3 + _P3A, _P3U, _P3U, f"<|end|>\n{_P3A}",
        {"<|end|>", "<|user|>", "<|assistant|>", "<|system|>", "<|endoftext|>"},
        {"<|end|>", "<|user|>", "<|system|>", "<|endoftext|>"},
    ),
    "phi4": Shown(
        _P4, _P4U, _P4U, "<|im_end|><|im_start|>assistant<|im_sep|>",
        {"<|im_start|>", "<|im_end|>"}, {"<|im_end|>"},
    ),
    "granite": Shown(
        _GR + _GRA, _GRU, _GRU, f"<|end_of_text|>\n{_GRA}",
        {"<|start_of_role|>", "<|end_of_text|>"}, {"<|end_of_text|>"},
    ),
    "olmo2": Shown(
        _O, _OU, _OU, "<|endoftext|>\n<|assistant|>\n", {"<|endoftext|>"}, {"<|endoftext|>"}
    ),
    "command_r": Shown(
        _C, _CU, _CU, f"{_E}{_S}<|CHATBOT_TOKEN|>", {_S, _E}, {_E},
    ),
}  # fmt: skip
