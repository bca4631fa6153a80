"""Broken: the reminder is written by a task that outlives the request, in the session of the request."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import DateTime
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

app = FastAPI()
make_session = async_sessionmaker(create_async_engine("postgresql+asyncpg://dentist@localhost/dentist"))
running: set[asyncio.Task[None]] = set()


class Base(DeclarativeBase):
    pass


class Appointment(Base):
    __tablename__ = "appointments"

    id: Mapped[int] = mapped_column(primary_key=True)
    patient: Mapped[str]
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Reminder(Base):
    __tablename__ = "reminders"

    id: Mapped[int] = mapped_column(primary_key=True)
    patient: Mapped[str]
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class NewAppointment(BaseModel):
    patient: str
    at: datetime


async def session_of_request() -> AsyncIterator[AsyncSession]:
    async with make_session() as session:
        yield session


async def plan_reminder(session: AsyncSession, patient: str, at: datetime) -> None:
    session.add(Reminder(patient=patient, at=at - timedelta(days=1)))
    await session.commit()  # expect-any: shared_by_tasks


def in_background(work) -> None:
    task = asyncio.create_task(work)  # expect-any: shared_by_tasks
    running.add(task)
    task.add_done_callback(running.discard)


@app.post("/appointments")
async def make_appointment(new: NewAppointment, session: AsyncSession = Depends(session_of_request)) -> int:
    appointment = Appointment(patient=new.patient, at=new.at)
    session.add(appointment)
    await session.flush()
    in_background(plan_reminder(session, new.patient, new.at))  # expect-any: shared_by_tasks
    await session.commit()  # expect-any: shared_by_tasks
    return appointment.id
