"""Right: synchronous tools run in threads, and each opens a session of its own there."""

from dataclasses import dataclass
from decimal import Decimal

from pydantic_ai import Agent, RunContext
from sqlalchemy import Numeric, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "accounts"

    iban: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    balance: Mapped[Decimal] = mapped_column(Numeric(12, 2))


@dataclass
class BankDeps:
    db: sessionmaker[Session]
    owner: str


teller = Agent(deps_type=BankDeps)


@teller.tool
def balance(ctx: RunContext[BankDeps]) -> str:
    """What the customer has in all accounts."""
    with ctx.deps.db() as session:
        total = session.scalar(select(func.sum(Account.balance)).where(Account.owner == ctx.deps.owner))
    return str(total or 0)


@teller.tool
def ibans(ctx: RunContext[BankDeps]) -> list[str]:
    """The customer's accounts."""
    with ctx.deps.db.begin() as session:
        return list(session.scalars(select(Account.iban).where(Account.owner == ctx.deps.owner)))


async def main(model: object, url: str) -> str:
    engine = create_engine(url.replace("+asyncpg", "+psycopg"))
    result = await teller.run("How much have I?", deps=BankDeps(sessionmaker(engine), "Ada"), model=model)
    engine.dispose()
    return result.output
