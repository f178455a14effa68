"""The page: its parts by their templates, one style sheet, one script, and a policy for both."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from markupsafe import Markup

from userturn import report
from userturn.report import _numbers
from userturn.report._part import Source, link
from userturn.report._text import visible

HERE = Path(__file__).parent
SCRIPTS = ("cards", "sources", "labels", "browser")
"""Files of the page's script, in their order."""


def render(source: Source) -> str:
    """The page as HTML: the same bytes for the same source.

    Raises:
        ArtifactError: An artifact is missing, unreadable, or from another study.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(_numbers, name) for name in ("percent", "points", "plain", "pvalue")
    }
    environment.filters["visible"] = visible
    environment.globals |= {"between": _numbers.between, "link": link, "name_of": source.name}
    style, script = _style(), _script()
    parts = {
        name: {
            "heading": part.heading,
            "body": Markup(  # noqa: S704 - escaped where it was rendered
                environment.get_template(f"{name}.html.j2").render(part.view(source))
            ),
        }
        for name, part in report.all_parts().items()
    }
    return environment.get_template("page.html.j2").render(
        title=title(source),
        policy=policy(source),
        style=style,
        script=script,
        parts=parts,
    )


def title(source: Source) -> str:
    """What the page is about."""
    names = [model.name for model in source.models]
    if len(names) > 1:
        return f"What {len(names)} chat models write when it is the user's turn"
    return f"What {names[0]} writes when it is the user's turn"


def policy(source: Source) -> str:
    """The content-security policy: this style sheet and this script, and nothing else at all.

    A served page may ask its own server for turns.
    """
    asks = "connect-src 'self'; " if source.served else ""
    return (
        f"default-src 'none'; script-src '{_hash(_script())}'; style-src '{_hash(_style())}'; "
        f"{asks}base-uri 'none'; form-action 'none'"
    )


def _style() -> Markup:
    return _own("page.css")


def _script() -> Markup:
    """The scripts as one: a block, so that nothing of it is a name of the page."""
    files = Markup("\n").join(_own(f"script/{name}.js") for name in SCRIPTS)
    return Markup('"use strict";\n{{\n{}}}\n').format(files)


def _own(name: str) -> Markup:
    return Markup((HERE / name).read_text(encoding="utf-8"))  # noqa: S704 - a file of this package


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
