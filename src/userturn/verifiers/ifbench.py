"""The instructions of IFBench (arXiv 2507.02833)."""

from __future__ import annotations

from functools import partial

from userturn.verifiers import Verifier, _nltk
from userturn.verifiers._instructions import check

VERIFIER = Verifier(partial(check, "ifbench"), prepare=_nltk.folder)
