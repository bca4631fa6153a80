"""The pytest process: started apart from everything around it, and never left behind.

Problem: pytest starts workers and a database server. A Ctrl-C, a cancelled CI job or a crash must end all of
them, and give them the time to clean up; and neither the environment nor the project that the user stands in
may change what is run.

Mechanism: the process leads a session of its own. SIGINT, SIGTERM and SIGHUP that reach the command are
answered by one SIGINT to the whole group, which pytest and its workers take as the order to clean up. A
second signal, or a time without an end, is answered by SIGKILL.

Guarantee: when `supervise` returns or raises, no process of the group runs. (A server has a guardian outside
of the group that stops it when its owner has gone.)
"""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness import bundled
from harness.command.signals import signals_noted
from harness.config import Config

__all__ = ["PYTEST", "Ended", "arguments", "environment", "import_path", "supervise"]

PYTEST = (sys.executable, "-P", "-m", "pytest")
_CONFIGURATION = Path(__file__).with_name("pytest.toml")
_PLUGINS = ("xdist.plugin", "harness.pytest_plugin")
_TICK = 0.05
_GRACE = 30.0
_SWEEP_GRACE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How the process ended: exit status (negative: by a signal), and the signal that the command got."""

    status: int
    interrupted: signal.Signals | None


def arguments(config: Config, *, output: Path, events: Path, workers: int) -> list[str]:
    """What pytest is told, after its own name.

    A URL is not among it: it can hold a password, and everybody on the machine can read a command line.
    """
    scenarios = bundled.scenarios_directory()
    given = [
        str(scenarios),
        "-c",
        str(_CONFIGURATION),
        "--rootdir",
        str(scenarios),
        "--confcutdir",
        str(scenarios),
    ]
    given += [word for plugin in _PLUGINS for word in ("-p", plugin)]
    given += ["-p", "no:cacheprovider", "--color=no", "--tb=short", "-q"]
    if workers >= 1:
        given += ["-n", str(workers), "--dist", "load", "--maxschedchunk", "1"]
    given += [f"--sessionproof-output={output}", f"--sessionproof-events={events}"]
    settings = list(_settings(config))
    command = ["sessionproof", "verify", *(word.replace("--sessionproof-", "--", 1) for word in settings)]
    return [*given, *settings, f"--sessionproof-command={shlex.join(command)}"]


def _settings(config: Config) -> Iterator[str]:
    yield f"--sessionproof-backend={config.backend}"
    if "://" not in config.postgres:
        yield f"--sessionproof-postgres={config.postgres}"
    if config.image:
        yield f"--sessionproof-image={config.image}"
    yield from (f"--sessionproof-mode={mode}" for mode in config.modes)
    yield from (f"--sessionproof-pool-state={state}" for state in config.pool_states)
    yield from (f"--sessionproof-tier={tier}" for tier in config.tiers)
    yield from (f"--sessionproof-scenario={name}" for name in config.scenarios)
    if config.scenario_file is not None:
        yield f"--sessionproof-scenario-file={config.scenario_file.absolute()}"
    if config.full_length:
        yield "--sessionproof-full-length"
    yield from _of_real_models(config)
    yield f"--sessionproof-turn-timeout={config.turn_timeout:g}"


def _of_real_models(config: Config) -> Iterator[str]:
    """What the tiers that are asked for have a use for."""
    price = None if config.price is None else ",".join(f"{each:f}" for each in config.price)
    given: Mapping[str, object] = {
        "model": config.model,
        "budget": None if config.budget is None else f"{config.budget:f}",
        "price": price,
        "record": None if config.record is None else config.record.absolute(),
        "cassettes": None if config.cassettes is None else config.cassettes.absolute(),
    }
    for name, value in given.items():
        if value is not None and config.has_use_for(name):
            yield f"--sessionproof-{name}={value}"
    if config.recorded_timing and config.has_use_for("recorded_timing"):
        yield "--sessionproof-recorded-timing"


def environment(config: Config, given: Mapping[str, str], *, directory: Path) -> dict[str, str]:
    """The process's environment: `given` without anything that configures pytest, and an import path.

    The backend under test is looked for in `directory` first, or in the folder of the settings that name it; the
    reference backend where it stands first.
    """
    kept = {name: value for name, value in given.items() if not name.startswith("PYTEST_")}
    places = import_path(config, directory)
    kept["PYTHONPATH"] = os.pathsep.join([*places, *filter(None, [kept.get("PYTHONPATH", "")])])
    kept |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONUNBUFFERED": "1"}
    if "://" in config.postgres:
        kept["SESSIONPROOF_POSTGRES"] = config.postgres
    if config.base_url is not None:
        kept["SESSIONPROOF_BASE_URL"] = config.base_url
    return kept


def import_path(config: Config, directory: Path) -> list[str]:
    """Where the backend is looked for: in the folder of the settings that name it, or else in this one."""
    places = [str(config.folder or directory), *bundled.python_path()]
    return places[::-1] if config.backend == bundled.default_backend() else places


def supervise(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    output: Path,
    watch: Callable[[], None],
    grace: float = _GRACE,
    directory: Path | None = None,
) -> Ended:
    """Run the command to its end, its output in a file; call `watch` now and then, and once at the end.

    `grace` is for how many seconds it may clean up after a signal; `directory` is where it is run, if not here.
    """
    with signals_noted() as received, output.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  # pytest, or what stands in for it
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
        )
        try:
            _attend(process, watch, lambda: bool(received))
            if process.returncode is None:
                _signal_group(process.pid, signal.SIGINT)
                deadline = time.monotonic() + grace
                _attend(process, watch, lambda: len(received) > 1 or time.monotonic() > deadline)
        finally:
            _sweep(process, patient=len(received) <= 1)
        watch()
    return Ended(status=process.returncode, interrupted=received[0] if received else None)


def _attend(process: subprocess.Popen[bytes], watch: Callable[[], None], enough: Callable[[], bool]) -> None:
    """Wait for the end of the process, or until it is enough."""
    while process.poll() is None and not enough():
        watch()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_TICK)


def _sweep(process: subprocess.Popen[bytes], *, patient: bool) -> None:
    """Kill what is left of the group; if its leader ended by itself, give the others time to follow."""
    _await_empty(process.pid, _SWEEP_GRACE if patient and process.returncode is not None else 0.0)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()
    _await_empty(process.pid, _SWEEP_GRACE)


def _await_empty(group: int, seconds: float) -> None:
    """Wait until no process of the group runs, at most for so long: nobody else tells when a grandchild has gone."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and _has_members(group):
        time.sleep(_TICK)


def _has_members(group: int) -> bool:
    """Whether a process of the group runs; one that has ended and was not waited for does not."""
    for candidate in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(candidate.pid) == group and candidate.status() != psutil.STATUS_ZOMBIE:
                return True
    return False


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS denies what has no member but zombies
        os.killpg(group, number)
