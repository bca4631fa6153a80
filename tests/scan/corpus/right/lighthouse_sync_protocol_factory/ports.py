"""What the agent needs, and what gives it."""

from dataclasses import dataclass
from datetime import date
from typing import Protocol

from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker


class Logbook(Protocol):
    def entries(self, day: date) -> list[str]: ...

    def write(self, entry: str) -> None: ...


class SqlLogbook:
    def __init__(self, session: sessionmaker[Session]) -> None:
        self._session = session

    def entries(self, day: date) -> list[str]:
        with self._session() as session:
            return list(session.scalars(text("SELECT body FROM entries WHERE day = :day"), {"day": day}))

    def write(self, entry: str) -> None:
        with self._session.begin() as session:
            session.execute(text("INSERT INTO entries (day, body) VALUES (current_date, :body)"), {"body": entry})


@dataclass
class Keeper:
    logbook: Logbook
    name: str
