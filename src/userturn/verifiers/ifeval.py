"""The instructions of IFEval (arXiv 2311.07911)."""

from __future__ import annotations

from functools import partial

from userturn.verifiers import Verifier, _nltk
from userturn.verifiers._instructions import check

VERIFIER = Verifier(partial(check, "ifeval"), prepare=_nltk.folder)
