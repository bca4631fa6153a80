"""Billing of the translation service."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass
class CostTracker:
    conn: object
    tenant: str

    async def record(self, cents: int) -> None:
        await self.conn.execute(
            "INSERT INTO bills (tenant, cents, at) VALUES ($1, $2, $3)", self.tenant, cents, datetime.now(UTC)
        )


def tracker_for(conn, tenant: str) -> CostTracker:
    return CostTracker(conn=conn, tenant=tenant)  # expect-any: tracker_with_session
