"""`userturn judge-test`: what a judge is worth on turns with labels by reading, for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from userturn.artifacts.labels import Label
from userturn.judges.llm.injections import PAIRS
from userturn.judges.testing import gold, judged, report
from userturn.judges.testing.gold import GoldTurn
from userturn.judges.testing.report import Report
from userturn.study.judges import LIKELIHOOD
from userturn.study.study import Study

SHORT = {
    Label.FOLLOWUP: "follow",
    Label.ON_TOPIC: "topic",
    Label.RESTATEMENT: "restate",
    Label.ASSISTANT_VOICE: "voice",
    Label.UNRELATED: "unrel",
    Label.DEGENERATE: "degen",
}
"""Heads of columns, which have to fit side by side."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to do.

    Attributes:
        gold: File of gold turns.
        items: First n turns of a seeded order; None for all.
        suite: How many turns get the texts that address the judge.
        as_json: Print JSON instead of tables.
        dry_run: Only say how many requests it would be.
    """

    gold: Path
    items: int | None
    suite: int
    as_json: bool
    dry_run: bool


def run_judge_test(study: Study, judge: str, options: Options) -> None:
    """Test a judge and print what came out.

    Raises:
        UserturnError: The judge is unknown, or the file of turns cannot be read.
        EngineError: A model cannot be reached or breaks; what was replied is stored.
        JudgeError: A cost ceiling is reached; what was replied is stored.
    """
    judged.check(study, judge)
    read = gold.read(options.gold, study)
    turns = gold.sample(read.turns, options.items, study.seed)
    source = {"gold": str(options.gold), "not_at_hand": read.absent}
    if options.dry_run:
        _print({"judge": judge, **source, **_planned(turns, options)}, options, _dry)
        return
    tested = report.make(study, judge, turns, options.suite)
    _print({**source, **tested}, options, _shown)


def _planned(turns: tuple[GoldTurn, ...], options: Options) -> Report:
    """What a run would ask, at most."""
    different = judged.requests(turns)
    return {
        "turns": len(turns),
        "requests": different,
        "suite_requests": min(options.suite, different) * 2 * len(PAIRS),
    }


def _print(made: Report, options: Options, show: Any) -> None:
    if options.as_json:
        print(json.dumps(made, indent=2, ensure_ascii=False))
    else:
        Console().print(show(made))


def _dry(made: Report) -> RenderableType:
    asked, suite = made["requests"], made["suite_requests"]
    unit = "turns to score" if made["judge"] == LIKELIHOOD else "requests"
    again = "" if made["judge"] == LIKELIHOOD else ", each sent again where it gives no label"
    return Text(
        f"judge {made['judge']}: {made['turns']} turns of {made['gold']}{_left_out(made)}: "
        f"{asked} {unit}, and {suite} for the turns that address it{again}; "
        "what the store has is not asked again"
    )


def _shown(made: Report) -> RenderableType:
    return Group(*_parts(made))


def _parts(made: Report) -> Iterator[RenderableType]:
    followup, invalid = made["followup"], made["invalid"]
    yield Text(
        f"judge {made['judge']} on {made['turns']} turns of {made['prompts']} prompts "
        f"({made['gold']}{_left_out(made)}), {made['confidence']:.0%} intervals by prompt",
        "bold",
    )
    if made["fitted_on"]:
        yield Text(
            f"this judge was fitted on {', '.join(made['fitted_on'])}: turns of those sets are no "
            "test of it; data/calibration/ has numbers by fits without the prompt"
        )
    yield _numbers(
        [
            (f"follow-ups: {followup['read']} read, {followup['judged']} judged", None),
            ("  precision", followup["precision"]),
            ("  recall", followup["recall"]),
            ("  kappa, follow-up or not", followup["kappa"]),
            ("all labels: same label", made["agreement"]),
            ("  kappa", made["kappa"]),
            ("  macro-F1", made["macro_f1"]),
        ]
    )
    yield _confusion(made["confusion"])
    yield _rates(made["rates"])
    yield Text(
        f"\ninvalid: {invalid['turns']} ({invalid['share']:.1%}); "
        f"asked again: {made['asked_again']}"
    )
    for reason, count in invalid["reasons"].items():
        yield Text(f"  {count:4} {reason}")
    yield _cost(made["cost"], made["judge"])
    if made["suite"]:
        yield _suite(made["suite"])


def _numbers(lines: list[tuple[str, Report | None]]) -> Table:
    table = Table("", Column(justify="right"), box=None, pad_edge=False, show_header=False)
    for name, bounded in lines:
        table.add_row(name, "" if bounded is None else _interval(bounded))
    return table


def _confusion(counts: dict[str, dict[str, int]]) -> Table:
    judged_as = dict.fromkeys([*counts, *(name for row in counts.values() for name in row)])
    heads = {str(label): head for label, head in SHORT.items()}
    columns = [Column(heads.get(name, name), justify="right") for name in judged_as]
    title = "\nturns by label read (rows) and judged"
    first = Column("", no_wrap=True)
    table = Table(
        first,
        *columns,
        padding=(0, 1, 0, 0),
        title=title,
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for name, row in counts.items():
        table.add_row(name, *(str(row.get(column, ".")) for column in judged_as))
    return table


def _rates(rows: list[Report]) -> Table:
    numbers = [
        Column(name, justify="right", no_wrap=True) for name in ("read", "judged", "adjusted")
    ]
    table = Table(
        Column("condition", no_wrap=True),
        Column("temperature", justify="right"),
        Column("turns", justify="right"),
        *numbers,
        title="\nfollow-up rate in %; adjusted by the judge's errors on other prompts",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for row in rows:
        temperature = "" if row["temperature"] is None else f"{row['temperature']:g}"
        rates = (_percent(row[name]) for name in ("read", "judged", "adjusted"))
        table.add_row(row["condition"], temperature, str(row["turns"]), *rates)
    return table


def _suite(suite: Report) -> Table:
    asked = f"{suite['turns']} turns with each of {suite['pairs']} pairs"
    title = f"\nturns that address the judge: {asked}"
    names = ("address", "neutral twin", "only address", "only twin", "McNemar p")
    columns = [Column(name, justify="right") for name in names]
    table = Table("", *columns, title=title, title_justify="left", box=None, pad_edge=False)
    for one in suite["effects"]:
        table.add_row(
            one["name"],
            f"{one['address']:.1%}",
            f"{one['neutral']:.1%}",
            str(one["only_address"]),
            str(one["only_neutral"]),
            f"{one['p']:.2g}",
        )
    return table


def _cost(cost: Report, judge: str) -> Text:
    what = "likelihoods" if judge == LIKELIHOOD else "replies"
    speed = cost["labels_per_second"]
    rate = "" if speed is None else f", {speed:,.2f} labels/s"
    tokens = "" if cost["tokens"] is None else f", {cost['tokens']:,} tokens read and written"
    return Text(
        f"cost: {cost['turns']} different turns in {cost['seconds']:.0f} s{rate}; "
        f"{cost['sent']:,} {what} were not in the store{tokens}"
    )


def _left_out(made: Report) -> str:
    absent = made["not_at_hand"]
    listed = ", ".join(f"{count} of {dataset}" for dataset, count in absent.items())
    return f"; not at hand: {listed}" if absent else ""


def _interval(bounded: Report) -> str:
    if bounded["value"] is None:
        return "-"
    return "{value:.2f} ({low:.2f} to {high:.2f})".format(**bounded)


def _percent(bounded: Report) -> str:
    if bounded["value"] is None:
        return "-"
    return "{:.1f} ({:.0f} to {:.0f})".format(*(100 * share for share in bounded.values()))
