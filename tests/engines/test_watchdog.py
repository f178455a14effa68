"""A process that hangs ends, whatever it hangs in, and says why."""

import subprocess
import sys

import pytest

from userturn.engines.watchdog import STATUS, watchdog

HANG = """
import ctypes, logging, time
from userturn.engines.watchdog import watchdog

logging.basicConfig(format="%(message)s")
with watchdog(0.3, lambda: "it hangs: mend it", grace=0.5) as alive:
    for _ in range(4):
        time.sleep(0.2)
        alive()
    print("alive", flush=True)
    {block}
"""
BLOCKS = {
    "a call that waits": "time.sleep(60)",
    "C code that keeps the interpreter's lock": "ctypes.PyDLL(None).sleep(60)",
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
@pytest.mark.slow
def test_a_hang_ends_the_process(block: str) -> None:
    command = [sys.executable, "-c", HANG.format(block=block)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "alive\n"
    if "PyDLL" in block:  # no message is possible there, but the place is
        assert done.returncode == 1
        assert "Timeout" in done.stderr
        assert 'File "<string>", line 11' in done.stderr
    else:
        assert done.returncode == STATUS
        assert done.stderr == "it hangs: mend it\n"


def test_work_that_ends_or_has_no_limit_is_left_alone() -> None:
    with watchdog(0.05, lambda: "no"):
        pass
    with watchdog(None, lambda: "no") as alive:
        alive()
    with pytest.raises(KeyError), watchdog(60, lambda: "no"):
        raise KeyError
