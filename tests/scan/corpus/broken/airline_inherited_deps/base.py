"""What the dependencies of all agents have in common."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession as Database


@dataclass(kw_only=True)
class AgentDependencies:
    """Every agent has these."""

    conversation: UUID
    db: Database  # expect-any: shared_by_tools

    @classmethod
    def for_conversation(cls, db: Database, **extra: object) -> "AgentDependencies":
        return cls(conversation=uuid4(), db=db, **extra)  # expect-any: shared_by_tools
