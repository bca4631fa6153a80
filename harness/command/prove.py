"""`sessionproof prove`: the bug shows at one revision, and not at another one.

Problem: a repair is to be shown to repair. Both states of the sources have to be run in the same way, while the user's
work tree, in the middle of something, must not be touched.

Mechanism: both revisions are checked out into temporary work trees, the same scenarios are run on both by the same
adapter, and `harness.report.proof` says what the two runs prove together.

Guarantee: 0 only if it is proved. Whatever happens, signals included, the temporary work trees are removed; nothing is
written into the user's work tree, unless `--output` names a folder there.
"""

import os
import shlex
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from rich.text import Text

from harness import bundled
from harness.command import side
from harness.command.github import append_summary, print_report
from harness.command.scenario_names import check_scenarios
from harness.command.signals import signals_noted
from harness.command.verify import INTERRUPTED
from harness.command.workflow import commands_stopped, is_github
from harness.config import Config
from harness.errors import UsageError
from harness.report.files import refuse
from harness.report.proof import Side, make_proof
from harness.report.proof_document import ProofDocument, RevisionDocument, proof_status
from harness.report.proof_markdown import proof_page
from harness.report.proof_terminal import show_proof
from harness.report.proof_write import PAGE_FILE, PROOF_FILE, proof_json, write_proof
from harness.report.redact import masked, masker
from harness.report.showing import WITNESSES
from harness.report.text import block
from harness.revisions.adapters import Adapter, AdapterFrom, find_adapter, from_file, place_adapter
from harness.revisions.checkouts import checked_out
from harness.revisions.git import Repository, Revision, find_repository, resolve_revision
from harness.revisions.lacks import lacks_of
from harness.revisions.look import Look
from harness.revisions.roots import Checkout, import_roots, started_in
from harness.scenario import SessionMode

__all__ = ["Proving", "prove"]

_NAMES = ("before", "after")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proving(side.Looking):
    """One call: which revisions, whose adapter, what to run, and where the report goes.

    `output` is a folder; without it, a new one outside of the work tree. `write` prints a text as it is.
    """

    config: Config
    before: str
    after: str
    write: Callable[[str], None]
    adapter_from: str = AdapterFrom.OWN
    format: str = "terminal"
    output: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """A revision that can be run: its state, what its backend says of itself, and what its checkout lacks."""

    revision: Revision
    state: side.State
    look: Look
    notes: Sequence[str]


def prove(call: Proving) -> int:
    """Run both, report, and return the exit status of the command.

    Raises:
        UsageError: no repository, no such revision, two revisions of one content, no such adapter.
        EnvironmentMissing: git, or what a run needs, is missing; a revision's backend cannot be loaded.
    """
    with signals_noted() as received, _output(call) as output:
        try:
            with commands_stopped(call.given, console=call.errors):
                proof = masked(_proved(call, output, received), masker(call.given))
        except side.Interrupted as error:
            call.say(str(error))
            if any(output.iterdir()):
                call.errors.print(Text(f"what there is so far is in {output}", style="dim"), soft_wrap=True)
            return INTERRUPTED + error.number
        return _report(call, proof, output)


def _proved(call: Proving, output: Path, received: Sequence[signal.Signals]) -> ProofDocument:
    """Run both, and say what that proves."""
    module = _module(call)
    check_scenarios(call.config)
    repository = find_repository(call.directory)
    revisions = _revisions(repository, call)
    started_at, started = datetime.now(UTC), perf_counter()
    with _made_ready(call, repository, revisions, module, received) as (ready, adapter):
        sides = []
        for name, each in zip(_NAMES, ready, strict=True):
            _go_on(received)
            sides.append(_run(call, each, output / name))
    return make_proof(
        *sides,
        bug=call.bug,
        started_at=started_at,
        seconds=perf_counter() - started,
        command=_command(call, revisions),
        adapter=adapter,
    )


def _module(call: Proving) -> str:
    """The name of the adapter's module."""
    spec = call.config.backend
    if spec == bundled.default_backend():
        raise UsageError(
            "what is proved is proved of your application: name its adapter, an object that both revisions are started "
            "by, by --backend MODULE:ATTRIBUTE, or as `backend` in [tool.sessionproof]"
        )
    return side.module_of(spec)


def _revisions(repository: Repository, call: Proving) -> list[Revision]:
    before, after = (resolve_revision(repository, name) for name in (call.before, call.after))
    if before.commit == after.commit:
        raise UsageError(
            f"--before {before.asked!r} and --after {after.asked!r} are the same commit, {before.short}: what shows in "
            "one shows in the other; name the commit before the repair, and the one with it"
        )
    if before.tree == after.tree:
        raise UsageError(
            f"--before {before.short} and --after {after.short} have the same content, so that nothing can be proved "
            "by their difference"
        )
    return [before, after]


@contextmanager
def _output(call: Proving) -> Iterator[Path]:
    """The folder of the report, without an earlier proof; one of ours goes again if nothing came into it."""
    if call.output is None:
        made = Path(tempfile.mkdtemp(prefix="sessionproof-proof-"))
        try:
            yield made
        finally:
            with suppress(OSError):
                made.rmdir()
        return
    output = call.output.absolute()
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name in (PROOF_FILE, PAGE_FILE):
            (output / name).unlink(missing_ok=True)
    except OSError as error:
        refuse(output, error)
    yield output


@contextmanager
def _made_ready(
    call: Proving,
    repository: Repository,
    revisions: Sequence[Revision],
    module: str,
    received: Sequence[signal.Signals],
) -> Iterator[tuple[list[_Ready], str]]:
    """Both revisions, checked out, with an adapter each; and a sentence about the adapter."""
    with ExitStack() as stack:
        checkouts = _both_checked_out(call, repository, revisions, received, stack)
        notes = [lacks_of(checkout.top) for checkout in checkouts]
        placed, adapter = _adapters(call, repository, checkouts, module)
        ready = []
        for revision, checkout, put, lacks in zip(revisions, checkouts, placed, notes, strict=True):
            _go_on(received)
            given = side.state_environment(
                call.config, call.given, checkout, own=repository.trees, commit=revision.commit
            )
            name = f"at {revision.asked!r} ({revision.short})"
            state = side.State(name=name, checkout=checkout, own=repository.trees, environment=given, placed=put)
            look = _looked_at(call, state, repository, module)
            ready.append(_Ready(revision=revision, state=state, look=look, notes=lacks))
        yield ready, adapter


def _both_checked_out(
    call: Proving,
    repository: Repository,
    revisions: Sequence[Revision],
    received: Sequence[signal.Signals],
    stack: ExitStack,
) -> list[Checkout]:
    """The checkouts, which are gone when the stack is."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sessionproof-prove-"))).resolve()
    checkouts = []
    for name, revision in zip(_NAMES, revisions, strict=True):
        _go_on(received)
        path = folder / f"{folder.name}-{name}"  # git's note of it has this name, among those of others
        context = checked_out(repository, revision, path, stop=lambda: bool(received), complain=call.say)
        try:
            stack.enter_context(context)
        finally:
            _go_on(received)
        checkouts.append(_checkout(repository, path, call.config))
    return checkouts


def _go_on(received: Sequence[signal.Signals]) -> None:
    for number in received:
        raise side.Interrupted(number)


def _checkout(repository: Repository, top: Path, config: Config) -> Checkout:
    """The checkout at `top`; modules are looked for from the caller's folder on, or from that of the settings."""
    named = directory = started_in(top, repository.prefix)
    if config.folder is not None and repository.top is not None:
        named = started_in(top, os.path.relpath(config.folder.resolve(), repository.top))
    roots = import_roots(top, named, own=repository.trees, entries=side.import_path_of_now())
    return Checkout(top=top, directory=directory, roots=roots)


def _adapters(
    call: Proving, repository: Repository, checkouts: Sequence[Checkout], module: str
) -> tuple[list[bool], str]:
    """Put an adapter where one is to be; say for each revision whether that was done, and in a sentence what was."""
    names = [call.before, call.after]
    found = [find_adapter(module, checkout) for checkout in checkouts]
    if call.adapter_from == AdapterFrom.OWN:
        before, after = found
        if before is not None or after is None:
            return [False, False], "each revision was started by its own adapter"
        place_adapter(after, checkouts[0], source=checkouts[1].top)
        return [True, False], f"{call.before!r} has no adapter, and was started by that of {call.after!r}"
    if call.adapter_from in _NAMES:
        index = _NAMES.index(call.adapter_from)
        adapter = found[index]
        if adapter is None:
            raise UsageError(f"--adapter-from {call.adapter_from}: {names[index]!r} has no module {module!r}")
        other = 1 - index
        place_adapter(adapter, checkouts[other], source=checkouts[index].top)
        return [other == 0, other == 1], f"both revisions were started by the adapter of {names[index]!r}"
    adapter, source = _from_outside(call, repository, module)
    for checkout in checkouts:
        place_adapter(adapter, checkout, source=source)
    return [True, True], f"both revisions were started by the adapter in {_shown(adapter.file, repository)!r}"


def _from_outside(call: Proving, repository: Repository, module: str) -> tuple[Adapter, Path | None]:
    if call.adapter_from != AdapterFrom.WORKTREE:
        return from_file(module, call.directory / call.adapter_from), None
    adapter = _in_work_tree(call, repository, module)
    if adapter is None:
        raise UsageError(f"--adapter-from worktree: the work tree has no module {module!r}")
    return adapter, repository.top


def _in_work_tree(call: Proving, repository: Repository, module: str) -> Adapter | None:
    top = repository.top
    return find_adapter(module, _checkout(repository, top, call.config)) if top is not None else None


def _shown(file: Path, repository: Repository) -> str:
    inside = repository.top is not None and repository.top in file.parents
    return str(file.relative_to(repository.top)) if inside and repository.top is not None else file.name


def _looked_at(call: Proving, state: side.State, repository: Repository, module: str) -> Look:
    """What its backend says of itself; if it has none, what to do.

    Raises:
        NoAdapterError: it has none, by that name.
        NotLoadedError: it cannot be loaded.
    """
    try:
        return side.look_at(state, call.config.backend)
    except side.NotLoadedError as error:
        advice = "if its adapter is what does not fit, --adapter-from says whose starts both: before, after, or a file"
        raise side.NotLoadedError(f"{error}; {advice}") from error
    except side.NoAdapterError as error:
        lacks = call.adapter_from == AdapterFrom.OWN and find_adapter(module, state.checkout) is None
        lying = lacks and _in_work_tree(call, repository, module) is not None
        hint = (
            "; the work tree has it, but the revision has not: --adapter-from worktree takes it from there"
            if lying
            else "; --adapter-from says where to take an adapter from that a revision lacks: before, after, worktree, "
            "or a file"
        )
        raise side.NoAdapterError(f"{error}{hint}") from error


def _run(call: Proving, ready: _Ready, directory: Path) -> Side:
    """Run the cells on one revision."""
    shown = f"{ready.revision.short} {ready.revision.subject}"
    call.errors.print(Text(f"{directory.name}: {block(masker(call.given)(shown), limit=100)}"), soft_wrap=True)
    run = side.verification(call, call.config, ready.look, directory)
    revision = ready.revision
    return Side(
        revision=RevisionDocument(asked=revision.asked, commit=revision.commit, subject=revision.subject),
        backend=ready.look.name,
        document=side.run_cells(run, ready.state),
        run=f"{directory.name}/run.json",
        root=str(ready.state.checkout.top),
        notes=tuple(ready.notes),
        hint=_hint(run.config.modes, ready.look),
    )


def _hint(modes: Sequence[SessionMode], look: Look) -> str:
    if SessionMode.SHARED in look.modes and SessionMode.SHARED not in modes:
        return (
            "its backend also has the mode 'shared', in which it was not started: an adapter should start the "
            "application as it is at its revision"
        )
    return ""


def _command(call: Proving, revisions: Sequence[Revision]) -> str:
    """The command that does the same again, whatever becomes of branches; without a URL, which may hold a password."""
    config = call.config
    words = ["sessionproof", "prove", "--before", revisions[0].short, "--after", revisions[1].short]
    words += ["--backend", config.backend]
    if call.adapter_from != AdapterFrom.OWN:
        words += ["--adapter-from", call.adapter_from]
    if "://" not in config.postgres and config.postgres != "auto":
        words += ["--postgres", config.postgres]
    if config.image:
        words += ["--image", config.image]
    for option, values in (
        ("--mode", call.modes),
        ("--pool-state", config.pool_states),
        ("--scenario", config.scenarios),
        ("--tier", config.tiers),
        ("--finding", sorted(call.bug) if call.bug != WITNESSES else ()),
    ):
        words += [word for value in values for word in (option, str(value))]
    if config.scenario_file is not None:
        words += ["--scenario-file", str(config.scenario_file)]
    if config.full_length:
        words.append("--full-length")
    if config.turn_timeout != Config().turn_timeout:
        words += ["--turn-timeout", f"{config.turn_timeout:g}"]
    return shlex.join(words)


def _report(call: Proving, proof: ProofDocument, output: Path) -> int:
    write_proof(proof, output)
    if call.format == "terminal":
        with commands_stopped(call.given, console=call.console):
            show_proof(proof, call.console)
    else:
        text = proof_page(proof) if call.format == "markdown" else proof_json(proof)
        print_report(call.format, text, call.given, console=call.console, write=call.write)
    call.errors.print(Text(f"proof in {output}", style="dim"), soft_wrap=True)
    if is_github(call.given):
        append_summary(proof_page(proof), call.given, errors=call.errors)
    return proof_status(proof)
