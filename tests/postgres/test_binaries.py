"""The programs of the wheel: used in place if the account can reach them, else copied once."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import EnvironmentMissing
from harness.postgres import binaries
from harness.postgres.binaries import Binaries

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")


@pytest.fixture
def secluded(tmp_path: Path) -> Binaries:
    """A copy of the wheel's programs in a folder that only this user can enter."""
    found = binaries.find()
    home = tmp_path / "secluded"
    home.mkdir(mode=0o700)
    shutil.copytree(found.prefix, home / binaries.PACKAGE / binaries.PREFIX)
    libraries = found.prefix.parent.parent / f"{binaries.PACKAGE}.libs"
    shutil.copytree(libraries, home / libraries.name)
    return Binaries(prefix=home / binaries.PACKAGE / binaries.PREFIX, wheel=found.wheel)


def test_programs_in_reach_are_used_where_they_lie() -> None:
    """Without another account nothing is copied."""
    found = binaries.find()

    assert binaries.runnable(found, None) == found


@needs_root
def test_programs_out_of_reach_are_copied_once(secluded: Binaries, open_folder: Path) -> None:
    """An account that cannot enter the environment gets a copy, and the next run gets the same one."""
    account = binaries.unprivileged_account()
    first = binaries.runnable(secluded, account, caches=[open_folder])
    made = first.postgres.stat().st_ctime_ns
    second = binaries.runnable(secluded, account, caches=[open_folder])

    assert first.prefix.is_relative_to(open_folder)
    assert second == first
    assert second.postgres.stat().st_ctime_ns == made


@needs_root
def test_a_cache_that_others_can_write_to_is_not_trusted(secluded: Binaries, open_folder: Path) -> None:
    """A folder that somebody else could have filled is refused, and the message says so."""
    (open_folder / "sessionproof-0").mkdir()
    (open_folder / "sessionproof-0").chmod(0o777)
    with pytest.raises(EnvironmentMissing, match="others can write to it"):
        binaries.runnable(secluded, binaries.unprivileged_account(), caches=[open_folder])


@needs_root
def test_without_an_account_the_remedy_is_named() -> None:
    """Root without any of the known accounts is told to make one."""
    with pytest.raises(EnvironmentMissing, match="useradd --system postgres"):
        binaries.unprivileged_account(["no-such-account"])


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account can enter (pytest's own temporary folders are private)."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)
