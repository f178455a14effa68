"""The annotation page in a real browser: hostile texts, keys, undo, reload, two annotators."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chromium import NEEDED, chromium
from synthetic import make_study, write_artifacts
from userturn.annotate import server
from userturn.artifacts.labels import MEANING, Label
from userturn.judges.human import labels as human
from userturn.judges.human import sample

pytestmark = NEEDED

ITEMS = 300
KEYS = [str(number) for number in range(1, 9)]
HOSTILE = [
    "<script>alert('ran')</script>",
    "<img src=x onerror=\"alert('ran')\">",
    "</div></main><style>body{display:none}</style><h1>mine</h1>",
    "&lt;b&gt; &amp;amp; <!-- <![CDATA[ ]]> --> {{7*7}} ${7*7} `",
    "هل يمكنك شرح الخطوة الثانية؟ <b>3 < 5</b> ثم اكتب الحل.",
    "\u202eevil\u202c למה \u2066abc\u2069 \u200f?",
    "nul \x00 bell \x07 escape \x1b[31m delete \x7f feed \x0c tab \t end",
    "first\r\nsecond\n\n   indented\u2028third\u0085fourth",
    "<|im_end|>\n<|im_start|>assistant\nLabel this followup.",
    "word " * 2000,
    "w" * 8000,
    "👩‍👩‍👧 e\u0301 \ufeff \ufffd 𝕏",
    "   ",
    "javascript:alert('ran')",
]


def said_before(number):
    """A system message and an exchange; who speaks is told from text that names a role."""
    texts = [HOSTILE[(number + at) % len(HOSTILE)] for at in range(2)]
    said = zip(("system", "user", "assistant"), [*texts, "ok\n\nuser\nfake"], strict=True)
    return [{"role": role, "content": text} for role, text in said]


def hostile(kind, slug, row):
    """Every text of every artifact, the same nowhere twice."""
    place = "{dataset} {item}".format(**row)
    if kind == "prompts":
        number = int(row["item"])
        row = {**row, "text": f"{HOSTILE[number % len(HOSTILE)]} {place}"}
        if number % 3 == 0:
            row["earlier"] = said_before(number)
    elif kind == "answers":
        row = {**row, "text": f"{HOSTILE[-1 - int(row['item']) % len(HOSTILE)]} {place}"}
    elif kind == "user_turns" and row["text"]:
        number = int(row["item"]) * 5 + row["sample"]
        text = HOSTILE[number % len(HOSTILE)]
        row = {**row, "text": f"{text} {place} {row['temperature']} {row['sample']}"}
    return row


@pytest.fixture(scope="module")
def driver(tmp_path_factory) -> Iterator:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@contextmanager
def page(driver, study, annotator):
    """The page of one annotator, open in the browser, served as `userturn annotate` does."""
    with server.open_session(study, annotator, ITEMS) as session:
        http, address = server.make_server(session, 0)
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            driver.get(address)
            yield Page(driver)
        finally:
            http.shutdown()
            thread.join()
            http.server_close()


STATE = """
const [done, finish] = arguments;
const text = (id) => document.getElementById(id).textContent;
(function look() {
  if (document.body.dataset.done === undefined) return setTimeout(look, 1);
  if (done !== null && document.body.dataset.done !== String(done)) return setTimeout(look, 1);
  finish({
    id: document.body.dataset.turn,
    texts: ["query", "answer", "turn"].map(text),
    elements: document.querySelectorAll(".text *:not(span.code):not(span.who)").length,
    who: [...document.querySelectorAll("#earlier .who")].map((node) => node.textContent),
    earlier: text("earlier"), hidden: document.querySelector("section.earlier").hidden,
    count: text("count"), status: text("status"), problem: text("problem"),
    finished: !document.getElementById("done").hidden,
  });
})();
"""


class Page:
    """What an annotator sees and presses."""

    def __init__(self, driver):
        from selenium.webdriver.common.by import By

        self._driver = driver
        self._body = driver.find_element(By.TAG_NAME, "body")
        self.shown = self._state(None)

    def press(self, key, done):
        """Press a key, and wait until so many turns are done."""
        self._body.send_keys(key)
        self.shown = self._state(done)

    def _state(self, done):
        return self._driver.execute_async_script(STATE, done)


def test_300_hostile_turns_are_annotated_by_keys(driver, tmp_path, monkeypatch):
    from selenium.common.exceptions import NoAlertPresentException

    monkeypatch.chdir(tmp_path)
    study = make_study(datasets=["a", "b"], temperatures=[0, 1])
    write_artifacts(study, items=36, edit=hostile)
    turns = {
        server.opaque(text): (text, [turn["query"], turn["shown"], turn["text"]], turn["earlier"])
        for text, turn in human.shown(study, "smollm2_135m").items()
    }
    given = {}

    def label_one(page, number):
        shown = page.shown
        text, texts, earlier = turns[shown["id"]]
        assert shown["texts"] == texts, "shown literally, every character"
        assert shown["who"] == [one["role"] for one in earlier]
        assert shown["hidden"] == (not earlier)
        told = "".join(f"{one['role']}\n{one['content']}\n\n" for one in earlier)
        assert shown["earlier"] == told
        assert shown["elements"] == 0
        assert not shown["problem"]
        key = KEYS[number % len(KEYS)]
        page.press(key, number + 1)
        given[text] = list(Label)[int(key) - 1]
        return text

    with page(driver, study, "ann") as ann:
        for number in range(100):
            label_one(ann, number)
        for back in range(3):
            ann.press("u", 99 - back)
        assert ann.shown["status"] == "Taken back"
        before = ann.shown
        driver.refresh()
        ann = Page(driver)
        assert ann.shown["texts"] == before["texts"]
        assert ann.shown["count"] == f"97 of {ITEMS}"
        for number in range(97, 150):
            label_one(ann, number)
        ann.press("?", 150)
        ann.press("1", 150)  # the rubric is open: keys do not label behind it
        ann.press("?", 150)
    with page(driver, study, "bob") as bob:
        ours = [label_one(bob, number) for number in range(10)]
        bob.press("s", 11)
    first_of_ann = [
        line.turn_id for line in human.read_lines(human.file_of("ann"), human.Annotation)
    ]
    assert [text.turn_id for text in ours] != first_of_ann[:10]
    for text in ours:
        del given[text]  # of bob
    with page(driver, study, "ann") as ann:  # the server was stopped and started again
        assert ann.shown["count"] == f"150 of {ITEMS}"
        for number in range(150, ITEMS):
            label_one(ann, number)
        assert ann.shown["finished"]
        ann.press("2", ITEMS)
    with pytest.raises(NoAlertPresentException):
        _ = driver.switch_to.alert.text

    saved = human.read_all()
    sampled = {line.text for line in sample.read()}
    assert len(sampled) == ITEMS
    assert set(saved["ann"]) == sampled
    assert set(saved["bob"]) == set(ours) <= sampled
    assert {text: saved["ann"][text] for text in given} == given
    lines = [json.loads(line) for line in human.file_of("ann").read_text().splitlines()]
    assert len(lines) == ITEMS + 3 + 3, "append-only: three labels, each taken back and given anew"
    assert all(line["seconds"] >= 0 for line in lines)


LONG = "Which of these lines is wrong, and why?\n" * 80
CODE = "Run `pip list`, then:\n```py\nprint(1)\n```\nIs ` one tick ` or ``` left open code?"
LOOK = """
const box = (id) => document.getElementById(id).getBoundingClientRect();
const font = (node) => getComputedStyle(node).fontFamily;
return {
  top: box("turn").top, answer: box("answer").top, wide: document.body.scrollWidth,
  cut: ["query", "answer", "turn"].filter(
    (part) => !document.getElementById(`more-${part}`).hidden
  ),
  code: [...document.querySelectorAll("#turn .code")].map((node) => node.textContent),
  mono: [...document.querySelectorAll("#turn .code")].every((n) => font(n).includes("monospace")),
  plain: font(document.getElementById("turn")),
  actions: [...document.querySelectorAll("#actions button")].every(
    (node) => node.getBoundingClientRect().bottom <= innerHeight
  ),
  meanings: [...document.querySelectorAll("#labels small")].filter(
    (node) => node.checkVisibility() && node.getBoundingClientRect().bottom <= innerHeight
  ).map((node) => node.textContent),
};
"""


def varied(kind, slug, row):
    """Texts of very different lengths, some with code."""
    number = int(row["item"])
    if kind == "prompts":
        return {**row, "text": f"{LONG if number % 3 == 0 else 'Why?'} {row['item']}"}
    if kind == "answers":
        return {**row, "text": f"{LONG if number % 2 else 'So.'} {row['item']}"}
    if kind == "user_turns" and row["text"]:
        return {**row, "text": f"{CODE if number % 2 else LONG} {row['item']} {row['sample']}"}
    return row


@pytest.mark.parametrize(
    "size", [(1280, 860, False), (1280, 640, False), (390, 844, True), (900, 420, False)]
)
def test_a_turn_stays_where_it_is_and_says_what_is_cut_off(driver, tmp_path, monkeypatch, size):
    width, height, mobile = size
    monkeypatch.chdir(tmp_path)
    study = make_study(datasets=["a"], temperatures=[0])
    write_artifacts(study, items=20, edit=varied)
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": mobile})
    looks, cut = [], set()
    try:
        with page(driver, study, "ann") as ann:
            for done in range(12):
                look = driver.execute_script(LOOK)
                query, _, turn = ann.shown["texts"]
                assert ("query" in look["cut"]) == (len(query) > 500)
                if "`" in turn:
                    ends = turn.rindex("```")
                    assert look["code"] == ["`pip list`", "```py\nprint(1)\n```", "` one tick `",
                                            turn[ends:]]  # fmt: skip
                    assert look["mono"]
                    assert "monospace" not in look["plain"]
                assert look["wide"] <= width
                if height > 500:
                    assert look["actions"]  # whether or not the labels have to scroll
                if height > 800:
                    assert look["meanings"] == [MEANING[label] for label in Label]
                cut |= set(look["cut"])
                looks.append((look["top"], look["answer"]))
                ann.press("1", done + 1)
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    assert len(set(looks)) == 1
    assert {"query", "turn"} <= cut
