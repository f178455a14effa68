"""The code that each stage runs, derived from its imports, and written into `dvc.yaml`.

Kept by hand, such lists go wrong: one entry too few is a stale number. So the imports of
`stages/<name>.py` are followed, those inside functions too, and what they reach becomes the
stage's dependencies: its own file, and the folder of every module. A room's modules are imported
by their names (base/registry.py), so a call that loads from a room counts as importing all of it.
Machinery is left out: it decides when and how something is computed, and no byte of a result.

    python -m userturn.workflow.dependencies          # says what differs; exit status 1
    python -m userturn.workflow.dependencies --fix    # writes dvc.yaml
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
DVC_YAML = Path("dvc.yaml")
MACHINERY = ("base", "study", "engines", "store")
"""Folders that decide no byte of a result."""
REGISTRY = "userturn.base.registry"
LOADERS = ("load", "load_all")
"""Functions of the registry that run modules of the room that is their first argument."""
CODE = "src/userturn/"


def code_of(stage: str, package: Path = PACKAGE) -> list[str]:
    """Files and folders of code that a stage depends on, as `dvc.yaml` names them, sorted.

    >>> code_of("prompts")[-1]
    'src/userturn/stages/prompts.py'

    Args:
        stage: Name of a stage, without a slug.
        package: Folder of the package `userturn`.
    """
    seen: set[str] = set()
    waiting = [f"userturn.stages.{stage}"]
    while waiting:
        module = waiting.pop()
        if module in seen or module.split(".")[1] in MACHINERY:
            continue
        seen.add(module)
        waiting += _imports(module, package)
    return sorted({_unit(module, package) for module in seen} - {""})


def _unit(module: str, package: Path) -> str:
    """The file of a stage, or the innermost folder of a module; empty where it holds no code."""
    parts = module.split(".")[1:]
    if parts[0] == "stages":
        return f"{CODE}stages/{parts[1]}.py" if parts[1:] else ""
    path = _path(module, package)
    if path.name == "__init__.py" and len(ast.parse(path.read_text(encoding="utf-8")).body) < 2:
        return ""  # nothing but a docstring
    return CODE + path.parent.relative_to(package).as_posix()


@cache
def _imports(module: str, package: Path) -> tuple[str, ...]:
    """Modules of the package that a module imports, with the packages that hold them."""
    tree = ast.parse(_path(module, package).read_text(encoding="utf-8"))
    names = set(_named(tree))
    reached = {known for name in names if (known := _known(name, package))}
    for room in _loaded_rooms(tree, module):
        folder = package.joinpath(*room.split("."))
        reached |= {f"userturn.{room}.{path.stem}" for path in folder.glob("*.py")}
        reached -= {f"userturn.{room}.__init__"}
    parents = {name.rpartition(".")[0] for name in reached} - {"userturn", ""}
    return tuple(sorted(reached | parents))


def _named(node: ast.AST) -> Iterator[str]:
    """Dotted names that a piece of code imports, at run time."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield child.module
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        else:
            yield from _named(child)


def _loaded_rooms(tree: ast.Module, module: str) -> Iterator[str]:
    """Rooms whose modules a module loads through the registry.

    Raises:
        ValueError: The name of a room is no constant, so that nobody can tell what is loaded.
    """
    direct, registries = set(), set()  # local names of the loaders, and of the registry itself
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == REGISTRY:
            direct |= {one.asname or one.name for one in node.names if one.name in LOADERS}
        elif isinstance(node, ast.ImportFrom) and node.module == REGISTRY.rpartition(".")[0]:
            registries |= {one.asname or one.name for one in node.names if one.name == "registry"}
    constants = {
        target.id: value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        if isinstance(value := node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = ast.unparse(node.func)
        if function not in direct | {f"{one}.{name}" for one in registries for name in LOADERS}:
            continue
        room = node.args[0] if node.args else None
        if isinstance(room, ast.Name) and room.id in constants:
            yield constants[room.id]
        elif isinstance(room, ast.Constant) and isinstance(room.value, str):
            yield room.value
        else:
            raise ValueError(
                f"{module}, line {node.lineno}: name the room of {function}() by a constant, so "
                "that stages can depend on it"
            )


def _known(name: str, package: Path) -> str:
    """The name, where it is a module of the package; else empty."""
    if not name.startswith("userturn."):
        return ""
    return name if _path(name, package).is_file() else ""


def _path(module: str, package: Path) -> Path:
    path = package.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def fixed(text: str, package: Path = PACKAGE) -> str:
    """The text of a `dvc.yaml` with the code of every stage as it has to be."""
    head, *blocks = re.split(r"(?m)^(?=  \w+:$)", text)
    return head + "".join(_fixed_stage(block, package) for block in blocks)


def _fixed_stage(block: str, package: Path) -> str:
    name = block.strip().partition(":")[0]
    bare = re.sub(rf"(?m)^      - {CODE}.*\n", "", block)
    before, deps, after = re.split(r"(?m)^(    deps:\n(?:      .*\n)*)", bare, maxsplit=1)
    lines = "".join(f"      - {path}\n" for path in code_of(name, package))
    return before + deps + lines + after


def main(arguments: list[str]) -> int:
    """Compare or, with `--fix`, write; returns the exit status."""
    text = DVC_YAML.read_text(encoding="utf-8")
    try:
        wanted = fixed(text)
    except ValueError as error:
        print(error)
        return 1
    if "--fix" in arguments:
        DVC_YAML.write_text(wanted, encoding="utf-8")
    elif wanted != text:
        print(f"{DVC_YAML}: lists other code than the stages import; run with --fix")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
