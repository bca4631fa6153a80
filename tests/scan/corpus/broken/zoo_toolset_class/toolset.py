"""Tools about animals, as a toolset of its own."""

from pydantic_ai import FunctionToolset
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Animal(Base):
    __tablename__ = "animals"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    species: Mapped[str]
    keeper: Mapped[str]


class AnimalToolset(FunctionToolset):
    """What one may ask about animals."""

    def __init__(self, session: AsyncSession) -> None:
        super().__init__(id="animals")
        self._session = session  # expect-any: shared_by_tools
        self.add_function(self.animals_of, name="animals_of")  # expect-any: shared_by_tools
        self.add_function(self.keeper_of, name="keeper_of")  # expect-any: shared_by_tools

    async def animals_of(self, species: str) -> list[str]:
        """Names of a species' animals."""
        return list(  # expect-any: shared_by_tools
            await self._session.scalars(select(Animal.name).where(Animal.species == species))
        )

    async def keeper_of(self, name: str) -> str | None:
        """Who keeps an animal."""
        return await self._session.scalar(  # expect-any: shared_by_tools
            select(Animal.keeper).where(Animal.name == name)
        )
