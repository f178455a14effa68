"""`userturn status`: what is up to date, and what is finished and to send."""

from __future__ import annotations

from userturn.study.study import Study


def run_status(study: Study) -> None:
    """Print a line per stage, and per kind of request of a stage."""
    from rich.console import Console
    from rich.table import Column, Table

    from userturn.workflow.status import age_text, status

    names = ("stage", "for", "state")
    numbers = ("wanted", "finished", "to send", "age")
    table = Table(
        *(Column(name, no_wrap=True) for name in names),
        *(Column(name, justify="right") for name in numbers),
        box=None,
        pad_edge=False,
    )
    for line in status(study):
        counts = (line.wanted, line.finished, line.to_send)
        unknown = "?" if line.kind and line.state != "up to date" else ""
        table.add_row(
            line.stage,
            line.kind or "",
            line.state,
            *(unknown if count is None else str(count) for count in counts),
            age_text(line.age),
        )
    Console().print(table)
