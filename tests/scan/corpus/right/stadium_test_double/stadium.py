"""Right: the deps are a protocol, and here a double in memory stands behind it, without any database."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic_ai import Agent, RunContext


class SeatStore(Protocol):
    async def execute(self, statement: str, **values: Any) -> list[int]: ...

    async def commit(self) -> None: ...


@dataclass
class FakeAsyncSession:
    """Remembers what it was asked."""

    statements: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    commits: int = 0

    async def execute(self, statement: str, **values: Any) -> list[int]:
        self.statements.append((statement, values))
        return [len(self.statements)]

    async def commit(self) -> None:
        self.commits += 1


@dataclass
class StadiumDeps:
    session: SeatStore


box_office = Agent(deps_type=StadiumDeps)


@box_office.tool
async def free_in(ctx: RunContext[StadiumDeps], block: str) -> list[int]:
    """Free seats in a block."""
    return await ctx.deps.session.execute("free", block=block)


@box_office.tool
async def sell(ctx: RunContext[StadiumDeps], block: str) -> str:
    """Sell a seat in a block."""
    await ctx.deps.session.execute("sell", block=block)
    await ctx.deps.session.commit()
    return "sold"


async def main(model: object, url: str) -> str:
    session = FakeAsyncSession()
    result = await box_office.run("Two in block C, please", deps=StadiumDeps(session), model=model)
    assert session.commits == 1
    return result.output
