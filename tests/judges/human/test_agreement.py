"""Agreement of people and judges, and every way in which there is too little to compare."""

from __future__ import annotations

import numpy as np
import pytest
from rich.console import Console

from synthetic import make_study, write_artifacts
from userturn.annotate import server
from userturn.artifacts.labels import Label
from userturn.base.errors import UserturnError
from userturn.judges.human import agreement
from userturn.judges.human import labels as human
from userturn.stats.agreement import Measured

ORDER = list(Label)


def turn(prompt, sample=0):
    return "m", "d", f"{prompt:04d}", "base", 0.7, sample


def rater(codes, per_prompt=1):
    return {
        turn(n // per_prompt, n % per_prompt): ORDER[code]
        for n, code in enumerate(codes)
        if code is not None
    }


def test_krippendorffs_own_example():
    """Four coders, twelve units, missing values: alpha 0.743 (Krippendorff 2011, part C)."""
    data = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    ]
    raters = {str(n): rater(codes) for n, codes in enumerate(data)}
    overall, *per_label = agreement.compare("human-human", raters, 0.95, 300, 0)
    assert overall.measured.alpha[0] == pytest.approx(0.743, abs=0.0005)
    assert overall.measured.kappa is None
    assert overall.turns == 11, "the last unit has one label"
    assert [row.label for row in per_label] == [ORDER[code].value for code in (1, 2, 3, 4, 5)]


def test_intervals_are_by_prompt():
    """Eight turns a prompt that all say the same are one prompt's worth of evidence."""
    rng = np.random.default_rng(0)
    truth = np.repeat(rng.integers(0, 3, 40), 8)
    wrong = np.repeat(rng.random(40) < 0.3, 8)
    other = np.where(wrong, (truth + 1) % 3, truth)

    def width(per_prompt):
        raters = {"a": rater(truth, per_prompt), "b": rater(other, per_prompt)}
        _, low, high = agreement.compare("human-human", raters, 0.95, 500, 0)[0].measured.kappa
        return high - low

    assert width(8) > 2 * width(1)


@pytest.mark.slow
def test_intervals_cover_the_truth():
    """Two raters who see the truth in four of five turns, guess one of three labels else."""
    rng = np.random.default_rng(4)
    covered = np.zeros(2)
    for index in range(120):
        truth = rng.integers(0, 3, 150)
        a, b = (np.where(rng.random(150) < 0.8, truth, rng.integers(0, 3, 150)) for _ in range(2))
        got = agreement.compare(
            "human-human", {"a": rater(a, 3), "b": rater(b, 3)}, 0.95, 300, index
        )
        covered += [
            low <= 0.64 <= high for _, low, high in (got[0].measured.kappa, got[0].measured.alpha)
        ]
    assert (covered / 120 > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 120)).all()


def test_one_label_alone_has_no_kappa():
    same = {"a": rater([0, 0, 0]), "b": rater([0, 0, 0])}
    overall, only = agreement.compare("human-human", same, 0.95, 100, 0)
    assert overall.measured == Measured(1, None, None)
    assert (only.label, only.measured.kappa) == ("followup", None)
    assert agreement.compare("human-human", {"a": rater([0]), "b": {}}, 0.95, 100, 0) == []


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = make_study(datasets=["a"], samples=2)
    write_artifacts(study, items=12)
    return study


def annotate(study, name, choose):
    with server.open_session(study, name, None) as session:
        while turn := session.state()["turn"]:
            label = choose(turn)
            session.answer(server.Answer(turn=turn["id"], label=label, seconds=1))


def by_form(turn):
    return "empty" if not turn["turn"] else "followup" if "?" in turn["turn"] else "generic"


def test_people_and_judge(study, tmp_path):
    for name, choose in (
        ("ann", by_form),
        ("bob", by_form),
        ("likelihood", lambda turn: "skip" if "bat" in turn["turn"] else "followup"),
    ):
        annotate(study, name, choose)
    rows = agreement.run(study)
    overall = {row.raters: row for row in rows if row.label == "all"}
    assert list(overall) == [
        ("ann", "bob", "likelihood (human)"),
        ("ann", "bob"),
        ("ann", "likelihood (human)"),
        ("bob", "likelihood (human)"),
        ("ann", "likelihood"),
        ("bob", "likelihood"),
        ("likelihood (human)", "likelihood"),
    ]
    assert overall["ann", "bob"].measured.kappa[0] == 1
    assert overall["ann", "bob"].turns == 60
    assert overall["ann", "likelihood"].kind == "human-judge"
    assert 0 < overall["ann", "likelihood"].measured.kappa[0] < 1
    Console(width=200).print(agreement.show(rows, 0.95))
    agreement.write_csv(tmp_path / "agreement.csv", rows)
    written = (tmp_path / "agreement.csv").read_text().splitlines()
    assert written[0].split(",") == list(agreement.COLUMNS)
    assert len(written) == 1 + len(rows)


def test_labels_on_texts_made_anew_do_not_count(study):
    annotate(study, "ann", by_form)
    before = agreement.run(study)[0].turns

    def anew(kind, slug, row):
        changed = kind == "user_turns" and row["item"] == "0003"
        return {**row, "text": "something else"} if changed else row

    write_artifacts(study, items=12, edit=anew)
    assert agreement.run(study)[0].turns == before - 5


def test_too_few_raters_are_named(study):
    with pytest.raises(UserturnError, match=r"labels are there of: likelihood\. `userturn annot"):
        agreement.run(study)
    human.FOLDER.mkdir(parents=True, exist_ok=True)
    human.file_of("ann").write_text("")
    with pytest.raises(UserturnError, match="needs two raters"):
        agreement.run(study)
