import pytest
from hypothesis import given
from hypothesis import strategies as st

from userturn.artifacts.labels import Label
from userturn.judges.likelihood.calibration import Calibration, Scale
from userturn.judges.likelihood.evidence import Evidence
from userturn.judges.likelihood.rules import judge, states
from userturn.measures.kinds.echo import echo
from userturn.measures.kinds.loop import loop
from userturn.measures.kinds.restatement import restatement
from userturn.study.classify import LikelihoodThresholds

THRESHOLDS = LikelihoodThresholds(relevance=8, restatement=0.7, loop=0.4, generic_words=12)
CALIBRATION = Calibration(
    role_voice=0.0,
    least=0.5,
    intercept=0.0,
    measures={"grounding": Scale(mean=0.1, sd=0.1)},
    weights={"grounding": 1.0},
    origin={},
)
"""A follow-up from a grounding of 0.1."""
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


def label(text, query=QUERY, answer=ANSWER, grounding=0.0, voice=1.0, end="eos", relevance=20.0):
    evidence = Evidence(
        text=text,
        end=end,
        answer=answer,
        tokens=10,
        grounding=grounding,
        role_voice=voice,
        relevance=relevance,
        restatement=restatement(text, query),
        echo=echo(text, answer),
        loop=loop(text),
    )
    found, reason = judge(evidence, THRESHOLDS, CALIBRATION)
    assert reason
    return found


GROUNDED = 0.5  # what a turn about the answer measures; turns that fit any answer measure about 0

FOLLOW_UPS = [
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


@pytest.mark.parametrize(("text", "context"), FOLLOW_UPS)
def test_what_grounding_supports_is_a_follow_up(text, context):
    assert label(text, grounding=GROUNDED, **context) is Label.FOLLOWUP


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
def test_asking_alone_is_no_follow_up(text):
    assert label(text, grounding=0.02) is Label.UNRELATED


@pytest.mark.parametrize("text", ["Yes, please.", "Sure, show me.", "No, I get it.", "yes"])
def test_a_short_reply_to_the_question_an_answer_ends_in_is_a_follow_up(text):
    assert label(text, query=SUM_QUERY, answer=ASKING) is Label.FOLLOWUP
    assert label(text, query=SUM_QUERY, answer=SUM_ANSWER) is not Label.FOLLOWUP


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
def test_the_query_said_again_is_a_restatement_however_grounded(text, query):
    assert label(text, query=query, grounding=GROUNDED) is Label.RESTATEMENT


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
    assert label(text, grounding=GROUNDED) is Label.GENERIC


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
    assert label(text, grounding=GROUNDED) is Label.FOLLOWUP


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
    ],
)
def test_talk_about_the_turn_is_meta(text):
    assert label(text, grounding=GROUNDED) is Label.META


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
    assert label(text, grounding=GROUNDED) is Label.FOLLOWUP


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
        "Here is a second stanza:\nThe lamps come on along the pier.",
        "To find the number of pencils, multiply 3 by 12 and take away 7.",
        "In conclusion, autumn rain is a symbol of change.",
        "Assistant: The rain falls on the quay.",
        "You are a helpful AI assistant.",
    ],
)
def test_what_only_an_assistant_writes_is_assistant_voice(text):
    assert label(text, grounding=GROUNDED) is Label.ASSISTANT_VOICE


def test_a_statement_that_hangs_on_the_answer_is_the_assistant_going_on():
    text = "The harbour lamps are lit by dusk, and the salt stays in the gutters of the town."
    assert states(text)
    assert label(text, grounding=GROUNDED) is Label.ASSISTANT_VOICE
    assert label(text, relevance=0.0) is Label.UNRELATED


def test_the_answer_said_again_is_assistant_voice():
    text = "Grey nets hang dripping by the quay, the gulls complain, the gutters sing"
    assert label(text, grounding=GROUNDED) is Label.ASSISTANT_VOICE


def test_role_voice_below_its_threshold_is_assistant_voice_in_any_language():
    text = "雨从海上来，带着所有的盐，走进港口的每一条街。"
    assert label(text, grounding=GROUNDED, voice=-0.2) is Label.ASSISTANT_VOICE
    assert label(text, grounding=GROUNDED, voice=0.2) is Label.FOLLOWUP


@pytest.mark.parametrize("text", ["", " ", "\n\t\n", "\u3000"])
def test_no_text_is_empty(text):
    assert label(text) is Label.EMPTY


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("the the the the the the the the", "eos"),
        ("They've done amazing things. " * 5, "length"),
        ("雨雨雨雨雨雨雨雨雨雨", "eos"),
        ("{ } ; ; } ) => ( ; { x } ; ; } ] [ ;", "eos"),
        ("?!?", "eos"),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaa why", "eos"),
        ("|---|---|---|---|---|---|", "length"),
        ("The rai", "length"),
    ],
)
def test_noise_and_loops_are_degenerate(text, end):
    assert label(text, grounding=GROUNDED, end=end) is Label.DEGENERATE


def test_a_readable_turn_that_was_cut_keeps_its_label():
    text = "Why does the rain walk inland from the sea, and what does the salt that it bri"
    assert label(text, grounding=GROUNDED, end="length") is Label.FOLLOWUP


def test_without_likelihoods_only_the_text_rules_give_labels():
    assert label("Thanks!", grounding=None, voice=None) is Label.GENERIC
    assert label("Why does the rain walk inland?", grounding=None, voice=None) is None


@given(
    st.text(max_size=80),
    st.floats(-5, 5),
    st.floats(-5, 5),
    st.sampled_from(["eos", "stop_token", "length"]),
)
def test_every_scored_turn_has_a_label(text, grounding, voice, end):
    assert label(text, grounding=grounding, voice=voice, end=end) in Label


@given(st.text(max_size=80), st.floats(-5, 5), st.floats(-5, 5))
def test_more_grounding_never_unmakes_a_follow_up(text, grounding, more):
    low, high = sorted((grounding, more))
    if label(text, grounding=low) is Label.FOLLOWUP:
        assert label(text, grounding=high) is Label.FOLLOWUP


def test_the_reason_names_what_decided():
    evidence = Evidence("Why salt?", "eos", ANSWER, 3, 0.5, 1.0, 20.0, 0.0, 0.1, 0.0)
    assert judge(evidence, THRESHOLDS, CALIBRATION) == (
        Label.FOLLOWUP,
        "p(followup) 0.98 >= 0.5: C 20.0, G 0.500, V 1.000",
    )


def test_without_relevance_there_is_no_label():
    assert label("Why does the rain walk inland?", grounding=GROUNDED, relevance=None) is None
