"""`sessionproof doctor`: what this machine has, what a run would use, what is missing, and how to get it.

Nothing is started: the engine is asked, programs are looked for, the backend is imported. What is looked at
for PostgreSQL is the business of `harness.postgres.choose`.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness import bundled
from harness.backend import load_backend
from harness.command.child import import_path
from harness.config import Config
from harness.errors import SessionproofError
from harness.postgres.choose import Probe
from harness.report.environment import describe_environment
from harness.report.redact import masker
from harness.report.text import inline

__all__ = ["NEEDED", "Finding", "could_verify", "examine", "show"]

NEEDED = {
    "auto": {"auto"},
    "container": {"Docker engine"},
    "embedded": {"embedded PostgreSQL", "room for data"},
}
"""Which of the probes must succeed, by the value of `--postgres`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked for; `needed` if a run with these settings cannot do without it."""

    name: str
    found: bool
    needed: bool
    detail: str
    remedy: str = ""

    @property
    def state(self) -> str:
        """In one word or two."""
        if self.found:
            return "found"
        return "MISSING" if self.needed else "not found"


def examine(config: Config, probes: Sequence[Probe], *, directory: Path) -> list[Finding]:
    """What a run with `config`, started in `directory`, would find."""
    needed = NEEDED.get(config.postgres, set())
    found = [
        _attempt("verification suite", _suite, "install the wheel again, or work in a clone"),
        _attempt("backend", lambda: _backend(config, directory), "name another with --backend MODULE:ATTRIBUTE"),
    ]
    found += [
        Finding(
            name=probe.name,
            found=probe.found,
            needed=probe.name in needed,
            detail=probe.detail,
            remedy="" if probe.found else probe.remedy,
        )
        for probe in probes
    ]
    if "://" in config.postgres:
        url = masker()(config.postgres)
        found.append(Finding(name="named server", found=True, needed=True, detail=f"{url}, not tried by doctor"))
    return found


def could_verify(findings: Sequence[Finding]) -> bool:
    """Whether everything is there that a run needs."""
    return all(finding.found for finding in findings if finding.needed)


def show(config: Config, findings: Sequence[Finding], console: Console) -> None:
    """Print what was found, and the last word."""
    environment = describe_environment(postgres=None, backend=config.backend)
    packages = ", ".join(f"{name} {version}" for name, version in environment.packages.items())
    console.print(Text(f"Python {environment.python}, {environment.platform}, {environment.cpus} CPUs"))
    console.print(Text(packages))
    console.print()
    console.print(_table(findings))
    console.print()
    missing = [finding for finding in findings if not finding.found and finding.remedy]
    for finding in missing:
        console.print(Text(f"{finding.name}: how to get it", style="bold"))
        console.print(Padding(Text(inline(finding.remedy, limit=1000)), (0, 0, 0, 2), expand=False))
    if missing:
        console.print()
    console.print(_conclusion(config, findings))


def _table(findings: Sequence[Finding]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("what", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("", overflow="fold")
    styles = {"found": "green", "MISSING": "bold red", "not found": "yellow"}
    for finding in findings:
        state = Text(finding.state, style=styles[finding.state])
        table.add_row(Text(finding.name), state, Text(inline(finding.detail, limit=1000)))
    return table


def _conclusion(config: Config, findings: Sequence[Finding]) -> Text:
    postgres = "a named server" if "://" in config.postgres else f"--postgres {config.postgres}"
    if could_verify(findings):
        return Text(f"sessionproof verify can run, with {postgres} and the backend {config.backend}", style="green")
    names = ", ".join(finding.name for finding in findings if finding.needed and not finding.found)
    return Text(f"sessionproof verify cannot run with {postgres}: {names} missing", style="bold red")


def _attempt(name: str, look: Callable[[], str], remedy: str) -> Finding:
    try:
        return Finding(name=name, found=True, needed=True, detail=look())
    except SessionproofError as error:
        return Finding(name=name, found=False, needed=True, detail=masker()(str(error)), remedy=remedy)


def _suite() -> str:
    directory = bundled.scenarios_directory()
    modules = len(list(directory.glob("test_*.py")))
    return f"{modules} modules in {directory}"


def _backend(config: Config, directory: Path) -> str:
    with _importing(import_path(config, directory)):
        backend = load_backend(config.backend)
    modes = ", ".join(sorted(backend.modes))
    capabilities = ", ".join(sorted(backend.capabilities)) or "none"
    return f"{config.backend} ({backend.name}): modes {modes}; capabilities {capabilities}"


@contextmanager
def _importing(places: Sequence[str]) -> Iterator[None]:
    before = list(sys.path)
    sys.path[:0] = places
    try:
        yield
    finally:
        sys.path[:] = before
