"""`sessionproof check-backend`: which part of the protocol a backend violates, one item a line.

Problem: what is wrong with an adapter shows in a verification as whatever follows from it.

Mechanism: `harness.conformance`, on the server that a verification would use, in this process, and a thread that
watches it: a backend that holds the event loop answers to no time limit.

Guarantee: the exit status is 0 only if everything was looked at and nothing is violated.
"""

import asyncio
import logging
import os
import secrets
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import Literal, TextIO

from rich.console import Console
from rich.text import Text

from harness.backend import Violation, find_candidate
from harness.backend.reading import is_interrupt
from harness.command.child import import_path
from harness.config import Config
from harness.conformance import Conformance, check_backend
from harness.conformance.calls import Calls
from harness.conformance.limits import described, place_of_failure
from harness.errors import SessionproofError
from harness.postgres.choose import choose
from harness.postgres.clones import Clones
from harness.report.conformance_document import ConformanceDocument, ItemDocument, StepDocument
from harness.report.redact import masked, masker
from harness.report.text import inline
from harness.stacks import application_stack, format_stack

__all__ = ["Checking", "check"]

VIOLATED = 1
_ENDING_SECONDS = 3.0
"""How long the process may take to end once everything is told."""
_ALIVE_SECONDS = 2.0
"""How long ago the event loop may have said that it goes on for one call in it to be what does not end."""
_PATIENCE = 15.0
"""For how many seconds more than one call may take the event loop may stand still, or a cancelled call go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checking:
    """One call: the configuration, where it is printed, and how: as text, or as JSON."""

    config: Config
    console: Console
    write: Callable[[str], None]
    form: Literal["text", "json"] = "text"
    directory: Path = field(default_factory=Path.cwd)
    patience: float = _PATIENCE
    debug: bool = False


@dataclass(slots=True)
class _Progress:
    """What is known so far, and when the event loop last said that it goes on."""

    said: Conformance
    at: float = field(default_factory=monotonic)
    over: threading.Event = field(default_factory=threading.Event)
    calls: Calls = field(default_factory=Calls)
    status: int | None = None

    def tell(self, said: Conformance) -> None:
        self.said = said


def check(call: Checking) -> int:
    """Check, print, and return the exit status.

    Raises:
        ConfigurationError: there is no such backend.
        EnvironmentMissing: no database can be had.
    """
    progress = _Progress(Conformance(backend=call.config.backend))
    with _importing(import_path(call.config, call.directory)), _own_output() as output, _quiet(debug=call.debug):
        candidate = find_candidate(call.config.backend)
        with _watched(call, progress, output):
            _run(call, candidate, progress, output)
    return VIOLATED if progress.status is None else progress.status


def _run(call: Checking, candidate: object, progress: _Progress, output: TextIO) -> None:
    """Check and conclude; what nobody expected ends in a violation, too."""
    try:
        asyncio.run(_check(call, candidate, progress, output))
    except BaseException as error:
        if call.debug or isinstance(error, SessionproofError | OSError | GeneratorExit) or is_interrupt(error):
            raise
        if progress.status is None:
            _tell(call, progress, output, progress.said + _unexpected(error))


async def _check(call: Checking, candidate: object, progress: _Progress, output: TextIO) -> None:
    beating = asyncio.create_task(_beat(progress), name="watchdog")
    server = choose(call.config.postgres, image=call.config.image)
    try:
        running = await server.start()
        clones = Clones(running, secrets.token_hex(4))
        limit = call.config.turn_timeout
        try:
            said = await check_backend(candidate, clones, seconds=limit, tell=progress.tell, calls=progress.calls)
        finally:
            await clones.drop_all()
    finally:
        await server.stop()
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating
    _tell(call, progress, output, said)


def _tell(call: Checking, progress: _Progress, output: TextIO, said: Conformance) -> None:
    """Conclude, and let nothing that goes on afterwards be taken for a part of the check."""
    with redirect_stdout(output):
        progress.status = _conclude(call, said)
        sys.stdout.flush()
    progress.over.set()


def _unexpected(error: BaseException) -> Conformance:
    violation = Violation(
        part="the backend",
        seen=f"it ended the check by {described(error)}",
        asked="what it raises is raised to who calls it",
        change="repair what raised there; --debug shows the whole traceback",
        place=place_of_failure(error),
    )
    return Conformance(backend="", violations=(violation,))


async def _beat(progress: _Progress) -> None:
    while True:
        progress.at = monotonic()
        await asyncio.sleep(0.2)  # the beat that the watchdog listens to; cancelled when the check ends


@contextmanager
def _watched(call: Checking, progress: _Progress, output: TextIO) -> Iterator[None]:
    """End the process with what is known if the event loop stands still: nothing in it can end it then."""
    main = threading.get_ident()

    def watch() -> None:
        while not progress.over.wait(0.5):
            if (seen := _never_ends(call, progress, main)) is not None:
                _tell(call, progress, output, progress.said + seen)
                os._exit(VIOLATED)  # the server's guardian stops it
        if not ended.wait(_ENDING_SECONDS) and progress.status is not None:
            os._exit(progress.status)  # everything is told, and the application's threads go on

    ended = threading.Event()
    thread = threading.Thread(target=watch, name="watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        progress.over.set()
        thread.join()


def _never_ends(call: Checking, progress: _Progress, thread: int) -> Conformance | None:
    """What keeps the check from ending, if anything does: the event loop, or a call in it that cannot be cancelled."""
    longest, silent = call.config.turn_timeout + call.patience, monotonic() - progress.at
    if silent > longest:
        return _standstill(thread, longest)
    late = progress.calls.overdue(call.patience) if silent < _ALIVE_SECONDS else None
    return Conformance(backend="", violations=(late,)) if late is not None else None


def _standstill(thread: int, seconds: float) -> Conformance:
    frame, pairs = sys._current_frames().get(thread), []  # noqa: SLF001  # there is no public way to another's stack
    while frame is not None:
        pairs.append((frame.f_code, frame.f_lineno))
        frame = frame.f_back
    stack = format_stack(application_stack(reversed(pairs), fallback=1))
    violation = Violation(
        part="the event loop",
        seen=f"it has stood still for {seconds:g} s, at {stack[-1]}",
        asked="nothing in the application waits without `await`",
        change="await what it waits for, or hand it to a thread",
        place=stack[-1].partition(" in ")[0],
    )
    return Conformance(backend="", violations=(violation,))


def _conclude(call: Checking, said: Conformance) -> int:
    if call.form == "json":
        call.write(masked(_document(said), masker(os.environ)).model_dump_json(indent=2) + "\n")
    else:
        _show(call, said)
    return 0 if said.conforms else VIOLATED


def _document(said: Conformance) -> ConformanceDocument:
    return ConformanceDocument(
        backend=said.backend,
        conforms=said.conforms,
        steps=tuple(StepDocument(**asdict(step)) for step in said.steps),
        violations=tuple(_item(each) for each in said.violations),
        hints=tuple(_item(each) for each in said.hints),
    )


def _item(told: Violation) -> ItemDocument:
    return ItemDocument(part=told.part, seen=told.whole, asked=told.asked, change=told.change, place=told.place)


def _show(call: Checking, said: Conformance) -> None:
    mask = masker(os.environ)

    def line(mark: str, style: str, text: str) -> None:
        shown = Text.assemble((f"{mark:<11}", style), inline(mask(text), limit=2000))
        call.console.print(shown, soft_wrap=True)

    for step in said.steps:
        line(
            "undecided" if step.undecided else "looked at",
            "yellow" if step.undecided else "dim",
            _step(step.name, step.undecided),
        )
    for violation in said.violations:
        line("VIOLATED", "bold red", str(violation))
    for hint in said.hints:
        line("hint", "cyan", str(hint))
    count = len(said.violations)
    if said.conforms:
        call.console.print(Text(f"backend {said.backend!r} conforms to the protocol", style="green"), soft_wrap=True)
    else:
        words = f"backend {said.backend!r} violates the protocol in {count} {'way' if count == 1 else 'ways'}"
        call.console.print(Text(words, style="bold red"), soft_wrap=True)


def _step(name: str, undecided: str) -> str:
    return f"{name}: {undecided}" if undecided else name


@contextmanager
def _own_output() -> Iterator[TextIO]:
    """Standard output for what the check says; what else is written to its descriptor goes to standard error."""
    output = sys.stdout
    try:
        descriptor, other = output.fileno(), sys.stderr.fileno()
    except (OSError, ValueError):  # no file, as in a program that calls the command
        yield output
        return
    output.flush()
    kept = os.dup(descriptor)
    own = os.fdopen(kept, "w", encoding=output.encoding, errors=output.errors)
    os.dup2(other, descriptor)
    try:
        yield own
    finally:
        with suppress(OSError, ValueError):
            output.flush()
        os.dup2(kept, descriptor)
        own.close()


@contextmanager
def _quiet(*, debug: bool) -> Iterator[None]:
    """Keep what the application says by itself apart from what is said of it: on standard error, if at all."""
    handler = logging.NullHandler()  # without any, Python prints what is logged
    with redirect_stdout(sys.stderr), warnings.catch_warnings():
        if not debug:
            warnings.simplefilter("ignore")
            logging.getLogger().addHandler(handler)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(handler)


@contextmanager
def _importing(places: list[str]) -> Iterator[None]:
    before = list(sys.path)
    sys.path[:0] = places
    try:
        yield
    finally:
        sys.path[:] = before
