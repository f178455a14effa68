"""YAML as DVC reads it: version 1.2, so that `010` is ten and `yes` a word to both readers."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from userturn.base.errors import StudyError


def read_mapping(path: Path) -> dict[str, Any]:
    """The keys of a YAML file.

    Raises:
        StudyError: The file is missing, or is not YAML that holds keys; the message names the file
            and, where there is one, the line.
    """
    if path.exists() and not path.is_file():  # reading a pipe may never end
        raise StudyError(f"{path}: is no file, but a folder, a pipe or a device")
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise StudyError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise StudyError(f"{path}: line {line} is not UTF-8; save the file as UTF-8") from None
    try:
        raw = YAML(typ="safe", pure=True).load(text)  # the C parser dies of deep nesting
    except MarkedYAMLError as error:
        # The lines behind the first are advice on how to switch ruamel's check off.
        parts = (str(part).splitlines()[0] for part in (error.context, error.problem) if part)
        problem = ", ".join(parts)
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1})" if mark else ""
        raise StudyError(f"{path}: is not valid YAML: {problem}{where}") from None
    except YAMLError as error:
        raise StudyError(f"{path}: is not valid YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise StudyError(f"{path}: is nested too deeply to be a study") from None
    except ValueError as error:  # a number of thousands of digits, the 99th of a month
        raise StudyError(f"{path}: holds a value that cannot be read: {error}") from None
    if not isinstance(raw, dict):
        raise StudyError(f"{path}: holds no keys")
    return raw


def dump_mapping(mapping: Mapping[str, Any]) -> str:
    """The text of a YAML file that `read_mapping` and DVC read as this."""
    writer = YAML()
    writer.default_flow_style = False
    writer.width = 100
    text = io.StringIO()
    writer.dump(dict(mapping), text)
    return text.getvalue()
