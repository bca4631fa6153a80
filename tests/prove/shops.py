"""A shop's application of sixty lines, as git repositories: it shares a session, and then it does not."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

__all__ = ["ADAPTER", "LOCKED", "NOBODY", "REPAIRED", "SHARED", "commit", "git", "history", "repository", "written"]

_AGENT = '''
"""The shop's agent."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

INSERT = "INSERT INTO bills VALUES (:id, :conversation, :in, :out, :tokens, :in_cost, :out_cost, :cost)"


@dataclass
class Deps:
    sessions: async_sessionmaker
    session: AsyncSession | None = None


AGENT = Agent(deps_type=Deps, defer_model_check=True)


def session_of(deps):
    %s


@AGENT.tool
async def opening_hours(ctx: RunContext[Deps]) -> str:
    """When the shop is open."""
    async with session_of(ctx.deps) as session:
        return str(await session.scalar(text("SELECT 'from nine to five'")))


@AGENT.tool
async def stock(ctx: RunContext[Deps], article: str) -> int:
    """How many of an article there are."""
    async with session_of(ctx.deps) as session:
        return int(await session.scalar(text("SELECT length(:article)"), {"article": article}))


async def answer(sessions, model, message: str, conversation: str) -> tuple[str, UUID]:
    """Ask the agent, and write the bill."""
    async with sessions() as session:
        result = await AGENT.run(message, deps=Deps(sessions, session), model=model)
    costs = [response.cost() for response in result.all_messages() if response.kind == "response"]
    bill, usage = uuid4(), result.usage
    row = {"id": bill, "conversation": conversation, "in": usage.input_tokens, "out": usage.output_tokens}
    row |= {"in_cost": sum(cost.input_price for cost in costs), "out_cost": sum(cost.output_price for cost in costs)}
    row |= {"tokens": row["in"] + row["out"], "cost": row["in_cost"] + row["out_cost"]}
    async with sessions.begin() as session:
        await session.execute(text(INSERT), row)
    return result.output, bill
'''
_BODIES = {
    "shared": """from contextlib import nullcontext

    return nullcontext(deps.session)""",
    "locked": """from asyncio import Lock
    from contextlib import asynccontextmanager

    lock = vars(deps).setdefault("lock", Lock())

    @asynccontextmanager
    async def alone():
        async with lock:
            yield deps.session

    return alone()""",
    "repaired": "return deps.sessions()",
}
SHARED = _AGENT.lstrip() % _BODIES["shared"]
LOCKED = _AGENT.lstrip() % _BODIES["locked"]
REPAIRED = _AGENT.lstrip() % _BODIES["repaired"]
ADAPTER = '''
"""The shop, as the harness sees it: as it is, whatever that is."""

from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import NullPool, text
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine

from harness.backend import BackendSettings, Capability, Tenant, ToolUse
from harness.evidence import Answer, LedgerRow
from harness.scenario import SessionMode, ToolRole
from shop.agent import answer

TABLE = (
    "CREATE TABLE bills (id uuid PRIMARY KEY, session_id text, prompt_tokens int, completion_tokens int, "
    "total_tokens int, prompt_cost numeric, completion_cost numeric, total_cost numeric)"
)


@dataclass
class Running:
    engine: AsyncEngine
    settings: BackendSettings

    async def send(self, request):
        said, bill = await answer(
            async_sessionmaker(self.engine), self.settings.model, request.message, request.conversation_id
        )
        return Answer(text=said, llm_request_id=bill)


class Shop:
    name = "shop"
    modes = frozenset({SessionMode.PER_OPERATION})
    capabilities = frozenset({Capability.LEDGER})
    tenants = (
        Tenant(
            account="shop",
            agent="clerk",
            tools={
                ToolRole.READ: ToolUse(tool="opening_hours"),
                ToolRole.SEARCH: ToolUse(tool="stock", arguments={"article": "pears"}),
            },
        ),
    )

    async def prepare(self, database_url):
        engine = create_async_engine(database_url, poolclass=NullPool)
        async with engine.begin() as connection:
            await connection.execute(text(TABLE))
        await engine.dispose()

    @asynccontextmanager
    async def start(self, settings):
        pool = settings.pool
        sizes = {"pool_size": pool.size, "max_overflow": pool.max_overflow, "pool_timeout": pool.timeout}
        options = {"poolclass": NullPool} if pool.null else sizes
        engine = create_async_engine(settings.database_url, pool_pre_ping=pool.pre_ping, **options)
        try:
            yield Running(engine, settings)
        finally:
            await engine.dispose()

    async def read_ledger(self, connection):
        rows = (await connection.execute(text("SELECT * FROM bills"))).mappings()
        unknown = dict.fromkeys(LedgerRow.__dataclass_fields__)
        implied = {"account_slug": "shop", "agent_instance_slug": "clerk"}
        return [LedgerRow(**unknown | dict(row) | implied) for row in rows]


backend = Shop()
'''.lstrip()
NOBODY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.invalid",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.invalid",
    "GIT_AUTHOR_DATE": "2030-01-02T03:04:05Z",
    "GIT_COMMITTER_DATE": "2030-01-02T03:04:05Z",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


def git(folder: Path, *words: str) -> str:
    """What git prints on being called so in the folder, whatever the machine's user has configured."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | NOBODY
    done = subprocess.run(
        ["git", "-C", str(folder), *words], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def written(folder: Path, files: Mapping[str, str]) -> Path:
    """The folder, with these files in it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def commit(folder: Path, subject: str, files: Mapping[str, str] | None = None) -> str:
    """The commit of everything that is in the folder, with these files in it."""
    written(folder, files or {})
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", subject)
    return git(folder, "rev-parse", "HEAD")


def repository(folder: Path) -> Path:
    """An empty repository."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    return folder


def history(folder: Path, *, adapter: bool = True) -> tuple[str, str]:
    """A repository with the shop's repair; with `adapter`, the second of the two commits brings that, too."""
    repository(folder)
    before = commit(folder, "Open the shop", {"shop/__init__.py": "", "shop/agent.py": SHARED})
    files = {"shop/agent.py": REPAIRED} | ({"shop/verification.py": ADAPTER} if adapter else {})
    return before, commit(folder, "Give each tool a session of its own", files)
