"""The process that serves the local model, with a stand-in for the library: it starts, or says why not, and ends."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from harness.errors import EnvironmentMissing
from harness.providers.local_child import COMMAND, LocalChild, Order

KEY = "a-key-that-nobody-sees"
LIBRARY = """
import os, pathlib, sys, types


class CommonParams:
    def __init__(self):
        self.model, self.sampling = types.SimpleNamespace(), types.SimpleNamespace()
        self.cpuparams, self.cpuparams_batch = types.SimpleNamespace(), types.SimpleNamespace()


class Server:
    def __init__(self, parameters):
        print("noise")
        os.write(1, b"more noise")
        if not pathlib.Path(parameters.model.path).exists():
            raise RuntimeError("Failed to init server, please check the input params.")
        given = [parameters.cpuparams.n_threads, parameters.cpuparams_batch.n_threads, parameters.sampling.seed]
        self.listening_address = f"{parameters.hostnames}{parameters.api_keys}{given}"
"""
DEAF = 'import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(\'{"address": "x"}\', flush=True)'
MakeChild = Callable[..., LocalChild]


@pytest.fixture
async def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MakeChild]:
    """Makes children whose library is the stand-in, and ends them."""
    (tmp_path / "xllamacpp.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(str(tmp_path))
    made: list[LocalChild] = []

    def make(
        *, weights: Path = tmp_path / "xllamacpp.py", script: str = "", seconds: float = 60.0, patience: float = 5.0
    ) -> LocalChild:
        order = Order(weights=weights, model="m", key=KEY)
        command = (sys.executable, "-c", script) if script else COMMAND
        made.append(LocalChild(order, command=command, seconds=seconds, patience=patience))
        return made[-1]

    yield make
    for each in made:
        await each.stop()


def process_of(child: LocalChild) -> psutil.Process:
    assert child.pid is not None
    return psutil.Process(child.pid)


async def test_it_serves_on_loopback_with_the_key_and_one_thread(child: MakeChild) -> None:
    """And what the library says on its standard output is not taken for an answer."""
    assert await child().start() == f"['127.0.0.1']['{KEY}'][1, 1, 1]"


async def test_the_key_cannot_be_read_from_outside(child: MakeChild) -> None:
    """It is neither on the command line nor in the environment."""
    started = child()
    await started.start()
    process = process_of(started)

    assert KEY not in str(process.cmdline())
    assert KEY not in str(process.environ())
    assert KEY not in repr(Order(weights=Path("w"), model="m", key=KEY))


async def test_after_stop_there_is_no_process(child: MakeChild) -> None:
    """Nor after a second one."""
    started = child()
    await started.start()
    process = process_of(started)

    await started.stop()
    await started.stop()

    assert not process.is_running()
    assert started.pid is None


async def test_one_that_does_not_listen_is_killed(child: MakeChild) -> None:
    """When it has had the time that it is given."""
    started = child(script=f"{DEAF}; signal.pause()", patience=0.01)
    await started.start()
    process = process_of(started)

    await started.stop()

    assert not process.is_running()


async def test_one_that_fails_says_why(child: MakeChild, tmp_path: Path) -> None:
    """With its exit status, and the end of what it said."""
    with pytest.raises(EnvironmentMissing) as error:
        await child(weights=tmp_path / "none").start()

    said = str(error.value)
    assert said.startswith("the local model did not start (exit status 1); it said:\n")
    assert said.endswith("RuntimeError: Failed to init server, please check the input params.")


async def test_one_that_ends_without_a_word(child: MakeChild) -> None:
    """Is told so."""
    with pytest.raises(EnvironmentMissing, match=r"did not start \(exit status 3\), and said nothing"):
        await child(script="raise SystemExit(3)").start()


async def test_one_that_never_answers_is_given_up(child: MakeChild) -> None:
    """In the time that it is given, and ended."""
    started = child(script="import sys; sys.stdin.readline(); sys.stdin.read()", seconds=0.01)

    with pytest.raises(EnvironmentMissing, match=r"did not start within 0\.01 s, and said nothing; try again"):
        await started.start()

    assert started.pid is None


async def test_a_start_that_is_cancelled_leaves_no_process(child: MakeChild) -> None:
    """Whoever waited for it has gone."""
    started = child(script="import sys; sys.stdin.readline(); sys.stdin.read()")
    starting = asyncio.create_task(started.start())
    await asyncio.sleep(0)  # to where it waits for the answer
    process = process_of(started)

    starting.cancel()
    await asyncio.wait({starting})

    assert starting.cancelled()
    assert not process.is_running()


async def test_an_interpreter_that_is_not_there(tmp_path: Path) -> None:
    """Is an environment that lacks something."""
    order = Order(weights=tmp_path, model="m", key=KEY)

    with pytest.raises(EnvironmentMissing, match="the local model's process could not be started"):
        await LocalChild(order, command=(str(tmp_path / "python"),)).start()


OWNER = """
    import asyncio, sys
    from pathlib import Path
    from harness.providers.local_child import LocalChild, Order

    async def main():
        child = LocalChild(Order(weights=Path(sys.argv[1]), model="m", key="key"))
        await child.start()
        print(child.pid, flush=True)
        sys.stdin.read()

    asyncio.run(main())
"""


def test_it_dies_with_its_owner(child: MakeChild, tmp_path: Path) -> None:
    """Also if that is killed, and can do nothing."""
    owner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OWNER), str(tmp_path / "xllamacpp.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with owner:
        assert owner.stdout is not None
        process = psutil.Process(int(owner.stdout.readline()))

        owner.kill()
        process.wait(30)

    assert not process.is_running()


def test_an_interrupt_is_for_the_run(child: MakeChild, tmp_path: Path) -> None:
    """Ctrl-C reaches the whole group; the server goes on until its input ends."""
    order = Order(weights=tmp_path / "xllamacpp.py", model="m", key=KEY)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(order.line())
        process.stdin.flush()
        assert process.stdout.readline()

        process.send_signal(signal.SIGINT)

    assert process.returncode == 0
