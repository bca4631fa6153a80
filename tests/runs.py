"""Several runs of pytest in one process, one after the other, which loads everything once: a program, and what it said.

For tests that ask one thing of many runs. Where a run leaves something of itself, the next one is another than it would
be alone.
"""

import json
import re
import subprocess
from collections.abc import Sequence

__all__ = ["program", "said"]

_CUT = "-- the next run --"
_CODE = f"""
import json, sys
import pytest

for words in json.loads(sys.argv[1]):
    status = int(pytest.main(words))
    for stream in (sys.stdout, sys.stderr):
        print({_CUT!r}, status, file=stream, flush=True)
"""


def program(calls: Sequence[Sequence[str]]) -> list[str]:
    """The arguments of a Python that runs pytest once with those of each call."""
    return ["-c", _CODE, json.dumps([list(call) for call in calls])]


def said(done: subprocess.CompletedProcess[str], calls: Sequence[Sequence[str]]) -> list[tuple[int, str]]:
    """Of each call its status, and all that it printed."""
    printed, complained = (
        re.split(rf"^{_CUT} (\d+)\n", text, flags=re.MULTILINE) for text in (done.stdout, done.stderr)
    )
    assert len(printed) == len(complained) == 2 * len(calls) + 1, done.stdout + done.stderr
    parts = zip(printed[1::2], printed[:-1:2], complained[:-1:2], strict=True)
    return [(int(status), out + err) for status, out, err in parts]
