"""The documents name what there is, are built without a warning, and load nothing from outside."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser

import pytest
import typer

from documents import PAGES, ROOT, blocks, commands
from userturn.artifacts import schemas
from userturn.artifacts.labels import Label
from userturn.base import registry
from userturn.commands.cli import app
from userturn.study.explaining import describe_keys

CALLS = [(page, call) for page in [*PAGES, ROOT / "README.md"] for call in commands(page)]
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


def resolve(words):
    """The command that words call, and the words behind its name."""
    command = typer.main.get_command(app)
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize(("page", "call"), CALLS, ids=[call for _, call in CALLS])
def test_every_command_and_option_that_is_named_exists(page, call):
    command, words = resolve(shlex.split(call)[1:])
    options = {name for parameter in command.params for name in parameter.opts}
    for word in words:
        if word.startswith("-"):
            assert word.split("=")[0] in options | {"--help", "-h"}, f"{page}: {call}"


def test_a_command_that_there_is_not_is_noticed():
    with pytest.raises(KeyError):
        resolve(["invent"])
    assert len(CALLS) > 40
    assert sum(marked for page in PAGES for marked, _ in blocks(page)) >= 10


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs/hooks/reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_has_every_key_command_and_column(reference):
    pages = reference.pages()
    for key in describe_keys():
        page = pages[key.file.removesuffix(".yaml")]
        assert f"| `{key.name}` | " in page
        assert " ".join(key.description.split()).replace("|", "\\|") in page
    for name, command in reference.leaves(typer.main.get_command(app)):
        assert f"## userturn {name}\n" in pages["commands"]
        assert all(f"`{parameter.opts[0]}`" in pages["commands"] for parameter in command.params
                   if parameter.param_type_name == "option")  # fmt: skip
    for kind in schemas.KEYS:
        section = pages["artifacts"].split(f"## {kind}\n")[1].split("\n## ")[0]
        assert all(f"| `{name}`" in section for name in schemas.columns(kind))
    for room in ("tables", "figures"):
        assert all(f"| `{name}` | " in pages["tables"] for name in registry.names(room))
    for room in ("measures.kinds", "perturbations", "verifiers", "export", "engines.kinds"):
        assert all(f"`{name}`" in pages["things"] for name in registry.names(room))
    assert all(f"| `{label}` | " in pages["things"] for label in Label)
    assert "| `end` | `string` | eos \\| stop_token" in pages["artifacts"]


class _Loads(HTMLParser):
    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attrs):
        address = dict(attrs).get(LOADED.get(tag, ""))
        if address and dict(attrs).get("rel") != "canonical":
            self.addresses.append(address)


def test_the_site_is_built_without_a_warning_and_loads_nothing_from_outside(tmp_path):
    pytest.importorskip("material", reason="extra `docs` is not installed")
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(PAGES)
    for page in pages:
        loads = _Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        outside = [address for address in loads.addresses if re.match(r"(\w+:)?//", address)]
        assert not outside, page
        assert 'class="mermaid"' not in page.read_text(encoding="utf-8")  # loads a library
    for style in site.rglob("*.css"):
        assert not re.search(r"""(url\(|@import )["']?(https?:)?//""", style.read_text("utf-8"))
