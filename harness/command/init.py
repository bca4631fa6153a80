"""`sessionproof init`: looks at a project, asks what is not clear, and writes its adapter.

Nothing of the project is imported or run, and nothing of it is changed: the adapter is a new file, or none. What to
do next, and the settings that belong into `pyproject.toml`, are printed.
"""

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from keyword import iskeyword
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from harness.adoption.adapter import Adapter, write_adapter
from harness.adoption.choice import Ask, Choices, Wanted, choose
from harness.adoption.found import Survey
from harness.adoption.survey import read_tree, survey_of
from harness.adoption.tree import Tree
from harness.errors import UsageError
from harness.report.text import inline

__all__ = ["Initiation", "asking", "init"]

NAME = "verification"
"""The module that is written."""

INTERRUPTED = 130
"""The exit status of who gave up at a question, by Ctrl-C or Ctrl-D: 128 and the number of the first one's signal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Initiation:
    """What the command was told. `ask` is `None` where nobody can be asked; `write` prints a text as it is."""

    directory: Path
    wanted: Wanted
    output: Path | None
    dry_run: bool
    console: Console
    errors: Console
    ask: Ask | None
    write: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """The file, the module's dotted name, and the folder from which it is imported."""

    file: Path
    module: str
    root: Path


def asking() -> Ask | None:
    """How to ask; `None` if nobody sits at the other end."""
    return _ask if sys.stdin.isatty() and sys.stderr.isatty() else None


def _ask(question: str, answers: Sequence[str]) -> int:
    for number, answer in enumerate(answers, 1):
        click.echo(f"  {number}  {inline(answer)}", err=True)
    try:
        return int(click.prompt(question, type=click.IntRange(1, len(answers)), default=1, err=True)) - 1
    except click.Abort:
        raise SystemExit(INTERRUPTED) from None


def init(call: Initiation) -> int:
    """Write the adapter, or print it; returns 0.

    Raises:
        UsageError: there is no project, something needed was not found or is not clear, or the file cannot be written.
    """
    root = _folder(call.directory)
    tree = read_tree(root)
    survey = survey_of(tree)
    _tell_unreadable(survey, call.errors)
    choices = choose(survey, call.wanted, call.ask)
    target = _target(tree, choices, call.output)
    if not call.dry_run:
        _refuse_existing(target.file)
    above = _way_up(target.file.absolute().parent, tree.root)
    adapter = write_adapter(survey, choices, project=_project_name(target, tree), root=above)
    if call.dry_run:
        call.write(adapter.text)
        return 0
    _create(target.file, adapter.text)
    _tell_next(call.console, adapter, target, tree.root)
    return 0


def _folder(directory: Path) -> Path:
    whole = directory.absolute()
    if not whole.exists():
        raise UsageError(f"the folder {str(directory)!r} does not exist; name that of your project")
    if not whole.is_dir():
        raise UsageError(f"{str(directory)!r} is a file; name the folder of your project")
    if whole.resolve() in {Path(whole.anchor), Path.home().resolve()}:
        raise UsageError(
            f"{str(whole)!r} is no project's folder: everything below it would be read; name that of your project"
        )
    return whole


def _tell_unreadable(survey: Survey, errors: Console) -> None:
    for each in survey.unreadable:
        errors.print(Text(f"not read: {inline(each.place)}: {inline(each.reason)}"), soft_wrap=True)


def _target(tree: Tree, choices: Choices, output: Path | None) -> _Target:
    """Beside the agent's uppermost package's modules, or where `--output` says."""
    module = next(each for each in tree.modules if tree.import_name(each) == choices.agent.module)
    root, package = tree.import_root(module), choices.agent.module.partition(".")[0]
    if output is not None and output.suffix == ".py" and _is_folder(output):
        raise UsageError(
            f"--output {str(output)!r} is a folder, though its name ends in .py; name a file in another one"
        )
    if output is None:
        within = root / package if (root / package).is_dir() else root
        file = within / f"{NAME}.py"
    else:
        file = output / f"{NAME}.py" if _is_folder(output) else output
    if file.suffix != ".py" or not _is_name(file.stem):
        raise UsageError(f"--output {str(file)!r} cannot be imported as a module; name a file such as {NAME}.py")
    whole = file.absolute()
    inside = whole.relative_to(root).with_suffix("").parts if whole.is_relative_to(root) else ()
    if inside and all(map(_is_name, inside)):
        return _Target(file=file, module=".".join(inside), root=root)
    return _Target(file=file, module=file.stem, root=whole.parent)


def _is_name(part: str) -> bool:
    """Whether an `import` can name it."""
    return part.isidentifier() and not iskeyword(part)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # of a name that is too long
        return False


def _project_name(target: _Target, tree: Tree) -> str:
    package = target.module.rpartition(".")[0].partition(".")[0]
    return package or tree.root.name or "project"


def _way_up(folder: Path, root: Path) -> str:
    """From the adapter's folder to the project's, as a relative path."""
    if not folder.is_relative_to(root):
        return str(root)
    steps = len(folder.relative_to(root).parts)
    return "/".join([".."] * steps) or "."


def _refuse_existing(file: Path) -> None:
    if os.path.lexists(file):
        raise UsageError(
            f"{str(file)!r} is there already, and is not overwritten; name another place with --output, "
            "or see with --dry-run what would be written"
        )


def _create(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8", newline="\n") as stream, _whole(file):
            stream.write(text)
            stream.flush()
    except FileExistsError:
        _refuse_existing(file)
    except OSError as error:
        raise UsageError(
            f"{str(file)!r} cannot be written: {error.strerror}; name another place with --output"
        ) from error


@contextmanager
def _whole(file: Path) -> Iterator[None]:
    """Leave nothing of a file that could not be written to its end."""
    try:
        yield
    except BaseException:  # interrupted, too, it leaves no half a file behind, and it is raised on
        file.unlink()
        raise


def _tell_next(console: Console, adapter: Adapter, target: _Target, root: Path) -> None:
    spec = f"{target.module}:backend"
    console.print(Text(f"wrote {inline(str(target.file))}"), soft_wrap=True)
    if adapter.passed_over:
        console.print(Text(f"\n{inline(adapter.passed_over)}"), soft_wrap=True)
    if adapter.todos:
        console.print(Text(f"\nto be written there by hand ({len(adapter.todos)}):"))
        for each in adapter.todos:
            console.print(Text(f"  {each.function}: {inline(each.sentence)}"), soft_wrap=True)
    if adapter.lacking:
        console.print(Text("\nnot found, and not needed:"))
        for each in adapter.lacking:
            console.print(Text(f"  {each.function}: {inline(each.sentence)}"), soft_wrap=True)
    path = "" if target.root == root else f"PYTHONPATH={shlex.quote(_shortest(target.root, root))} "
    console.print(Text("\nread it, then run:"))
    if root.resolve() != Path.cwd().resolve():
        console.print(Text(f"  cd {shlex.quote(inline(_shortest(root, Path.cwd())))}"), soft_wrap=True)
    console.print(Text(f"  {path}sessionproof check-backend {spec}"), soft_wrap=True)
    console.print(Text(f"  {path}sessionproof verify --backend {spec}"), soft_wrap=True)
    console.print(Text("\nand for pyproject.toml, so that verify needs no option:"))
    console.print(Text(f'  [tool.sessionproof]\n  backend = "{spec}"\n  modes = ["per_operation"]'), soft_wrap=True)


def _shortest(folder: Path, root: Path) -> str:
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)
