"""Whether an owner lives: yes, no, or not to be known from here."""

import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from harness.postgres.owner import Owner


def test_this_process_is_alive() -> None:
    """A process recognises itself, also after the way through JSON."""
    owner = Owner.current()

    assert owner.is_alive() is True
    assert Owner.from_json(owner.to_json()) == owner


def test_a_reused_process_id_is_another_owner() -> None:
    """The same id with another start is dead."""
    assert replace(Owner.current(), started="1").is_alive() is False


def test_an_earlier_boot_is_dead() -> None:
    """Nothing survives a restart of the machine."""
    assert replace(Owner.current(), boot="earlier").is_alive() is False


def test_what_cannot_be_seen_from_here_is_not_known() -> None:
    """Processes of another host, or of another container on this one, are neither alive nor dead."""
    here = Owner.current()

    assert replace(here, host="another").is_alive() is None
    assert replace(here, namespace="another").is_alive() is None


def test_a_zombie_is_dead() -> None:
    """A process that has ended, but was not waited for, owns nothing."""
    script = "from harness.postgres.owner import Owner; print(Owner.current().to_json())"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        owner = Owner.from_json(process.stdout.read())
        assert owner is not None
        while psutil.Process(owner.pid).status() != psutil.STATUS_ZOMBIE:
            pass

        assert owner.is_alive() is False


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"pid": 1}'])
def test_foreign_text_is_no_owner(text: str | None) -> None:
    """An owner file, label or comment that is not ours says nothing."""
    assert Owner.from_json(text) is None
