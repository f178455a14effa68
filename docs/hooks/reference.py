"""Reference pages, written from the code at build time: they cannot say what the code does not."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from userturn.artifacts import schemas
from userturn.artifacts.labels import MEANING
from userturn.base import registry
from userturn.study.explaining import Key, describe_keys
from userturn.workflow import captions

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

Row = tuple[str, ...]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """MkDocs calls this once the pages on disk are known."""
    from mkdocs.structure.files import File

    for name, text in pages().items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def pages() -> dict[str, str]:
    """Text of every reference page by its name."""
    keys = describe_keys()
    return {
        "commands": commands(),
        "params": parameters("params.yaml", keys),
        "registry": parameters("registry.yaml", keys),
        "artifacts": artifacts(),
        "tables": tables(),
        "things": things(),
    }


def commands() -> str:
    """Every command with its arguments and options, as `--help` has them."""
    import typer

    from userturn.commands.cli import app

    group: Any = typer.main.get_command(app)
    parts = ["# Commands", "What `userturn --help` and `userturn COMMAND --help` say."]
    for name, command in leaves(group):
        usage = [spelled(one) for one in command.params if one.param_type_name == "argument"]
        parts.append(f"## userturn {name}")
        parts += [f"`{' '.join(['userturn', name, *usage])}`"] if usage else []
        parts.append(cleaned(command.help or ""))
        rows = [described(parameter) for parameter in command.params]
        if rows:
            parts.append(table(("argument or option", "default", "is"), rows))
    return page(parts)


def leaves(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Commands below a group by their full name, sorted."""
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from leaves(command, f"{prefix}{name} ")
        elif not command.hidden:
            yield f"{prefix}{name}", command


def spelled(parameter: Any) -> str:
    """How an argument or option is written on the command line."""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper())
    return ", ".join(parameter.opts)


def described(parameter: Any) -> Row:
    """A row of a command's table."""
    empty = parameter.default in (None, False)
    default = "required" if parameter.required else "" if empty else f"`{parameter.default}`"
    return f"`{spelled(parameter)}`", default, cleaned(parameter.help or "")


def parameters(file: str, keys: Iterable[Key]) -> str:
    """The keys of one file, a section each, from the schema."""
    inside = [key for key in keys if key.file == file]
    parts = [
        f"# {file}",
        f"Every key of `{file}`, from its schema; `userturn params` prints them with the values "
        "of a study. An editor takes the schema from `studies/schema.json`.",
    ]
    for section, some in groupby(inside, key=lambda key: key.name.split(".")[0]):
        rows = [
            (
                f"`{key.name}`",
                key.default if " " in key.default or key.default == "required"
                else f"`{key.default}`",
                ", ".join(filter(None, (key.unit, key.type and f"type {key.type}"))),
                key.description,
            )
            for key in some
        ]  # fmt: skip
        parts += [f"## {section}", table(("key", "default", "unit, where", "is"), rows)]
    return page(parts)


def artifacts() -> str:
    """Columns of every kind of artifact, from `artifacts/schemas.py`."""
    remarks = comments(Path(schemas.__file__).read_text(encoding="utf-8"))
    parts = [
        "# Artifacts",
        "Parquet files that stages write, one per model or dataset, read and written by one "
        "schema each (`artifacts/schemas.py`). Key columns are never null, and no key is there "
        "twice. `data/README.md` of the repository says which stage writes which.",
    ]
    for kind, key in schemas.KEYS.items():
        where = "data/calibration/turns.parquet" if kind == "reference" else f"data/{kind}/"
        rows = [
            (f"`{name}`" + (" (key)" if name in key else ""), f"`{dtype}`", meaning(name, remarks))
            for name, dtype in schemas.columns(kind).items()
        ]
        parts += [f"## {kind}", f"`{where}`", table(("column", "type", "is"), rows)]
    return page(parts)


def meaning(column: str, remarks: dict[str, str]) -> str:
    """What a column is: its measure's meaning, or the remark behind it in the schema."""
    measures = registry.declared("measures.kinds", "MEASURE")
    if column in measures:
        return f"{measures[column].meaning} ({measures[column].unit})"
    if column.startswith("log_p"):
        name = column.removeprefix("log_p").removeprefix("_") or "own"
        if name in registry.names("measures.contexts"):
            where = registry.load("measures.contexts", name, "CONTEXT").meaning
            return f"log-probability of each token {where} (nats)"
    return remarks.get(column, "")


def comments(source: str) -> dict[str, str]:
    r"""Remarks behind the entries of dictionaries, by their key.

    >>> comments('A = {\n  "end": "string",  # how it ended\n}')
    {'end': 'how it ended'}
    """
    remarks, keys = {}, {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.STRING and token.line.strip().startswith(token.string):
            keys.setdefault(token.start[0], token.string.strip("\"'"))
        elif token.type == tokenize.COMMENT and token.start[0] in keys:
            remarks.setdefault(keys[token.start[0]], token.string.removeprefix("# "))
    return remarks


def tables() -> str:
    """What each table and figure shows, by the first line of its module."""
    parts = ["# Tables and figures", "Files of `reports/tables/` and `reports/figures/`."]
    for room in ("tables", "figures"):
        names = [(f"`{name}`", captions.about(room, name)) for name in registry.names(room)]
        parts += [f"## {room.capitalize()}", table(("name", "shows"), names)]
    from userturn.tables import all_tables

    parts.append("## Columns of the tables")
    rows = [
        (f"`{name}`", ", ".join(f"`{column}`" for column in one.columns))
        for name, one in sorted(all_tables().items())
    ]
    parts.append(table(("table", "columns"), rows))
    return page(parts)


def things() -> str:
    """What studies name, and what is measured: the rooms of the package."""
    measures = registry.declared("measures.kinds", "MEASURE").items()
    contexts = registry.declared("measures.contexts", "CONTEXT").items()
    controls = registry.declared("perturbations", "PERTURBATION").items()
    rooms = {
        "Kinds of dataset": "prompts.kinds",
        "Verifiers": "verifiers",
        "Kinds of judge": "judges.kinds",
        "Engines": "engines.kinds",
        "Formats of `userturn export`": "export",
    }
    parts = [
        "# What there is",
        "Each is one file of the package, found by its name; [add one](../how-to/add.md).",
        "## Labels",
        table(("label", "the turn"), [(f"`{name}`", text) for name, text in MEANING.items()]),
        "## Measures",
        table(
            ("measure", "says", "unit"),
            [(f"`{name}`", one.meaning, one.unit) for name, one in measures],
        ),
        "## Contexts behind which a turn is scored",
        table(("context", "is"), [(f"`{name}`", one.meaning) for name, one in contexts]),
        "## Perturbations of the answer",
        table(
            ("perturbation", "the rate should move", "why"),
            [(f"`{name}`", one.expected, one.why) for name, one in controls],
        ),
    ]
    for title, room in rooms.items():
        parts += [f"## {title}", ", ".join(f"`{name}`" for name in registry.names(room))]
    return page(parts)


def table(head: Row, rows: Iterable[Row]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines)


def cell(text: str) -> str:
    """A text on one line that ends no cell."""
    return " ".join(text.split()).replace("|", "\\|")


def cleaned(text: str) -> str:
    """A docstring as Markdown: paragraphs, no indentation."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def page(parts: Iterable[str]) -> str:
    """Paragraphs as a page."""
    return "\n\n".join(parts) + "\n"
