"""What the payroll agent is given."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession


@dataclass
class PayrollDeps:
    session: AsyncSession  # expect-any: shared_by_tools
    employee: int
