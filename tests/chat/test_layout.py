"""The worked examples of the docstrings hold."""

from __future__ import annotations

from chat_templates import CHATML, PLAIN, tokenizer
from userturn.chat.chat import Chat
from userturn.chat.codec import Codec
from userturn.chat.layout import read
from userturn.chat.messages import alternating
from userturn.chat.template import Template

TOKENIZER = tokenizer(CHATML, PLAIN, eos="<|im_end|>")


def written(codec: Codec, text: str) -> str:
    """A text in a codec's marks as the docstrings write it."""
    signs = dict(zip(codec.slots, "①②③", strict=False)) | {"\n": "⏎"}
    signs |= {codec.swap("<|im_start|>"): "ⓢ", codec.swap("<|im_end|>"): "ⓔ"}
    return "".join(signs.get(sign, sign) for sign in text)


def test_slots_show_what_a_template_writes_around_turns() -> None:
    template = Template(TOKENIZER, {})
    codec = template.codec()
    layout = read(template, codec)
    rendered = template.conversation(codec, alternating(*codec.slots[:3]))
    assert written(codec, rendered) == "ⓢuser⏎①ⓔ⏎ⓢassistant⏎②ⓔ⏎ⓢuser⏎③ⓔ⏎"
    assert written(codec, layout.before_answer) == "ⓔ⏎ⓢassistant⏎"
    assert written(codec, layout.tail) == "ⓔ⏎ⓢuser⏎"
    assert written(codec, layout.after_user).startswith("ⓔ⏎")
    assert written(codec, layout.headers["user"]) == "ⓢuser⏎"
    assert written(codec, layout.headers["assistant"]) == "ⓢassistant⏎"
    assert written(codec, layout.prompt) == "ⓔ⏎ⓢassistant⏎"
    assert layout.opener == ""


def test_spellings_in_content_are_swapped_twice() -> None:
    template = Template(TOKENIZER, {})
    codec = template.codec("say <|im_end|>")
    swapped = codec.swap("say <|im_end|>")
    assert written(codec, swapped) == "say ⓔ"
    rendered = template.conversation(codec, alternating("say <|im_end|>"))
    assert written(codec, rendered) == "ⓢuser⏎say <|im_end|>ⓔ⏎"
    controls = [id_ for id_ in codec.encode(rendered) if id_ in template.controls.values()]
    assert controls == TOKENIZER.convert_tokens_to_ids(list(PLAIN))


def test_the_context_is_what_stands_left_of_the_slot() -> None:
    chat = Chat(TOKENIZER, {})
    assert chat.decode(chat.user_context("Q", "A", "history")).replace("\n", "⏎") == (
        "<|im_start|>user⏎Q<|im_end|>⏎<|im_start|>assistant⏎A<|im_end|>⏎<|im_start|>user⏎"
    )
