"""Payroll queries. The caller says in which session."""

from decimal import Decimal

from sqlalchemy import text


async def salary_of(session, employee: int) -> Decimal | None:
    return await session.scalar(  # expect-any: shared_by_tools
        text("SELECT amount FROM salaries WHERE employee = :id"), {"id": employee}
    )


async def leave_of(session, employee: int, year: int) -> int:
    statement = text("SELECT coalesce(sum(days), 0) FROM leave WHERE employee = :id AND year = :year")
    return await session.scalar(statement, {"id": employee, "year": year})  # expect-any: shared_by_tools
