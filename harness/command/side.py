"""One state of the user's sources: load its backend, run cells on it, and see to it that they ran on that.

Problem: `verify` says whether a run is as expected; who compares revisions wants to know what the run says of one of
them, and whether it is about it at all.

Mechanism: a process loads the backend first, so that one that cannot be loaded is told apart from a run without
evidence. The run is that of `verify`, in the state's own folder and with its modules first; a plugin leaves where all
modules came from.

Guarantee: what cannot be loaded, and what ran other code, raises; an interrupted run does, too.
"""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from harness import bundled
from harness.command.child import PYTEST, environment, supervise
from harness.command.events import Problem
from harness.command.verify import LOG, Surroundings, Verification, default_workers, follow
from harness.config import Config
from harness.errors import ConfigurationError, EnvironmentMissing, MissingEvidence, SessionproofError, UsageError
from harness.project_table import read_document
from harness.report import digest
from harness.report.document import RunDocument
from harness.report.redact import masker
from harness.report.run_json import read
from harness.report.showing import WITNESSES
from harness.report.text import block, inline
from harness.revisions.git import without_git
from harness.revisions.look import Look, read_look
from harness.revisions.origins import objection
from harness.revisions.roots import Checkout, is_installed, transferred
from harness.revisions.witness import read_origins
from harness.scenario import ModelTier, SessionMode
from harness.verdict import FindingKind

__all__ = [
    "SCENARIOS",
    "Interrupted",
    "Looking",
    "NoAdapterError",
    "NotLoadedError",
    "OtherCodeError",
    "State",
    "claimed_mode",
    "import_path_of_now",
    "look_at",
    "module_of",
    "of_cells",
    "run_cells",
    "state_environment",
    "verification",
]

SCENARIOS = (
    "bill_per_request",
    "failing_tool",
    "four_mixed_tools",
    "rollback_beside_write",
    "streaming",
    "two_parallel_tools",
    "two_users",
)
"""The scenarios in which a shared session shows, and nothing is made to go wrong: what is run if none is named."""
_LOOKING = (sys.executable, "-P", "-m", "harness.revisions.look")
_LONGEST_LOOK = 120.0
_TAIL = 5
_CLAIMS = (
    SessionMode.PER_OPERATION,
    SessionMode.DURABLE,
    SessionMode.DEFERRED,
    SessionMode.SHARED,
    SessionMode.LOCKED,
    SessionMode.SEQUENTIAL,
)


class Interrupted(SessionproofError):
    """Somebody asked for the end, by a signal."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(f"interrupted by {number.name}; nothing was left running")
        self.number = number


class NotLoadedError(EnvironmentMissing):
    """The backend of a state of the sources cannot be loaded."""


class NoAdapterError(UsageError):
    """There is no module, or no attribute, of the name that the backend was given by."""


class OtherCodeError(EnvironmentMissing):
    """What ran is not the code that was to be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A state of the sources, by the `name` that messages have for it.

    `own` are the tops of the user's work trees, from which nothing may come; none if one of these is looked at.
    `placed` says that its adapter was put there.
    """

    name: str
    checkout: Checkout
    own: Sequence[Path]
    environment: Mapping[str, str]
    placed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """What every look at a state of the sources is told: where the user stands, how cells are run, and who is told.

    `given` is the environment. `modes` are the session modes that were asked for by name; without any, the backend is
    started as it says that it is. `bug` are the kinds of findings by which the bug is known.
    """

    directory: Path
    console: Console
    errors: Console
    given: Mapping[str, str]
    modes: Sequence[SessionMode] = ()
    bug: frozenset[FindingKind] = WITNESSES
    workers: int | None = None
    debug: bool = False
    program: Sequence[str] = PYTEST

    def say(self, message: str) -> None:
        """Print an error, without secrets."""
        said = block(masker(self.given)(message))
        self.errors.print(Text.assemble(("error: ", "bold red"), said), soft_wrap=True)


def verification(call: Looking, config: Config, look: Look, directory: Path) -> Verification:
    """The run of a state whose backend looks so; its report goes into the directory."""
    chosen = of_cells(config, call.modes or (claimed_mode(look.modes),))
    return Verification(
        config=chosen,
        directory=directory,
        console=call.console,
        errors=call.errors,
        workers=default_workers(chosen) if call.workers is None else call.workers,
        debug=call.debug,
        program=call.program,
    )


def of_cells(config: Config, modes: Sequence[SessionMode] = ()) -> Config:
    """The configuration with what is run if nobody said otherwise; of session modes only those that were asked for."""
    named = config.scenarios or config.scenario_file is not None
    return replace(
        config,
        modes=tuple(modes),
        scenarios=config.scenarios if named else SCENARIOS,
        tiers=config.tiers or (ModelTier.SCRIPTED,),
    )


def claimed_mode(modes: Sequence[SessionMode]) -> SessionMode:
    """The mode that stands for the application as it is: of a session per operation, if it says that it has that."""
    return next(mode for mode in _CLAIMS if mode in modes)


def module_of(spec: str) -> str:
    """The module in `package.module:attribute`.

    Raises:
        UsageError: it is not of that form.
    """
    module, separator, attribute = spec.partition(":")
    if not (separator and attribute and all(part.isidentifier() for part in module.split("."))):
        raise UsageError(f"backend {spec!r} is not of the form 'package.module:attribute', {_meant(module, attribute)}")
    return module


def _meant(place: str, attribute: str) -> str:
    """What to write in place of what names no module; a file stands for its module."""
    parts = [part for part in Path(place.removesuffix(".py")).parts if part not in {".", "..", os.sep}]
    if parts and all(name.isidentifier() for part in parts for name in part.split(".")):
        return f"did you mean {'.'.join(parts)}:{attribute or 'backend'}?"
    return "for example 'shop.verification:backend'"


def import_path_of_now() -> list[Path]:
    """Where this process, and one that is started here, look for modules."""
    given = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    words = [*given, *filter(None, sys.path)]
    paths = dict.fromkeys(Path(word).resolve() for word in words)
    return [path for path in paths if not is_installed(path)]


def state_environment(
    config: Config, given: Mapping[str, str], checkout: Checkout, *, own: Sequence[Path], commit: str = ""
) -> dict[str, str]:
    """The environment of processes that look at the checkout: its modules come first.

    Raises:
        UsageError: it has modules that would take the place of the harness's.
    """
    for root in checkout.roots:
        if (root / "harness" / "__init__.py").is_file() and root != Path(bundled.python_path()[0]).resolve():
            raise UsageError(
                f"the sources have a package 'harness' in {str(root)!r}, which would be taken for sessionproof's own "
                "package of that name: it cannot be verified"
            )
    entries = [Path(word).resolve() for word in filter(None, given.get("PYTHONPATH", "").split(os.pathsep))]
    made = environment(config, without_git(given), directory=checkout.directory)
    places = [*checkout.roots, *bundled.python_path(), *transferred(entries, own)]
    made["PYTHONPATH"] = os.pathsep.join(map(str, places))
    if commit and "GITHUB_SHA" in made:
        made |= {"GITHUB_SHA": commit, "GITHUB_REF_NAME": ""}
    return made


def look_at(state: State, spec: str) -> Look:
    """What the backend of the state says of itself.

    Raises:
        Interrupted: a signal came.
        NoAdapterError: there is no such module, or it has no such attribute.
        NotLoadedError: it cannot be loaded.
        OtherCodeError: its modules came from somewhere else.
    """
    _check_settings(state, spec)
    with tempfile.TemporaryDirectory(prefix="sessionproof-") as scratch:
        answer, output = Path(scratch, "look.json"), Path(scratch, "output")
        deadline = time.monotonic() + _LONGEST_LOOK

        def watch() -> None:
            if time.monotonic() > deadline:
                said = f"it was not imported within {_LONGEST_LOOK:.0f} s"
                raise NotLoadedError(f"{state.name}: backend {spec!r} cannot be loaded: {said}")

        command = [*_LOOKING, spec, str(answer)]
        directory = state.checkout.directory
        ended = supervise(command, environment=state.environment, output=output, watch=watch, directory=directory)
        if ended.interrupted is not None:
            raise Interrupted(ended.interrupted)
        look = read_look(answer)
        if look is None:
            tail = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_TAIL:]
            ending = f"its process ended with status {ended.status}: {inline('; '.join(tail))}"
            raise NotLoadedError(f"{state.name}: backend {spec!r} cannot be loaded: {ending}")
    if look.failure:
        kind = NoAdapterError if look.missing else NotLoadedError
        raise kind(f"{state.name}: {_without_places(look.failure, state.checkout)}")
    if not look.modes:
        raise NotLoadedError(f"{state.name}: backend {spec!r} has no session mode that there is")
    _check_origins(state, spec, list(look.modules.items()))
    return look


def _check_settings(state: State, spec: str) -> None:
    """Settings that cannot be read keep logfire, and what loads it, from being loaded."""
    try:
        read_document(state.checkout.directory / "pyproject.toml")
    except ConfigurationError as error:
        said = _without_places(str(error), state.checkout)
        raise NotLoadedError(f"{state.name}: backend {spec!r} cannot be loaded: {said}") from error


def _without_places(message: str, checkout: Checkout) -> str:
    """The message without where the checkout lies at the moment."""
    return message.replace(f"{checkout.top}{os.sep}", "")


def _check_origins(state: State, spec: str, modules: Sequence[tuple[str, str]]) -> None:
    adapter = spec.partition(":")[0]
    if said := objection(modules, state.checkout, own=state.own, adapter=adapter, placed=state.placed):
        raise OtherCodeError(f"{state.name}: {said}")


def run_cells(call: Verification, state: State) -> RunDocument:
    """Run the cells of the call's configuration on the state, and return their document.

    Raises:
        Interrupted: a signal came.
        UsageError: what was asked for does not exist.
        EnvironmentMissing: the machine lacks something, or the run left nothing.
        OtherCodeError: what ran is not the state's code.
    """
    with tempfile.TemporaryDirectory(prefix="sessionproof-") as scratch:
        words = ("-p", "harness.revisions.witness", f"--sessionproof-origins={scratch}")
        surroundings = Surroundings(
            directory=state.checkout.directory, environment=state.environment, arguments=words, judged=False
        )
        ended, follower = follow(call, surroundings)
        origins = read_origins(Path(scratch))
    if ended.interrupted is not None:
        raise Interrupted(ended.interrupted)
    _raise_first(follower.problems, state)
    try:
        document = read(call.directory / "run.json")
    except MissingEvidence as error:
        log = call.directory / LOG
        if call.debug is False:
            _show_tail(call, log)
        raise NotLoadedError(
            f"{state.name}: pytest ended with status {ended.status} and left no result ({error}); "
            f"its output is in {str(log)!r}"
        ) from error
    if document.cells:
        _check_origins(state, call.config.backend, origins)
    return document


def _raise_first(problems: Sequence[Problem], state: State) -> None:
    """The user's own mistakes first; what is wrong inside of the run stands in its document."""
    for category, kind in (("usage", UsageError), ("environment", EnvironmentMissing)):
        for problem in problems:
            if problem.category == category:
                raise kind(f"{state.name}: {_without_places(problem.message, state.checkout)}")


def _show_tail(call: Verification, log: Path) -> None:
    lines = log.read_text(encoding="utf-8").splitlines()
    for line in lines[-_TAIL:]:
        call.errors.print(Text(f"  {inline(masker()(digest.in_one_line(line)))}", style="dim"), soft_wrap=True)
