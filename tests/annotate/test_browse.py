"""The served page: all turns, chosen as the page chooses, and labels that `annotate` knows too."""

from __future__ import annotations

import errno
import json
import os
from urllib.parse import urlencode

import pytest

from chromium import NEEDED, chromium
from site_client import serving
from synthetic import held_out, make_study, write_artifacts
from userturn.annotate import browse, http, saving, server
from userturn.base.errors import UserturnError
from userturn.judges.human import labels as human
from userturn.report import _query
from userturn.report._block import packed
from userturn.report._sample import draw
from userturn.stages import figures as figures_stage
from userturn.stages import tables as tables_stage
from userturn.tables import _adjusted

JUDGED = {"judges": ["likelihood", "reader"], "primary": "likelihood"}
TURN = "smollm2_135m/gsm8k/0002/base/0/0"


def edited(kind, slug, row):
    """The second judge disagrees on some prompts, and measures differ."""
    if kind == "labels" and row["judge"] == "reader" and row["item"] < "0002":
        return {**row, "label": "on_topic"}
    if kind == "user_turns" and row["item"] == "0003" and row["text"]:
        return {**row, "text": f"Über=1 {row['text']}"}
    return row


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    held = held_out()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(_adjusted.calibration, "of_study", lambda study: held)
        study = make_study(samples=2, classify=JUDGED, judge={"reader": {"type": "local"}})
        write_artifacts(study, items=5, edit=edited)
        tables_stage.run(study)
        figures_stage.run(study)
    return folder, study


@pytest.fixture
def study(made, monkeypatch):
    folder, study = made
    monkeypatch.chdir(folder)
    yield study
    human.file_of("ann").unlink(missing_ok=True)


@pytest.fixture
def client(study):
    with (
        browse.open_browser(study, "ann") as browser,
        serving(*http.listen(browser, 0)) as client,
    ):
        yield client


def ask(client, name="turns", **wanted):
    answer, content = client.ask("GET", f"{name}?{urlencode(wanted)}")
    assert answer.status == 200, content
    return content


def everything(client, **wanted):
    """All turns that pass, taken a few at a time."""
    turns, count = [], 1
    while len(turns) < count:
        block = ask(client, offset=len(turns), count=100, **wanted)
        count = block["count"]
        turns += [(*block["prompts"][row[1]], row) for row in block["turns"]]
        if not block["turns"]:
            break
    assert len(turns) == count
    return turns


@pytest.mark.slow
def test_it_has_all_turns_as_the_page_has_them(client, study):
    whole = packed(study, draw(study).keys)
    there = everything(client)
    assert len(there) == len(whole["turns"]) == 3 * 5 * (1 + 2 + 2 + 4)
    mine = sorted((*prompt[:3], *row[2:5], *row[6:]) for *prompt, row in there)
    page = sorted((*whole["prompts"][row[1]], *row[2:5], *row[6:]) for row in whole["turns"])
    assert [json.dumps(row) for row in mine] == [json.dumps(row) for row in page]


@pytest.mark.slow
def test_filters_do_what_they_say(client):
    turns = everything(client)

    def passing(wanted):
        return sorted(json.dumps(row) for *_, row in turns if wanted(row))

    block = ask(client, count=1)
    labels = [label["label"] for label in server.rubric()]
    for wanted, rule in (
        ({"condition": "swap"}, lambda row: row[2] == "swap"),
        ({"temperature": "0.7"}, lambda row: row[3] == 0.7),
        ({"label": "on_topic"}, lambda row: labels[row[10][0][0]] == "on_topic"),
        ({"label": "on_topic", "judge": "reader"}, lambda row: labels[row[10][1][0]] == "on_topic"),
        ({"agree": "no"}, lambda row: row[10][0][0] != row[10][1][0]),
        ({"q": "ÜBER=1"}, lambda row: "Über=1" in row[6]),
        ({"q": "swap of 2"}, lambda row: row[2] == "swap" and row[1] is not None),
        ({"model": "nobody"}, lambda row: False),
    ):
        got = everything(client, **wanted)
        if "swap of" in wanted.get("q", ""):
            assert {(prompt[1], row[2]) for *prompt, row in got} == {("0002", "swap")}
            continue
        # prompts' and answers' places are those of each block
        strip = [json.dumps([*row[2:5], *row[6:]]) for *_, row in got]
        wished = [json.dumps([*row[2:5], *row[6:]]) for *_, row in turns if rule(row)]
        assert sorted(strip) == sorted(wished), wanted
        assert passing(rule) or wanted == {"model": "nobody"}
    for way, sign in (("down", -1), ("up", 1)):
        values = [row[8] for *_, row in everything(client, order=f"uptake-{way}")]
        known = [value for value in values if value is not None]
        assert known == sorted(known, key=lambda value, sign=sign: sign * value)
        assert values[len(known) :] == [None] * (len(values) - len(known))
    assert block["count"] == len(turns)


@pytest.mark.slow
def test_one_turn_brings_all_of_its_prompt(client):
    block = ask(client, "turn", turn=TURN)
    assert len(block["turns"]) == 1 + 2 + 2 + 4
    assert {tuple(prompt[:2]) for prompt in block["prompts"]} == {("gsm8k", "0002")}
    for name in ("nobody", "a/b/c/d/e/f", TURN + "7", TURN.replace("gsm8k", "x")):
        assert client.ask("GET", f"turn?{urlencode({'turn': name})}")[0].status == 404


@pytest.mark.slow
def test_a_label_is_one_of_annotate_and_can_be_taken_back(client, study):
    def given():
        return human.read_all().get("ann", {})

    post = {"turn": TURN, "label": "followup", "seconds": 2.5}
    assert client.ask("POST", "label", post)[0].status == 200
    (text,) = given()
    current = human.shown(study, "smollm2_135m")
    assert current[text]["item"] == "0002"
    assert given()[text] == "followup"
    assert ask(client, "turn", turn=TURN)["mine"] == {TURN: "followup"}
    assert client.ask("POST", "label", {**post, "label": "meta"})[0].status == 200
    assert given()[text] == "meta"
    assert client.ask("POST", "label", {**post, "label": None})[0].status == 200
    assert given() == {}
    assert ask(client, "turn", turn=TURN)["mine"] == {}
    with pytest.raises(UserturnError, match="annotator 'ann' is at work"), human_at_work():
        pass


def human_at_work():
    from userturn.annotate.file import held

    return held("ann")


@pytest.mark.slow
def test_strangers_and_nonsense_are_refused(client):
    port = client.url.port
    post = {"turn": TURN, "label": "followup", "seconds": 1}
    for status, method, name, change in (
        (403, "GET", "turns", {"Host": f"evil.example:{port}"}),
        (403, "POST", "label", {"Origin": "http://evil.example"}),
        (415, "POST", "label", {"Content-Type": "text/plain"}),
        (404, "GET", "turns", {"path": "/turns"}),
        (404, "GET", "", {"path": "/guess/"}),
        (404, "GET", "../metrics.json", {}),
        (404, "POST", "undo", {}),
        (400, "GET", "turns?count=100000", {}),
        (400, "GET", "turns?offset=-1", {}),
        (400, "GET", "turns?order=random", {}),
        (400, "GET", "turns?nothing=1", {}),
    ):
        answer, content = client.ask(method, name, post if method == "POST" else None, **change)
        assert answer.status == status, (method, name, change)
        assert "prompts" not in content
    for change in ({"label": "nope"}, {"seconds": -1}, {"seconds": None}, {"more": 1}):
        assert client.ask("POST", "label", {**post, **change})[0].status == 400
    for turn in ("nobody", TURN + "9", TURN.replace("smollm2_135m", "../x")):
        assert client.ask("POST", "label", {**post, "turn": turn})[0].status == 404
    assert human.read_lines(human.file_of("ann"), human.Annotation) == []


@pytest.mark.slow
def test_a_full_disk_loses_nothing(client, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    post = {"turn": TURN, "label": "followup", "seconds": 1}
    with monkeypatch.context() as patch:
        patch.setattr(saving.os, "fsync", full)
        answer, content = client.ask("POST", "label", post)
    assert (answer.status, content) == (507, {"error": "No space left on device"})
    assert ask(client, "turn", turn=TURN)["mine"] == {}
    assert client.ask("POST", "label", post)[0].status == 200
    assert len(human.read_lines(human.file_of("ann"), human.Annotation)) == 1


@pytest.mark.slow
def test_a_reader_cannot_label(study):
    with (
        browse.open_browser(study, None) as browser,
        serving(*http.listen(browser, 0)) as client,
    ):
        post = {"turn": TURN, "label": "followup", "seconds": 1}
        assert client.ask("POST", "label", post)[0].status == 404
        answer, content = client.ask("GET", "")
        policy = answer.headers["Content-Security-Policy"]
        assert "connect-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "Labelling as" not in content
        assert len(browser._every.index) > _query.MOST


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.mark.skipif(NEEDED[1].args[0], reason="no Chromium to drive")
@pytest.mark.slow
def test_in_a_browser_keys_label_and_judges_stay_hidden_until_then(client, driver):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.wait import WebDriverWait

    wait = WebDriverWait(driver, 10)
    driver.get(client.url.geturl())
    wait.until(lambda d: d.find_elements(By.CSS_SELECTOR, "#list .card"))
    assert driver.find_element(By.ID, "count").text == "135 turns"
    body = driver.find_element(By.TAG_NAME, "body")
    body.send_keys("j")
    card = driver.find_element(By.CSS_SELECTOR, ".card[data-current]")
    judges = card.find_element(By.CSS_SELECTOR, ".facts-line")
    assert not judges.is_displayed()
    driver.switch_to.active_element.send_keys("3")
    wait.until(lambda d: "Saved for ann: restatement." in card.text)
    assert judges.is_displayed()
    (text,) = human.read_all()["ann"]
    assert f"{text.dataset} {text.item}" in card.text
    driver.switch_to.active_element.send_keys("u")
    wait.until(lambda d: "Taken back." in card.text)
    assert human.read_all() == {}
    driver.get(client.url.geturl() + f"#turn={TURN.replace('/', '%2F')}")
    wait.until(lambda d: d.find_elements(By.CSS_SELECTOR, "#one .whole"))
    assert len(driver.find_elements(By.CSS_SELECTOR, "#one .side .card")) == 8
    driver.find_element(By.TAG_NAME, "body").send_keys("1")
    wait.until(lambda d: human.read_all())
    assert [line["message"] for line in driver.get_log("browser")] == []
