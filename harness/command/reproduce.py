"""`sessionproof reproduce`: does the bug show in the sources as they lie there? And the same for `git bisect run`.

Problem: whoever repairs must see the bug first, as small as it gets; and whoever looks for the commit that brought it
wants git to do the looking, which takes every status but 0, 125, and those from 128 on for "bad": a typing error, or a
machine without a database, would lay the blame on an innocent commit.

Mechanism: the cells are run that a shared session shows in, on the application as it is, and `harness.report.showing`
answers. Under `--bisect` everything that this revision causes, and another may not have, skips it (125), and what no
revision can cure ends the bisection (128).

Guarantee: under `--bisect` the status is 1 only if the bug was seen, and 0 only if each cell was clear of it.
"""

import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from harness import bundled
from harness.command import side
from harness.command.scenario_names import check_scenarios
from harness.command.verify import INTERRUPTED, default_directory
from harness.command.workflow import commands_stopped
from harness.config import Config, resolve
from harness.errors import ConfigurationError, EnvironmentMissing, SessionproofError, UsageError
from harness.report.document import RunDocument
from harness.report.redact import masked, masker
from harness.report.showing import WITNESSES, Showing, showing_of_run
from harness.report.showing_terminal import show_reproduction, showing_in_words, smallest
from harness.revisions.git import find_repository
from harness.revisions.roots import Checkout, import_roots
from harness.verdict import FindingKind

__all__ = ["SKIP", "STOP", "Reproducing", "reproduce"]

SKIP = 125
"""What tells `git bisect run` that a revision cannot be tested."""
STOP = 128
"""What tells it to end."""
_STATUSES = {Showing.SHOWS: 0, Showing.CLEAR: 1, Showing.SYMPTOMS: 3, Showing.UNKNOWN: 3}
_BISECT_STATUSES = {Showing.SHOWS: 1, Showing.CLEAR: 0, Showing.SYMPTOMS: SKIP, Showing.UNKNOWN: SKIP}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproducing(side.Looking):
    """One call: the options as they were given, and whether git bisects."""

    options: Mapping[str, Any]
    bisect: bool = False


def reproduce(call: Reproducing) -> int:
    """Run, report, and return the exit status: 0 it shows, 1 it does not, 3 not known; or what bisecting takes.

    Raises:
        SessionproofError: what was asked for cannot be done; under `--bisect` this is a status, too.
    """
    if not call.bisect:
        with commands_stopped(call.given, console=call.console):
            return _reproduce(call)
    try:
        return _reproduce(call)
    except Exception as error:  # noqa: BLE001  # whatever it is, git would take Python's status 1 for "bad"
        call.say(str(error) if isinstance(error, SessionproofError | OSError) else f"{type(error).__name__}: {error}")
        return _of_error(call, error)


def _of_error(call: Reproducing, error: Exception) -> int:
    """Whether another revision may do better."""
    if isinstance(error, side.NotLoadedError) or (isinstance(error, side.NoAdapterError) and _names_its_own(call)):
        return SKIP
    if isinstance(error, ConfigurationError) and _is_of_revision(call):
        return SKIP
    if isinstance(error, UsageError | EnvironmentMissing) or not isinstance(error, SessionproofError):
        return STOP
    return SKIP


def _is_of_revision(call: Reproducing) -> bool:
    """Whether it is the settings in this revision's `pyproject.toml` that cannot be used."""
    try:
        resolve(call.options, environment=call.given, directory=call.directory)
    except ConfigurationError:
        try:
            resolve(call.options, environment=call.given, project=False)
        except ConfigurationError:
            return False
        return True
    return False


def _names_its_own(call: Reproducing) -> bool:
    """Whether it is this revision's `pyproject.toml` that names the adapter: another one may name another."""
    elsewhere = resolve(call.options, environment=call.given, project=False)
    return elsewhere.backend == bundled.default_backend()


def _reproduce(call: Reproducing) -> int:
    config = resolve(call.options, environment=call.given, directory=call.directory)
    check_scenarios(config)
    directory = None
    try:
        with _output(call, config) as directory:
            document = masked(_run(call, config, directory), masker(call.given))
            _show(call, config, document, directory)
    except side.Interrupted as error:
        call.say(str(error))
        if directory is not None and directory.is_dir() and any(directory.iterdir()):
            call.errors.print(Text(f"what there is so far is in {directory}", style="dim"), soft_wrap=True)
        return INTERRUPTED + error.number
    return (_BISECT_STATUSES if call.bisect else _STATUSES)[showing_of_run(document, call.bug)]


@contextmanager
def _output(call: Reproducing, config: Config) -> Iterator[Path]:
    """Where the report goes: while bisecting nowhere for long, unless a folder is named."""
    if config.output is not None or not call.bisect:
        yield config.output or default_directory(call.directory)
        return
    with tempfile.TemporaryDirectory(prefix="sessionproof-reproduce-") as folder:
        yield Path(folder)


def _run(call: Reproducing, config: Config, directory: Path) -> RunDocument:
    side.module_of(config.backend)
    state = _state(call, config)
    look = side.look_at(state, config.backend)
    return side.run_cells(side.verification(call, config, look, directory), state)


def _state(call: Reproducing, config: Config) -> side.State:
    """The sources as they lie there; without a repository, those in the folder."""
    try:
        top = find_repository(call.directory).top or call.directory
    except (UsageError, EnvironmentMissing):  # nothing here needs git
        top = call.directory
    top, directory = top.resolve(), call.directory.resolve()
    if config.backend == bundled.default_backend():
        top = directory = Path(bundled.python_path()[0]).resolve()
    named = directory if config.folder is None else config.folder.resolve()
    roots = import_roots(top, named, own=(), entries=()) + [
        entry for entry in side.import_path_of_now() if entry != top and top in entry.parents
    ]
    checkout = Checkout(top=top, directory=directory, roots=list(dict.fromkeys(roots)))
    given = side.state_environment(config, call.given, checkout, own=())
    return side.State(name="in the work tree", checkout=checkout, own=(), environment=given)


def _show(call: Reproducing, config: Config, document: RunDocument, directory: Path) -> None:
    if call.bisect:
        call.console.print(Text(showing_in_words(document, call.bug)), soft_wrap=True)
        return
    show_reproduction(document, call.bug, call.console, command=_smallest(document, call.bug, config))
    call.errors.print(Text(f"report in {directory}", style="dim"), soft_wrap=True)


def _smallest(document: RunDocument, bug: frozenset[FindingKind], config: Config) -> str:
    """The command that shows it in one cell."""
    cell = smallest(document, bug)
    if cell is None:
        return ""
    words = ["sessionproof", "reproduce", "--backend", config.backend, "--mode", cell.session_mode]
    words += ["--pool-state", cell.pool_state, "--tier", cell.tier]
    if config.scenario_file is not None:
        words += ["--scenario-file", str(config.scenario_file)]
    else:
        words += ["--scenario", cell.scenario]
    if bug != WITNESSES:
        words += [word for kind in sorted(bug) for word in ("--finding", kind)]
    return shlex.join(words)
