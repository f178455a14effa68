r"""A form's rows as CSV, Markdown and LaTeX. Pure.

Cells may hold names that come from outside, so each format has its own escapes. LaTeX needs the
package booktabs, and longtable for tables of more than a page.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence

from userturn.artifacts.csv_file import UNSEEN, harmless
from userturn.tables.paper._form import MINUS, NOTHING, Cells

PAGE = 45
"""Rows that fit on a page."""
EMPTY = "no data"
LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    MINUS: "$-$", NOTHING: "--", "→": r"$\rightarrow$", "<": "$<$", ">": "$>$",
}  # fmt: skip
MARKDOWN = re.compile(r"([\\|`*_<>\[\]#])")


def as_csv(name: str, caption: str, rows: Sequence[Cells]) -> str:  # noqa: ARG001 - as the others
    """Comma-separated values with a header; the caption stands in the other formats."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_headings(rows))
    writer.writerows([harmless(cell) for cell in row.values()] for row in rows)
    return text.getvalue()


def as_markdown(name: str, caption: str, rows: Sequence[Cells]) -> str:  # noqa: ARG001 - ditto
    """A table as GitHub and pandoc read it, behind its caption."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(_in_markdown(cell) for cell in cells)} |"

    headings = _headings(rows)
    rule = "|" + "|".join([" --- "] + [" ---: "] * (len(headings) - 1)) + "|"
    body = [line(headings), rule, *(line(list(row.values())) for row in rows)]
    return "\n".join([_in_markdown(caption), "", *body]) + "\n"


def as_latex(name: str, caption: str, rows: Sequence[Cells]) -> str:
    """A table with booktabs' rules; of more than a page as a longtable."""
    headings = _headings(rows)
    layout = "l" + "r" * (len(headings) - 1)

    def line(cells: Sequence[str]) -> str:
        return " & ".join(_in_latex(cell) for cell in cells) + r" \\"

    told = rf"\caption{{{_in_latex(caption)}}}\label{{tab:{name.replace('_', '-')}}}"
    head = [r"\toprule", line(headings), r"\midrule"]
    body = [line(list(row.values())) for row in rows]
    if len(rows) > PAGE:
        lines = [
            rf"\begin{{longtable}}{{{layout}}}", rf"{told} \\", *head, r"\endhead", *body,
            r"\bottomrule", r"\end{longtable}",
        ]  # fmt: skip
    else:
        lines = [
            r"\begin{table}", r"\centering", told, rf"\begin{{tabular}}{{{layout}}}", *head, *body,
            r"\bottomrule", r"\end{tabular}", r"\end{table}",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


FORMATS: dict[str, Callable[[str, str, Sequence[Cells]], str]] = {
    "csv": as_csv,
    "md": as_markdown,
    "tex": as_latex,
}
"""Writers by the end of the file's name: of a form's name, caption and rows."""


def _headings(rows: Sequence[Cells]) -> list[str]:
    return list(rows[0]) if rows else [EMPTY]


def _in_latex(text: str) -> str:
    return "".join(LATEX.get(sign, sign) for sign in _shown(text))


def _shown(text: str) -> str:
    """A text on one line, with nothing in it that a reader would not see."""
    spelled = UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return " ".join(spelled.split())


def _in_markdown(text: str) -> str:
    return MARKDOWN.sub(r"\\\1", _shown(text))
