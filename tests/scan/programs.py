"""Small programs for the tests of the scan: a prelude, and what is written after it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import dedent

from harness.scan.codes import Code
from harness.scan.finding import Finding
from harness.scan.scan import scan

__all__ = ["PRELUDE", "codes", "findings"]

PRELUDE = """
import asyncio
import contextlib
from dataclasses import dataclass
from typing import Annotated

import anyio
import asyncpg
import psycopg
from fastapi import Depends
from pydantic_ai import Agent, FunctionToolset, RunContext, Tool
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, sessionmaker

engine = create_async_engine("postgresql+asyncpg://localhost/shop")
factory = async_sessionmaker(engine)

async def use(session):
    return await session.execute("select 1")
"""


def findings(folder: Path, source: str | Mapping[str, str], *, select: Sequence[Code] = ()) -> list[Finding]:
    """What is found in a program; files of their own do not get the prelude."""
    files = {"program.py": f"{PRELUDE}\n{dedent(source)}"} if isinstance(source, str) else source
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    result = scan([folder], select=select)
    assert not result.problems
    return list(result.findings)


def codes(folder: Path, source: str | Mapping[str, str], *, select: Sequence[Code] = ()) -> set[Code]:
    """The codes of what is found."""
    return {each.code for each in findings(folder, source, select=select)}
