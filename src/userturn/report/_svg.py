"""A figure's SVG as part of the page.

The page's policy allows no inline styles, so each becomes the attribute of the same name; ids get
the figure's name in front, since two figures may have the same. What is no drawing is left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from markupsafe import Markup

from userturn.base.errors import ArtifactError

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
DRAWN = frozenset(
    {"svg", "g", "defs", "path", "rect", "circle", "use", "clipPath", "text", "tspan"}
)
GLOBAL = {"stroke-linejoin": "round", "stroke-linecap": "butt"}
"""What matplotlib says of all elements in a style sheet."""
LOCAL = re.compile(r"url\(#([^)]+)\)")


def inlined(path: Path, name: str, title: str) -> Markup:
    """An SVG file of matplotlib as an element of the page.

    Args:
        path: The file.
        name: Name of the figure, unique in the page.
        title: What it shows, for who does not see it.

    Raises:
        ArtifactError: The file is missing or no SVG.
    """
    try:
        root = ElementTree.fromstring(path.read_bytes())  # noqa: S314 - written by stage `figures`
    except (OSError, ElementTree.ParseError) as error:
        raise ArtifactError(f"{path}: cannot be read ({error}); run `dvc repro figures`") from None
    _clean(root, name)
    attributes = {"viewBox": root.get("viewBox", ""), **GLOBAL}
    root.attrib = {**attributes, "role": "img", "aria-label": title}
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704 - drawn elements


def _clean(element: ElementTree.Element, name: str) -> None:
    element.tag = element.tag.removeprefix(SVG)
    if element.text is None or not element.text.strip():
        element.text = None
    element.tail = None
    attributes = {key: value for key, value in element.attrib.items() if key.isascii()}
    style = attributes.pop("style", "")
    declared = (one.partition(":") for one in style.split(";") if one.strip())
    attributes |= {key.strip(): value.strip() for key, _, value in declared}
    if (target := attributes.pop(LINK, None)) is not None:
        attributes["href"] = f"#{name}-{target.removeprefix('#')}"
    if "id" in attributes:
        attributes["id"] = f"{name}-{attributes['id']}"
    element.attrib = {
        key: LOCAL.sub(rf"url(#{name}-\1)", value)
        for key, value in attributes.items()
        if not key.startswith(("on", "{"))
    }
    for child in list(element):
        if str(child.tag).removeprefix(SVG) in DRAWN:
            _clean(child, name)
        else:
            element.remove(child)
