"""What a test needs of the machine, and is skipped without: unless it was promised, where the lack is a failure."""

import os
from typing import NoReturn

import pytest

__all__ = ["lack"]


def lack(what: str, *, promise: str) -> NoReturn:
    """Skip the test, or fail it if the environment variable of that name is `1`: then nothing may be skipped."""
    if os.environ.get(promise) == "1":
        pytest.fail(f"{promise}=1, and {what}")
    pytest.skip(what)
