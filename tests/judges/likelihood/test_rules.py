"""Rules fire on what is certain by the text, and leave the rest open."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from userturn.artifacts.labels import Label
from userturn.judges.likelihood.evidence import Evidence
from userturn.judges.likelihood.rules import rule, states

QUERY = "Write a short poem about autumn rain in a harbour town."
ANSWER = (
    "Grey nets hang dripping by the quay,\nthe gulls complain, the gutters sing,\n"
    "and rain walks inland from the sea\nwith all the salt that rain can bring."
)
SUM_QUERY = "Tom has 3 boxes with 12 pencils each and gives away 7. How many pencils are left?"
SUM_ANSWER = "Tom has 3 * 12 = 36 pencils. After giving away 7, 36 - 7 = 29 pencils are left."
HTML_QUERY = "How do I center a div?"
HTML_ANSWER = 'Use flexbox: <div style="display:flex; justify-content:center">…</div>'
ASKING = SUM_ANSWER + " Would you like to see another way to solve it?"


def label(text, query=QUERY, answer=ANSWER, end="eos"):
    ruled = rule(Evidence(text, end, query, answer))
    assert ruled is None or ruled[1], "a label has a reason"
    return ruled and ruled[0]


OPEN = [
    ("Why does the rain walk inland?", {}),
    ("Can you make the second line rhyme with 'quay'?", {}),
    ("I don't like 'gutters sing'. Use another image there.", {}),
    ("that's beautiful, but could it be sadder, with less about the gulls", {}),
    ("Translate the last line into French.", {}),
    ("What do the dripping nets stand for?", {}),
    ("You forgot to mention the harbour.", {}),
    ("Why did you multiply 3 by 12?", {"query": SUM_QUERY, "answer": SUM_ANSWER}),
    ("Shouldn't it be 28? 36 - 7 = 28.", {"query": SUM_QUERY, "answer": SUM_ANSWER}),
    ("And if he gives away half of the 29?", {"query": SUM_QUERY, "answer": SUM_ANSWER}),
    ("<div> with flexbox does nothing here, why?", {"query": HTML_QUERY, "answer": HTML_ANSWER}),
    ("Does justify-content work on <span> too?", {"query": HTML_QUERY, "answer": HTML_ANSWER}),
    ("What does <|im_end|> after 'sing' mean?", {}),
    ("为什么雨会走向内陆？", {}),
    ("يمكنك شرح السطر الأخير؟", {}),
    ("Почему чайки жалуются?", {}),
    ("दूसरी पंक्ति का अर्थ समझाइए।", {}),
    ("最後の行をもっと短くしてください。", {}),
    ("Warum singen die Dachrinnen in der zweiten Zeile?", {}),
]


@pytest.mark.parametrize(("text", "context"), OPEN)
def test_what_a_user_says_is_left_open(text, context):
    assert label(text, **context) is None


@pytest.mark.parametrize(
    "text",
    [
        "Can you explain more?",
        "Could you elaborate on that, please?",
        "What else can you tell me about this?",
        "Can you give me an example?",
        "Why?",
        "How do I change a flat tire?",
        "A bat and a ball cost $1.10. The bat costs $1.00 more. How much is the ball?",
        "What is the capital of France?",
        "Who won the world cup in 2014, and where?",
        "多个城市的天气怎么样？",
    ],
)
def test_asking_is_left_open(text):
    assert label(text) is None


@pytest.mark.parametrize(
    "text", ["Yes, please.", "Please do.", "Sure, show me.", "No, I get it.", "yes"]
)
def test_a_short_reply_to_the_question_an_answer_ends_in_is_a_follow_up(text):
    assert label(text, query=SUM_QUERY, answer=ASKING) is Label.FOLLOWUP
    assert label(text, query=SUM_QUERY, answer=SUM_ANSWER) is not Label.FOLLOWUP


def test_a_new_request_is_no_reply_to_the_question_an_answer_ends_in():
    assert label("Please give a brief overview.", query=SUM_QUERY, answer=ASKING) is None


@pytest.mark.parametrize(
    ("text", "query"),
    [
        (QUERY, QUERY),
        ("write a short poem about autumn rain in a harbour town", QUERY),
        ("Write a poem about autumn rain in a harbour town.", QUERY),
        ("Please write a short poem about rain in a harbour town.", QUERY),
        ("How many pencils are left?", SUM_QUERY),
        ("Tom has 3 boxes with 12 pencils each. How many pencils are left?", SUM_QUERY),
    ],
)
def test_the_query_said_again_is_left_open(text, query):
    assert label(text, query=query) is None


@pytest.mark.parametrize(
    "text",
    [
        "Thanks!",
        "Thank you so much for your help.",
        "ok",
        "Great, that makes sense. Thank you!",
        "Perfect, thanks. Bye!",
        "No, thank you, that's all.",
        "Cool",
        "👍",
        "Thanks, have a nice evening!",
    ],
)
def test_a_closing_is_generic(text):
    assert label(text) is Label.GENERIC


@pytest.mark.parametrize(
    "text",
    [
        "Thanks! Why does the rain walk inland?",
        "Great, now make the gulls happy.",
        "That is not good.",
        "ok but the gutters don't rhyme",
        "Nice, shorten it.",
    ],
)
def test_a_closing_that_goes_on_is_not_generic(text):
    assert label(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "The user should ask about the poem's rhythm.",
        "As a user, I would ask for a longer poem.",
        "Here is a possible follow-up question: Why is the rain salty?",
        "Follow-up question: What is a quay?",
        "A good follow-up would be to ask for a title.",
        "The next user message could be about the gulls.",
        "I need to write a message as the user would see it.",
        "The user would likely ask for another stanza.",
        "You are a helpful AI assistant.",
    ],
)
def test_talk_about_the_turn_is_meta(text):
    assert label(text) is Label.META


@pytest.mark.parametrize(
    "text",
    [
        "I need to write an email to my landlord, in the same style.",
        "Here is my version of the poem. Which one is better?",
        "The user in my app sees the poem first. How do I change that?",
        "As a teacher, I would use simpler words. Can you?",
    ],
)
def test_users_may_speak_of_writing_and_of_users(text):
    assert label(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Sure! Here's another poem about rain.",
        "Certainly, I can help with that.",
        "I'm sorry, but I can't continue this poem.",
        "As an AI language model, I have no feelings about rain.",
        "Are you looking for a poem about the harbour, or about the rain?",
        "Would you like me to make it longer?",
        "You're welcome! Is there anything else?",
        "How can I help you today?",
        "Assistant: The rain falls on the quay.",
    ],
)
def test_what_only_an_assistant_writes_is_assistant_voice(text):
    assert label(text) is Label.ASSISTANT_VOICE


def test_the_answer_said_again_is_assistant_voice():
    text = "Grey nets hang dripping by the quay, the gulls complain, the gutters sing"
    assert states(text)
    assert label(text) is Label.ASSISTANT_VOICE
    assert label(text, answer=ANSWER + " Shall I go on?") is None, "who is asked may say it"
    assert label("Why do the gulls complain, the gutters sing, and who hears it?") is None


@pytest.mark.parametrize("text", ["", " ", "\n\t\n", "\u3000"])
def test_no_text_is_empty(text):
    assert label(text) is Label.EMPTY


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("{ } ; ; } ) => ( ; { x } ; ; } ] [ ;", "eos"),
        ("?!?", "eos"),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaa why", "eos"),
        ("|---|---|---|---|---|---|", "length"),
        ("The rai", "length"),
    ],
)
def test_noise_is_degenerate(text, end):
    assert label(text, end=end) is Label.DEGENERATE


def test_a_readable_turn_that_was_cut_is_left_open():
    text = "Why does the rain walk inland from the sea, and what does the salt that it bri"
    assert label(text, end="length") is None


@given(st.text(max_size=80), st.text(max_size=80), st.sampled_from(["eos", "stop_token", "length"]))
def test_a_rule_never_breaks_and_only_says_what_it_may(text, answer, end):
    rulings = {
        Label.EMPTY, Label.DEGENERATE, Label.META, Label.GENERIC, Label.FOLLOWUP,
        Label.ASSISTANT_VOICE, None,
    }  # fmt: skip
    assert label(text, answer=answer, end=end) in rulings


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_rule_calls_no_turn_a_follow_up_where_nothing_was_asked(text, answer):
    assert label(text, answer=answer + ".") is not Label.FOLLOWUP
