"""The application's database, of which there is one."""

from typing import ClassVar, Self

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine


class Database:
    _instance: ClassVar[Self | None] = None

    def __init__(self, url: str) -> None:
        self.engine = create_async_engine(url)
        self._session: AsyncSession | None = None

    @classmethod
    def connect(cls, url: str) -> Self:
        cls._instance = cls(url)
        return cls._instance

    @classmethod
    def instance(cls) -> Self:
        if cls._instance is None:
            raise RuntimeError("connect first")
        return cls._instance

    @property
    def session(self) -> AsyncSession:
        if self._session is None:
            self._session = async_sessionmaker(self.engine)()  # expect-any: shared_by_tools
        return self._session  # expect-any: shared_by_tools

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
        await self.engine.dispose()
