"""The services."""

from sqlalchemy import text


class Service:
    def __init__(self, session) -> None:
        self.session = session


class Customers(Service):
    async def find(self, name: str) -> int | None:
        query = text("SELECT id FROM customers WHERE name ILIKE :name")
        return (await self.session.execute(query, {"name": name})).scalar()  # expect-any: shared_by_tools


class Measurements(Service):
    async def of(self, customer: int) -> dict[str, int]:
        query = text("SELECT part, millimetres FROM measurements WHERE customer = :id")
        rows = await self.session.execute(query, {"id": customer})  # expect-any: shared_by_tools
        return {row.part: row.millimetres for row in rows}
