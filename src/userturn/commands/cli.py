"""The command line: parse, call, print. What it does lives in the modules it calls."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from userturn import __version__
from userturn.commands import labels, terminal
from userturn.commands.export import export

app = typer.Typer(
    help="Measure what chat models know about the user's side of a conversation.",
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Context = Literal["history", "live"]


def main() -> None:
    """Run the command line; errors a user can mend are printed without a traceback."""
    from userturn.base import signals
    from userturn.base.errors import UserturnError

    signals.end_this_process()
    # PyTorch reads it as its library is loaded, and warns of every choice of memory otherwise.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    try:
        app()
    except UserturnError as error:
        print(f"userturn: {terminal.harmless(str(error))}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        logging.getLogger(__name__).debug("where it happened", exc_info=True)
        name = terminal.harmless(terminal.clipped(str(error.filename)))
        print(f"userturn: {name}: {error.strerror or error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("userturn: interrupted", file=sys.stderr)
        sys.exit(signals.INTERRUPTED)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Measure what chat models know about the user's side of a conversation."""


@app.command()
def stage(
    name: Annotated[str, typer.Argument(help="Stage of dvc.yaml, such as `generate`.")],
    slug: Annotated[str | None, typer.Argument(help="Model or dataset of the stage.")] = None,
) -> None:
    """Run one stage of the study here and now (DVC calls this)."""
    from userturn import stages
    from userturn.commands.summary import summary
    from userturn.study.loading import load_study

    study = load_study()
    terminal.log_to(stages.full_name(name, slug).replace("@", "-"))
    logging.getLogger(__name__).debug("userturn %s, commit %s", __version__, _commit())
    stages.run(study, name, slug)
    if name == stages.ORDER[-1]:
        print(summary(), flush=True)


@app.command()
def params(
    key: Annotated[
        str,
        typer.Argument(help="Only keys that begin so, or one entry: `model.smollm2_135m`."),
    ] = "",
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema.")] = False,
) -> None:
    """Explain every key of params.yaml and registry.yaml: value here, default, unit, meaning."""
    from userturn.commands.params import explain, values_here
    from userturn.study.explaining import schema_text

    print(schema_text() if schema else explain(key, values_here()), end="")


@app.command()
def show(
    model: Annotated[str, typer.Option(help="Slug of the study, or a model directory.")],
    dataset: Annotated[str, typer.Option(help="Slug of the study.")],
    item: Annotated[int, typer.Option(help="Place of the prompt in the study's order.")] = 0,
    answer: Annotated[
        str | None, typer.Option(help="Answer to show; by default the model's own, if generated.")
    ] = None,
    context: Annotated[Context | None, typer.Option(help="By default as the study says.")] = None,
) -> None:
    """Print the exact tokens that a model sees, with ids, and what ends its turns."""
    from rich.console import Console

    from userturn.commands.show import show_item
    from userturn.study.loading import load_study

    terminal.quiet()
    Console().print(show_item(load_study(), model, dataset, item, answer, context))


@app.command()
def turns(  # noqa: PLR0913 - an argument is an option
    model: Annotated[str | None, typer.Option(help="Slug of a probed model.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Slug of a dataset.")] = None,
    condition: Annotated[
        str | None, typer.Option(help="`base`, a perturbation, `behind_<source>`.")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="Of the user turn.")] = None,
    judge: Annotated[
        str | None, typer.Option(help="Turns labelled by this judge or annotator; --label is its.")
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Label, or `invalid`; by the primary judge without --judge.")
    ] = None,
    disagreement: Annotated[
        bool, typer.Option("--disagreement", help="Where judges or annotators disagree.")
    ] = False,
    word: Annotated[str | None, typer.Option(help="What the turn contains, in any case.")] = None,
    limit: Annotated[
        int | None, typer.Option(help="At most so many: 10, all as JSON.", min=1)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One object per line, uncut.")] = False,
) -> None:
    """Print user turns with their query, answer and labels, in a seeded order."""
    from userturn.commands.turns import Wanted, run_turns
    from userturn.study.loading import load_study

    terminal.quiet()
    wanted = Wanted(model, dataset, condition, temperature, judge, label, disagreement, word)
    run_turns(load_study(), wanted, limit, as_json)


@app.command()
def status() -> None:
    """Say per stage whether it is up to date, and how many requests are finished and to send.

    Requests of stages that are to run: completions, likelihoods, and an LLM judge's replies.
    """
    from userturn.commands.status import run_status
    from userturn.study.loading import load_study

    terminal.quiet()
    run_status(load_study())


@app.command()
def plan(
    study: Annotated[Path, typer.Option(help="File of the study.")] = Path("params.yaml"),
    gpu_hour: Annotated[
        float | None, typer.Option("--price-per-gpu-hour", help="Of one GPU.", min=0)
    ] = None,
    judge_in: Annotated[
        float | None,
        typer.Option("--price-judge-in", help="A million tokens that a paid judge reads.", min=0),
    ] = None,
    judge_out: Annotated[
        float | None,
        typer.Option("--price-judge-out", help="A million tokens that it writes.", min=0),
    ] = None,
    assume: Annotated[
        list[str] | None, typer.Option(help="Set an assumption, such as `turn_tokens=30`.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a study is going to cost, before anything is downloaded, and what would not work.

    Requests, tokens, weights, GPU hours, judges and disk; hours and cost of what is not finished.
    """
    from userturn.commands.plan import Options, run_plan
    from userturn.workflow.plan.result import Prices

    terminal.quiet()
    prices = Prices(gpu_hour, judge_in, judge_out)
    run_plan(Options(study, prices, assume or (), as_json))


@app.command()
def repeatability(
    model: Annotated[str, typer.Option(help="Slug of a probed model.")],
    items: Annotated[int, typer.Option(help="First n prompts of each dataset.", min=1)] = 3,
    study: Annotated[Path, typer.Option(help="File of the study.")] = Path("params.yaml"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Generate twice, in other batches, and say which rows are the same and how rates shift."""
    from userturn.commands.repeatability import run_repeatability
    from userturn.study.loading import load_study

    terminal.log_to("repeatability")
    run_repeatability(load_study(study), model, items, as_json)


@app.command()
def verify() -> None:
    """Check every artifact of the study: schema, provenance, hash in dvc.lock, request of each row.

    Exit status 1 where anything is wrong. A study made anew on another kind of CPU is whole, too:
    its likelihoods may differ by 0.001, and dvc.lock with them; labels, rates and tables do not.
    """
    from rich.console import Console
    from rich.table import Column, Table

    from userturn.study.loading import load_study
    from userturn.workflow.verify import verify

    terminal.quiet()
    findings = verify(load_study())
    console = Console()
    for slug in findings.not_recomputed:
        console.print(f"{slug} is not on this machine: its request ids were not recomputed")
    if not findings.problems:
        console.print(
            f"{findings.files} artifacts: all whole, as dvc.lock records, and of one study"
        )
        return
    table = Table(Column("file", overflow="fold"), "problem", box=None, pad_edge=False)
    for problem in findings.problems:
        table.add_row(str(problem.path), problem.text)
    console.print(table)
    raise typer.Exit(1)


@app.command()
def pin(
    study: Annotated[Path, typer.Argument(help="A study; its registry is written.")] = Path(
        "params.yaml"
    ),
    whole: Annotated[bool, typer.Option("--all", help="Every entry of the registry.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the commits.")] = False,
) -> None:
    """Write into registry.yaml the commits that the study's hub repositories are at now.

    Models and datasets of the hub are fetched at a commit and never at a branch or tag. HF_TOKEN,
    HF_ENDPOINT and HF_HOME hold. To move on to a later commit, set `revision: main` and pin again.
    """
    from userturn.commands.pin import run_pin

    run_pin(study, whole, dry_run)


@app.command()
def probe(  # noqa: PLR0913 - an argument is an option
    model: Annotated[
        str,
        typer.Option(help="Directory of a chat model, or its `owner/name` on the hub."),
    ],
    prompts: Annotated[
        Path, typer.Option(help='JSONL, one {"prompt": ...} or {"messages": [...]} per line.')
    ],
    out: Annotated[Path, typer.Option(help="Folder for the study and its results.")] = Path(
        "probe"
    ),
    items: Annotated[int | None, typer.Option(help="First n prompts of a seeded order.")] = None,
    name: Annotated[
        str | None, typer.Option(help="The model's slug in tables; its folder's name by default.")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="What runs it: `auto`, `vllm`, `transformers`, ...")
    ] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")] = False,
) -> None:
    """Probe a model and a prompt file of your own, with this folder's study or the laptop's."""
    from userturn.commands.probe import Probed, run_probe

    terminal.log_to("probe")
    run_probe(Probed(model, prompts, items, name, engine), out, dry_run)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="Folder of a finished study or probe.")],
    second: Annotated[Path, typer.Argument(help="Folder of another.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Put two finished studies or probes side by side: rates, and contrasts paired by prompt."""
    from userturn.commands.compare import run_compare

    run_compare(first, second, as_json)


@app.command("judge-test")
def judge_test(
    judge: Annotated[str, typer.Argument(help="`likelihood`, or a judge of registry.yaml.")],
    gold: Annotated[Path, typer.Option(help="JSONL of turns with labels by reading.")] = Path(
        "data/reference/gold_turns.jsonl"
    ),
    items: Annotated[
        int | None, typer.Option(help="First n turns of a seeded order.", min=1)
    ] = None,
    suite: Annotated[int, typer.Option(help="Turns that get texts that address it.", min=0)] = 12,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count the requests.")] = False,
) -> None:
    """Test any judge on turns with labels by reading: do this before you trust its rates."""
    from userturn.commands.judge_test import Options, run_judge_test
    from userturn.study.loading import load_study

    terminal.log_to("judge-test")
    run_judge_test(load_study(), judge, Options(gold, items, suite, as_json, dry_run))


@app.command()
def annotate(
    annotator: Annotated[str, typer.Option(help="Your name in a-z, 0-9 and _.")],
    items: Annotated[
        int | None, typer.Option(help="Turns to draw where no sample was drawn yet (300).", min=1)
    ] = None,
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 0,
) -> None:
    """Label user turns in the browser, blind to model and judge; every key is saved at once."""
    from userturn.annotate.server import serve
    from userturn.study.loading import load_study

    terminal.log_to("annotate")
    serve(load_study(), annotator, items, port)


@app.command()
def serve(
    annotator: Annotated[
        str | None, typer.Option(help="Your name in a-z, 0-9 and _: label turns as you read.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 0,
) -> None:
    """Show the report's page over all turns of the study, on this machine only."""
    from userturn.annotate.browse import serve
    from userturn.study.loading import load_study

    terminal.log_to("serve")
    serve(load_study(), annotator, port)


@app.command()
def agreement(
    out: Annotated[Path | None, typer.Option(help="Write a CSV instead of printing.")] = None,
) -> None:
    """How far people and judges agree: Cohen's kappa, Krippendorff's alpha, per label."""
    from rich.console import Console

    from userturn.judges.human import agreement
    from userturn.study.loading import load_study

    study = load_study()
    rows = agreement.run(study)
    if out:
        agreement.write_csv(out, rows)
    else:
        Console().print(agreement.show(rows, study.statistics.confidence))


app.add_typer(labels.app, name="labels")
app.command()(export)


def _commit() -> str:
    """Commit of the code that runs, `-dirty` where files differ from it."""
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    folder = Path(__file__).parent
    done = subprocess.run(describe, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
