"""Runs programs under `watch_sessions()`, each in a process of its own that is forked once all is imported.

`python run_programs.py URL FOLDER...` prints one line of JSON for each folder, in order: its name, what it returned or
raised, and what the watch found, each finding with its kind and the places of its two accesses. The database is emptied
before each. A program without a `main` is imported alone.
"""

import asyncio
import contextlib
import importlib
import inspect
import json
import multiprocessing
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

import asyncpg
from pydantic_ai.models.test import TestModel
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import create_async_engine

from harness.evidence import AccessSeen
from harness.sanitizer import Watch, watch_sessions
from tests.scan.corpus.programs import Label, Program

SECONDS = 30
ENDED_EARLY = "it ended early"


async def _prepare(url: str, modules: list[ModuleType]) -> None:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    engine = create_async_engine(url)
    for metadata in _metadata(modules):
        async with engine.begin() as transaction:
            await transaction.run_sync(metadata.create_all)
    await engine.dispose()
    for module in modules:
        await connection.execute(getattr(module, "SCHEMA", "SELECT 1"))
    await connection.close()


def _metadata(modules: list[ModuleType]) -> Iterator[MetaData]:
    seen: set[int] = set()
    for module in modules:
        for value in vars(module).values():
            metadata = value if isinstance(value, MetaData) else getattr(value, "metadata", None)
            if isinstance(metadata, MetaData) and id(metadata) not in seen:
                seen.add(id(metadata))
                yield metadata


async def _run(program: Program, url: str) -> dict[str, Any]:
    modules = [importlib.import_module(program.module(path)) for path in program.files]
    await _prepare(url, modules)
    main = _nothing if program.main is None else importlib.import_module(program.module(program.main)).main
    arguments = {"model": TestModel(), "url": url}
    result = error = None
    with watch_sessions() as watch:
        try:
            async with asyncio.timeout(SECONDS):
                result = await main(**{name: arguments[name] for name in inspect.signature(main).parameters})
        except Exception as raised:  # noqa: BLE001  # a broken program may end with any error
            error = repr(raised)
    result = None if result is None else str(result)
    return _document(program, result=result, error=error, problems=watch.problems, findings=_findings(watch))


def _document(
    program: Program,
    *,
    result: str | None = None,
    error: str | None = None,
    problems: Sequence[str] = (),
    findings: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    return {"name": program.name, "result": result, "error": error, "problems": problems, "findings": findings}


async def _nothing() -> None:
    """What is run of a program that can only be imported."""


def _findings(watch: Watch) -> list[dict[str, Any]]:
    return [
        {"kind": str(finding.kind), "places": [*_places(finding.first), *_places(finding.second)]}
        for finding in watch.findings
    ]


def _places(access: AccessSeen) -> list[list[Any]]:
    """The lines of the access's stack: a mark may stand on that of a helper, or on that of the tool that called it."""
    return [[place.file, place.line] for place in access.stack]


def _child(program: Program, url: str, outcome: Connection) -> None:
    sys.path.insert(0, str(program.folder.parent if program.is_package else program.folder))
    os.environ["DATABASE_URL"] = url
    with contextlib.redirect_stdout(sys.stderr):  # what programs print
        outcome.send(json.dumps(asyncio.run(_run(program, url))))


def main(url: str, *folders: str) -> None:
    """Run the programs in these folders, one after the other."""
    warnings.simplefilter("ignore")
    for module in ("fastapi", "sqlmodel.ext.asyncio.session", "psycopg_pool", "pydantic_ai.capabilities"):
        importlib.import_module(module)
    context = multiprocessing.get_context("fork")
    for folder in map(Path, folders):
        program = Program(name=folder.name, label=Label(folder.parent.name), folder=folder)
        outcome, sender = context.Pipe(duplex=False)
        child = context.Process(target=_child, args=(program, url, sender))
        child.start()
        sender.close()
        try:
            document = outcome.recv()
        except EOFError:
            document = json.dumps(_document(program, error=ENDED_EARLY))
        sys.stdout.write(f"{document}\n")
        child.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
