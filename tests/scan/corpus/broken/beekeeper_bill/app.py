"""The HTTP side."""

from fastapi import Depends, FastAPI
from service import HiveService
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine("postgresql+asyncpg://bees@localhost/bees")
factory = async_sessionmaker(engine)
app = FastAPI()


async def get_db():
    async with factory() as session:
        yield session


def get_service(session: AsyncSession = Depends(get_db)) -> HiveService:
    return HiveService(session)  # expect-any: tracker_with_session


@app.post("/accounts/{account}/messages")
async def message(account: int, body: str, service: HiveService = Depends(get_service)) -> str:
    return await service.answer(account, body)
