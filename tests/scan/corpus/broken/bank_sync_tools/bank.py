"""Broken: synchronous tools run in threads of their own, two at a time, on one synchronous Session."""

from dataclasses import dataclass
from decimal import Decimal

from pydantic_ai import Agent, RunContext
from sqlalchemy import Numeric, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "accounts"

    iban: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    balance: Mapped[Decimal] = mapped_column(Numeric(12, 2))


class Transfer(Base):
    __tablename__ = "transfers"

    id: Mapped[int] = mapped_column(primary_key=True)
    iban: Mapped[str]
    amount: Mapped[Decimal] = mapped_column(Numeric(12, 2))


@dataclass
class BankDeps:
    db: Session  # expect-any: shared_by_tools
    owner: str


teller = Agent(deps_type=BankDeps)


@teller.tool
def balance(ctx: RunContext[BankDeps]) -> str:
    """What the customer has in all accounts."""
    total = ctx.deps.db.scalar(  # expect-any: shared_by_tools
        select(func.sum(Account.balance)).where(Account.owner == ctx.deps.owner)
    )
    return str(total or 0)


@teller.tool
def recent_transfers(ctx: RunContext[BankDeps], iban: str) -> list[str]:
    """The last ten transfers of an account."""
    statement = select(Transfer).where(Transfer.iban == iban).order_by(Transfer.id.desc()).limit(10)
    return [str(transfer.amount) for transfer in ctx.deps.db.scalars(statement)]  # expect-any: shared_by_tools


async def main(model: object, url: str) -> str:
    engine = create_engine(url.replace("+asyncpg", "+psycopg"))
    with Session(engine) as db:
        result = await teller.run(  # expect-any: shared_by_tools
            "How much have I, and what went out?", deps=BankDeps(db, "Ada"), model=model
        )
    engine.dispose()
    return result.output
