"""Which scenarios there are, known before anything is started.

Problem: a name that was mistyped is found by pytest when it has collected: by then a server was started for nothing.

Mechanism: most names stand in the suite's text as they are, and reading that is quick. Those that are put together
(`ledger_…`) are known by loading the suite's modules, which takes as long as pytest takes to load; so that is done only
for what is none of the others.

Guarantee: a name that is refused is that of no scenario of the suite.
"""

import ast
from collections.abc import Iterator, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from harness import bundled
from harness.config import Config, no_scenario
from harness.errors import EnvironmentMissing, UsageError

__all__ = ["check_scenarios"]


def check_scenarios(config: Config) -> None:
    """Whether each scenario that is asked for is there, before anything is done.

    Raises:
        ConfigurationError: the file with a scenario of the user's cannot be read, or has none.
        UsageError: a scenario is not there.
    """
    if config.scenario_file is not None:
        from harness.scenario_file import read_scenario  # noqa: PLC0415  # pydantic, for who has such a file

        read_scenario(config.scenario_file)
        return
    files = sorted(bundled.scenarios_directory().glob("test_*.py"))
    if config.unmatched(name for file in files for name in _written(file)):
        known = [name for file in files for name in _made(file)]
        if unknown := config.unmatched(known):
            raise UsageError(no_scenario(unknown, known))


def _written(file: Path) -> Iterator[str]:
    """The names that stand in a module's text."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Name(id="Scenario"), keywords=words):
                given = (word.value for word in words if word.arg == "name")
                yield from (each.value for each in given if isinstance(each, ast.Constant))  # type: ignore[misc]  # texts


def _made(file: Path) -> Iterator[str]:
    """The names of the scenarios that a module's tests are marked with."""
    spec = spec_from_file_location(f"sessionproof_scenarios_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise EnvironmentMissing(f"{file} of the verification suite cannot be loaded; install sessionproof again")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    for function in vars(module).values():
        marks: Sequence[object] = getattr(function, "pytestmark", ())
        for mark in marks if isinstance(marks, list) else ():
            if mark.name == "sessionproof":
                yield from (each.name for each in mark.args)
