"""What the agent needs, and what gives it."""

from dataclasses import dataclass
from datetime import date
from typing import Protocol

from sqlalchemy import text
from sqlalchemy.orm import Session


class Logbook(Protocol):
    def entries(self, day: date) -> list[str]: ...

    def write(self, entry: str) -> None: ...


class SqlLogbook:
    def __init__(self, session: Session) -> None:
        self._session = session  # expect-any: shared_by_tools

    def entries(self, day: date) -> list[str]:
        statement = text("SELECT body FROM entries WHERE day = :day")
        return list(self._session.scalars(statement, {"day": day}))  # expect-any: shared_by_tools

    def write(self, entry: str) -> None:
        self._session.execute(  # expect-any: shared_by_tools
            text("INSERT INTO entries (day, body) VALUES (current_date, :body)"), {"body": entry}
        )
        self._session.commit()


@dataclass
class Keeper:
    logbook: Logbook  # expect-any: shared_by_tools
    name: str
