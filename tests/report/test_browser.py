"""The page in a real browser: 5,000 turns, filters, links, hostile texts, a phone, both themes."""

from __future__ import annotations

import json

import pytest

from chromium import NEEDED, chromium
from hostile import HOSTILE
from synthetic import held_out, make_study, write_artifacts
from userturn import report
from userturn.base import paths
from userturn.report._text import HIDDEN
from userturn.stages import figures as figures_stage
from userturn.stages import report as stage
from userturn.stages import tables as tables_stage
from userturn.tables import _adjusted

pytestmark = NEEDED

ITEMS, PER_PROMPT = 130, 13
SENTENCE = "Why did you subtract the number of the pears before the last step of all?"
TOKENS = [word if nth == 0 else f" {word}" for nth, word in enumerate(SENTENCE.split())] * 8


def edited(kind, slug, row):
    """Turns of 120 words with likelihoods; every tenth prompt and all of its turns are hostile."""
    number = int(row["item"])
    text = HOSTILE[number // 10 % len(HOSTILE)] if number % 10 == 0 else None
    if kind in ("prompts", "answers"):
        return {**row, "text": text or f"{row['text'] or ''} {'More of it. ' * 60}"}
    if kind in ("user_turns", "controls"):
        return {**row, "text": text or ("".join(TOKENS) if row["text"] else "")}
    if kind == "grounding" and row["tokens"] and text is None:
        behind = [-1.0 - nth % 7 for nth in range(len(TOKENS))]
        neutral = [-2.0 - nth % 5 for nth in range(len(TOKENS))]
        return {**row, "token_texts": TOKENS, "log_p": behind, "log_p_neutral": neutral}
    if kind == "labels" and row["judge"] == "reader" and number % 7 == 1:
        return {**row, "label": "on_topic"}
    return row


def keep_context():
    """The context that a model was given for its second prompt."""
    query, answer = (
        edited(kind, "", {"item": "0001", "text": text})["text"]
        for kind, text in (
            ("prompts", "How many apples does person 1 have?"),
            ("answers", "Person 1 has 1 apples. " * 12),
        )
    )
    pieces = (
        ("<|user|>", True), (query, False), ("<|assistant|>", True), (answer, False),
        ("<|user|>", True),
    )  # fmt: skip
    file = paths.context("smollm2_135m")
    file.parent.mkdir(parents=True)
    tokens = [[nth, *piece] for nth, piece in enumerate(pieces)]
    file.write_text(json.dumps({"dataset": "gsm8k", "item": "0001", "tokens": tokens}))


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Address of the page on disk."""
    folder = tmp_path_factory.mktemp("study")
    given = held_out()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(_adjusted.calibration, "of_study", lambda study: given)
        judged = {"judges": ["likelihood", "reader"], "primary": "likelihood"}
        study = make_study(samples=4, classify=judged, judge={"reader": {"type": "local"}})
        write_artifacts(study, items=ITEMS, edit=edited)
        keep_context()
        for one in (tables_stage, figures_stage, stage):
            one.run(study)
    return (folder / report.PAGE).as_uri()


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def look(driver, address):
    """Opens the page at an address inside it; afterwards nothing was asked for or complained of."""
    driver.get_log("performance")

    def at(inside=""):
        driver.get("about:blank")
        driver.get(address + inside)
        return driver

    yield at
    assert [line["message"] for line in driver.get_log("browser")] == []
    asked = [json.loads(line["message"])["message"] for line in driver.get_log("performance")]
    urls = {
        one["params"]["request"]["url"].partition("#")[0]
        for one in asked
        if one["method"] == "Network.requestWillBeSent"
    }
    assert urls <= {address, "about:blank"}


def cards(driver):
    return driver.execute_script(
        "return [...document.querySelectorAll('#list .card')].map((one) => one.dataset.turn)"
    )


def count(driver):
    return driver.execute_script("return document.getElementById('count').textContent")


TIMED = """
const [id, value, finish] = arguments;
const field = document.getElementById(id);
const list = document.getElementById("list");
const times = [];
const begun = performance.now();
new MutationObserver((_, observer) => {
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => finish(performance.now() - begun)));
}).observe(list, { childList: true });
field.value = value;
field.dispatchEvent(new Event(id === "search" ? "input" : "change", { bubbles: true }));
"""


def test_it_opens_at_once_and_filters_5000_turns_in_a_blink(look):
    driver = look()
    opened = driver.execute_script(
        "const t = performance.timing; return t.loadEventEnd - t.navigationStart"
    )
    size = driver.execute_script("return document.documentElement.outerHTML.length")
    assert opened < 2000
    assert size < 15_000_000
    assert count(driver) == "5,000 turns"
    took = {  # the best of three: the machine may be busy
        what: min(driver.execute_async_script(TIMED, *what) for _ in range(3))
        for what in (
            ("label", "followup"), ("label", ""), ("dataset", "gsm8k"), ("order", "uptake-down"),
            ("agree", "no"), ("agree", ""),
            ("search", "subtract"), ("search", "nowhere at all"), ("search", ""),
        )
    }  # fmt: skip
    print(f"opened in {opened} ms, {size / 1e6:.1f} MB;", took)
    assert max(took.values()) < 200


def test_filters_search_order_and_address_agree(look):
    driver = look("#turns?dataset=gsm8k&condition=swap&temperature=0")
    shown = cards(driver)
    assert shown
    assert all("/gsm8k/" in one and "/swap/0/" in one for one in shown)
    wanted = count(driver)
    driver.execute_async_script(TIMED, "label", "restatement")
    assert count(driver) != wanted
    assert "label=restatement" in driver.current_url
    chips = "return [...document.querySelectorAll('#list .label')].map((one) => one.textContent)"
    assert set(driver.execute_script(chips)) <= {"restatement"}
    driver.refresh()
    assert "label=restatement" in driver.current_url
    driver.execute_async_script(TIMED, "label", "")
    assert count(driver) == wanted
    driver.execute_async_script(TIMED, "order", "uptake-up")
    facts = driver.execute_script(
        "return [...document.querySelectorAll('#list .facts-line')].map((one) => one.textContent)"
    )
    values = [float(one.split("uptake ")[1].split()[0].replace("−", "-"))
              for one in facts if "uptake " in one]  # fmt: skip
    assert values == sorted(values)
    driver.find_element("id", "filters").find_element("tag name", "button").click()
    driver.execute_async_script("setTimeout(arguments[0], 200)")
    assert count(driver) == "5,000 turns"
    before = len(cards(driver))
    driver.execute_script("document.getElementById('more').click()")
    assert len(cards(driver)) == 2 * before


def test_a_number_leads_to_its_turns(look):
    driver = look()
    rate, turns = driver.find_elements("css selector", "#answer .rates td a")[:2]
    wanted = turns.text
    driver.execute_script("arguments[0].click()", turns)
    driver.execute_async_script("setTimeout(arguments[0], 100)")
    assert count(driver).split()[0] in wanted
    driver.execute_script("arguments[0].click()", rate)
    driver.execute_async_script("setTimeout(arguments[0], 100)")
    assert "label=followup" in driver.current_url
    share = float(rate.find_element("tag name", "data").get_attribute("value"))
    assert int(count(driver).split()[0]) == round(share * int(wanted.split()[0]))


def test_one_turn_and_its_prompts_others(look):
    driver = look("#turn=" + "smollm2_135m%2Fgsm8k%2F0001%2Fswap%2F0%2F0")
    one = driver.find_element("id", "one")
    assert one.is_displayed()
    assert not driver.find_element("id", "browser").is_displayed()
    side = driver.find_elements("css selector", "#one .side .card")
    assert len(side) == PER_PROMPT - 1
    word = driver.find_elements("css selector", "#one .whole .turn mark")
    text = driver.execute_script("return document.querySelector('#one .whole .turn').textContent")
    assert text in ("".join(TOKENS), "(nothing)")
    if word:
        assert word[0].get_attribute("title").endswith(" nats")
    driver.execute_script("document.querySelector('#one .side .card a').click()")
    driver.execute_async_script("setTimeout(arguments[0], 100)")
    assert driver.current_url.endswith("0")
    driver.back()
    driver.execute_async_script("setTimeout(arguments[0], 100)")
    assert "swap" in driver.find_element("css selector", "#one .whole h3").text
    look("#turn=nobody%3Cb%3E")
    assert "This page holds no turn nobody<b>" in driver.find_element("id", "one").text


def test_the_exact_context_and_what_stands_beside_a_turn(look):
    driver = look("#turn=" + "smollm2_135m%2Fgsm8k%2F0001%2Fswap%2F0%2F0")
    details = driver.find_element("css selector", "#one .exact")
    driver.execute_script("arguments[0].open = true", details)
    driver.execute_async_script("setTimeout(arguments[0], 50)")
    controls = driver.find_elements("css selector", "#one .exact .control")
    assert [one.text for one in controls] == ["<|user|>", "<|assistant|>", "<|user|>"]
    whole = driver.find_element("css selector", "#one .exact .context").text
    turn = driver.execute_script("return document.querySelector('#one .whole .turn').textContent")
    assert "How many apples does person 1 have?" in whole
    assert "swap of 1" in whole
    assert whole.endswith(f"<|user|>▸ {turn}") or turn == "(nothing)"
    choice = driver.find_element("css selector", "#one .beside select")
    names = [one.text for one in choice.find_elements("tag name", "option")]
    assert names == ["all of them (12)", "other answers (4)"]
    driver.execute_script(
        "arguments[0].selectedIndex = 1; arguments[0].dispatchEvent(new Event('change'))", choice
    )
    titles = [one.text for one in driver.find_elements("css selector", "#one .side h3")]
    assert len(titles) == 4
    assert all("greedy" in one and "swap" not in one for one in titles)


def test_turns_on_which_judges_disagree(look):
    driver = look()
    everything = int(count(driver).split()[0].replace(",", ""))
    driver.execute_async_script(TIMED, "agree", "no")
    assert "agree=no" in driver.current_url
    assert 0 < int(count(driver).split()[0].replace(",", "")) < everything
    said = driver.execute_script(
        "return [...document.querySelectorAll('#list .card')].map((card) => "
        "[...card.querySelectorAll('.reason')].map((one) => one.textContent)"
        ".filter((text) => text.startsWith('Judge ')).map((text) => text.split(/[:,·] ?/)[1]))"
    )
    assert said
    assert all(len(one) == 2 and one[0] != one[1] for one in said)


LITERAL = """
const hidden = new RegExp(JSON.parse(document.getElementById("data").textContent).hidden, "g");
const boxes = [...document.querySelectorAll("#list .text")];
return {
  elements: boxes.flatMap((box) => [...box.querySelectorAll("*:not(mark):not(span)")]).length,
  raw: boxes.some((box) => box.textContent.match(hidden)),
  texts: boxes.map((box) => box.textContent),
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
};
"""


def test_hostile_turns_run_nothing_and_break_no_layout(look):
    from selenium.common.exceptions import NoAlertPresentException

    for text in HOSTILE:
        driver = look()
        wanted = max(text.replace("\r", "\n").splitlines(), key=len).strip()[:40]
        driver.execute_async_script(TIMED, "search", wanted)
        shown = driver.execute_script(LITERAL)
        assert shown["elements"] == 0
        assert not shown["raw"]
        spelled = HIDDEN.sub(lambda match: f"U+{ord(match[0]):04X}", wanted)
        assert any(spelled in one for one in shown["texts"])
        assert shown["wide"] <= 0
        with pytest.raises(NoAlertPresentException):
            _ = driver.switch_to.alert.text


CONTRAST = """
const light = (colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).map((one) => {
    const share = one / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const style = (css) => getComputedStyle(document.querySelector(css));
const ground = light(style("body").backgroundColor);
return ["body", ".note", "nav a", "#list .card h4"].map((css) => {
  const ink = light(style(css).color);
  return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
});
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_and_can_be_read(look, width, theme):
    driver = look()
    feature = {"name": "prefers-color-scheme", "value": theme}
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    try:
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        ratios = driver.execute_script(CONTRAST)
        assert min(ratios) > 4.5
        ground = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, ground[4:-1].split(","))) > 382) == (theme == "light")
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_keys_reach_everything(look):
    from selenium.webdriver.common.keys import Keys

    driver = look()
    body = driver.find_element("tag name", "body")
    body.send_keys("/")
    active = "return document.activeElement.id"
    assert driver.execute_script(active) == "search"
    reached = []
    for _ in range(8):
        driver.switch_to.active_element.send_keys(Keys.TAB)
        reached.append(driver.execute_script(active))
    assert reached == [
        "model", "dataset", "condition", "temperature", "judge", "label", "agree", "order",
    ]  # fmt: skip
