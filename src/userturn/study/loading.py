"""Reading a study.

Unknown keys, unknown slugs and values out of range are errors that name the key and what is
allowed there.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ValidationError

from userturn.base.errors import StudyError
from userturn.study.explaining import explain_error
from userturn.study.study import Study

PARAMS_FILE = Path("params.yaml")


def load_study(path: Path = PARAMS_FILE) -> Study:
    """Read and check a study.

    Raises:
        StudyError: The file is missing, is not YAML, or a key or value is not allowed; the message
            names the file, each key and what is allowed there.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise StudyError(
            f"{path}: cannot be read ({error.strerror}); copy one from studies/"
        ) from None
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise StudyError(f"{path}: is not valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise StudyError(f"{path}: holds no keys; copy a study from studies/")
    try:
        return Study.model_validate(raw)
    except ValidationError as error:
        problems = "\n".join(f"  {explain_error(dict(problem))}" for problem in error.errors())
        raise StudyError(f"{path}: not a valid study\n{problems}") from None
