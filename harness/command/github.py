"""What the command does where it runs as a step of a GitHub Actions job: the job's summary, and annotations.

Problem: a report quotes the backend, and what it quotes must be no command (`harness.command.workflow`).

Mechanism: while anything else is printed, commands are stopped. What is to be read as JSON has no lines of its own
around it: in it the beginning of a command is written as an escape.

Guarantee: nothing of this happens anywhere else, unless it is asked for, and nothing of it changes the exit status: a
summary that cannot be written is said, and that is all.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console
from rich.text import Text

from harness.command.workflow import commands_stopped, is_github, workspace
from harness.report.document import RunDocument
from harness.report.github import SUMMARY_LIMIT, GithubWriter, command, fitting
from harness.report.markdown import MarkdownWriter
from harness.report.text import inline

__all__ = ["announce", "append_summary", "is_github", "print_report", "publish", "workspace"]

_JSON = frozenset({"json", "sarif", "trace"})


def print_report(
    name: str, text: str, environment: Mapping[str, str], *, console: Console, write: Callable[[str], None]
) -> None:
    """Print a report in the format of this name, so that nothing of the backend's in it is a command."""
    if name == "github" or not is_github(environment):
        write(text)
    elif name in _JSON:
        write(text.replace("##[", r"\u0023#["))
    else:
        with commands_stopped(environment, console=console):
            write(text if text.endswith("\n") else f"{text}\n")  # the token has a line of its own


def announce(failure: str, *, console: Console) -> None:
    """Print one annotation about a run without a result."""
    console.print(Text(command("error", failure, title="sessionproof")), soft_wrap=True)


def publish(document: RunDocument, environment: Mapping[str, str], *, console: Console, errors: Console) -> None:
    """Print the annotations of a run, and append its page to the summary of the step."""
    for line in GithubWriter(root=workspace(environment)).write(document).splitlines():
        console.print(Text(line), soft_wrap=True)
    append_summary(MarkdownWriter().write(document), environment, errors=errors)


def append_summary(page: str, environment: Mapping[str, str], *, errors: Console) -> None:
    """Append a page to the file in `GITHUB_STEP_SUMMARY`, as far as there is room; do nothing without such a file."""
    place = environment.get("GITHUB_STEP_SUMMARY")
    if not place:
        return
    path = Path(place)
    try:
        written = path.stat().st_size if path.exists() else 0
        shown = fitting(page, SUMMARY_LIMIT - written - len("\n"))
        if not shown:
            _not_written("there is no room left below GitHub's 1 MiB", place, errors)
            return
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(("\n" if written else "") + shown)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        _not_written(str(error.strerror), place, errors)


def _not_written(why: str, place: str, errors: Console) -> None:
    errors.print(Text(inline(f"the job's summary was not written: {why} ({place})"), style="yellow"), soft_wrap=True)
