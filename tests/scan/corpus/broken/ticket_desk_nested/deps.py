"""Dependencies of the ticket desk: what belongs together stands together."""

from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(slots=True)
class Storage:
    db: AsyncSession  # expect-any: shared_by_tools
    schema: str = "public"


@dataclass(slots=True)
class Caller:
    user_id: int
    roles: tuple[str, ...] = ()


@dataclass(slots=True)
class DeskDeps:
    storage: Storage  # expect-any: shared_by_tools
    caller: Caller
    labels: dict[str, str] = field(default_factory=dict)
