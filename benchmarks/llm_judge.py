"""How good a judge is a model? Invalid share, speed, agreement, and what addressing it changes.

    python benchmarks/llm_judge.py [--judge SLUG | --model DIR] [--turns 240] [--suite 24]
        [--references FILE.jsonl] [--out FILE.jsonl]

Runs in the folder of a finished study: it labels up to N of its user turns with the judge SLUG of
`params.yaml`, or with the model in DIR, or else with `classify.judge_model`, in an empty store. It
prints

- the share of invalid labels, labels per second, and agreement with the likelihood judge;
- for reference turns, one `{"query", "answer", "turn", "expected"}` per line: agreement with
  `expected`;
- for turns that address the judge (`judges/injections.py`): how often the label changes, beside
  neutral turns of the same form.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from userturn.judges import kinds
from userturn.judges.llm.ask import Panel, Verdict
from userturn.judges.llm.injections import PAIRS
from userturn.judges.llm.reply import Item
from userturn.models import weights
from userturn.stages import classify
from userturn.study.judges import LIKELIHOOD
from userturn.study.loading import load_study
from userturn.study.study import Study


def choose_judge(study: Study, judge: str | None, model: Path | None) -> tuple[Study, str]:
    """The study with the judge to measure, and the judge's slug."""
    if judge:
        return study, judge
    raw = study.model_dump(mode="json")
    if model:
        source = {"type": "file", "path": str(model.resolve())}
        raw["model"]["measured"] = {"source": source, "engine": {"max_model_len": 4096}}
        raw["models"]["pretrained"].append("measured")
        raw["classify"]["judge_model"] = "measured"
    raw["judge"] = {"measured": {"type": "local"}}
    changed = Study.model_validate(raw)
    if model:
        weights.run(changed, "measured")
    return changed, "measured"


def study_turns(study: Study, count: int) -> tuple[list[Item], list[str | None]]:
    """Up to `count` generated turns in seeded order, and the likelihood judge's labels."""
    found: list[tuple[str, Item, str | None]] = []
    for slug in study.models.probe:
        turns = classify.read(study, slug)
        labelled, _ = kinds.judge_of(study, LIKELIHOOD)(study, LIKELIHOOD, "benchmark", turns)
        for turn, row in zip(turns.rows, labelled, strict=True):
            if (turn["text"] or "").strip():
                item = Item(turn["query"], turn["shown"] or "", turn["text"])
                rank = hashlib.sha256(f"{study.seed}{slug}{list(row.values())[:5]}".encode())
                found.append((rank.hexdigest(), item, row["label"]))
    chosen = sorted(found, key=lambda entry: entry[0])[:count]
    return [item for _, item, _ in chosen], [label for _, _, label in chosen]


def label_of(verdict: Verdict) -> str | None:
    """The label as text, or None."""
    return None if verdict.label is None else verdict.label.value


def said(verdict: Verdict) -> str | None:
    """The label in the last reply, whether or not its evidence holds."""
    try:
        label = json.loads(verdict.responses[-1])["label"]
    except (IndexError, KeyError, TypeError, json.JSONDecodeError):
        return None
    return str(label)


def print_agreement(title: str, ours: Sequence[str | None], theirs: Sequence[str | None]) -> None:
    """Agreement over the turns that have both labels: raw, and Cohen's kappa; for followup too."""
    from sklearn.metrics import cohen_kappa_score

    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a and b]
    print(f"\nagreement with {title}: {len(pairs)} turns with both labels")
    for name, made in (
        ("all labels", pairs),
        ("followup or not", [(a == "followup", b == "followup") for a, b in pairs]),
    ):
        if not made:
            continue
        left, right = zip(*made, strict=True)
        same = sum(a == b for a, b in made) / len(made)
        kappa = "not defined (one label)"
        if len({*left, *right}) > 1:
            kappa = f"{cohen_kappa_score(left, right):.2f}"
        print(f"  {name}: raw {same:.2f}, kappa {kappa}")
    counts = [dict(Counter(side)) for side in zip(*pairs, strict=True)]
    print("  labels: " + " against ".join(map(str, counts)))


def print_suite(asker: Panel, items: Sequence[Item], labels: Sequence[str | None]) -> None:
    """Labels that change when an address, or its neutral twin, is appended to a turn."""
    from scipy.stats import binomtest

    def with_suffix(item: Item, suffix: str) -> Item:
        return Item(item.query, item.answer, f"{item.turn} {suffix}")

    asked = [
        tuple(with_suffix(item, suffix) for suffix in pair) for item in items for pair in PAIRS
    ]
    before = [label for label in labels for _ in PAIRS]
    verdicts = asker.verdicts(item for pair in asked for item in pair)
    after = [tuple(label_of(verdicts[item]) for item in pair) for pair in asked]
    print(f"\nturns that address the judge: {len(items)} turns with each of {len(PAIRS)} pairs")
    for name, hit in (
        ("another label", lambda old, new: new is not None and new != old),
        ("no valid label", lambda _, new: new is None),
        ("became followup", lambda old, new: new == "followup" != old),
    ):
        flags = [
            tuple(hit(old, new) for new in pair) for old, pair in zip(before, after, strict=True)
        ]
        address, neutral = (sum(flag[side] for flag in flags) for side in (0, 1))
        only = sum(a and not n for a, n in flags), sum(n and not a for a, n in flags)
        p = binomtest(only[0], sum(only)).pvalue if sum(only) else 1.0
        print(
            f"  {name}: address {address / len(flags):.2f}, neutral {neutral / len(flags):.2f} "
            f"(only one of the two: {only[0]} and {only[1]}, McNemar p = {p:.2g})"
        )


def main() -> None:
    """Label, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--judge", help="slug of `judge` in params.yaml")
    parser.add_argument("--model", type=Path, help="directory of a Hugging Face model")
    parser.add_argument("--turns", type=int, default=240, help="user turns of the study")
    parser.add_argument("--suite", type=int, default=24, help="turns that address the judge")
    parser.add_argument("--references", type=Path, help="JSON lines with expected labels")
    parser.add_argument("--out", type=Path, help="JSON lines of every study turn with its verdict")
    options = parser.parse_args()
    study, judge = choose_judge(load_study(), options.judge, options.model)
    items, theirs = study_turns(study, options.turns)
    if not items:
        sys.exit("this folder's study has no user turns: run it first")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["USERTURN_STORE"] = folder
        with Panel(study, judge, "benchmark") as asker:
            asker.verdicts([Item("Hello?", "Hello.", "How are you?")])  # loads the model
            start = time.monotonic()
            verdicts = asker.verdicts(items)
            seconds = time.monotonic() - start
            ours = [label_of(verdicts[item]) for item in items]
            report(verdicts, seconds)
            print_agreement("the likelihood judge", ours, theirs)
            replied = [said(verdicts[item]) for item in items]
            print_agreement("the likelihood judge, evidence unchecked", replied, theirs)
            if options.out:
                write(options.out, verdicts)
            if options.references:
                read = map(json.loads, options.references.read_text("utf-8").splitlines())
                lines: list[dict[str, Any]] = list(read)
                made = [Item(line["query"], line["answer"], line["turn"]) for line in lines]
                judged = asker.verdicts(made)
                expected = [line["expected"] for line in lines]
                for title, read_label in (
                    ("expected labels", label_of),
                    ("expected labels, evidence unchecked", said),
                ):
                    print_agreement(title, [read_label(judged[item]) for item in made], expected)
            valid = [(item, label) for item, label in zip(items, ours, strict=True) if label]
            if options.suite and valid:
                chosen = list(dict(valid).items())[: options.suite]
                print_suite(asker, [item for item, _ in chosen], [label for _, label in chosen])


def report(verdicts: dict[Item, Verdict], seconds: float) -> None:
    """Invalid share with reasons, speed, labels."""
    count = len(verdicts)
    invalid = Counter(v.invalid for v in verdicts.values() if v.invalid)
    again = sum(len(v.request_ids) == 2 for v in verdicts.values())
    print(f"{count} different turns in {seconds:.0f} s: {count / seconds:.2f} labels/s")
    share = sum(invalid.values()) / count
    print(f"asked again: {again}; invalid: {sum(invalid.values())} = {share:.2f}")
    for reason, number in invalid.most_common():
        print(f"  {number:4} {reason}")
    print(f"labels: {dict(Counter(label_of(v) for v in verdicts.values() if v.label))}")


def write(path: Path, verdicts: dict[Item, Verdict]) -> None:
    """One line per turn."""
    with path.open("w", encoding="utf-8") as handle:
        for item, v in verdicts.items():
            facts = {"turn": item.turn, "label": label_of(v), "invalid": v.invalid}
            handle.write(json.dumps({**facts, "responses": v.responses}) + "\n")


if __name__ == "__main__":
    main()
