"""What the pytest process tells while it runs: one JSON object a line, appended to a file.

Problem: the command shows progress of a process that can die at any moment, and a pipe would block the one
that writes or lose what was written.

Mechanism: the writer appends lines to a file, the reader asks now and then for the complete lines that came.

Guarantee: half a line is not read before its other half is there; what a newer or broken writer adds is
skipped.
"""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

__all__ = [
    "CellDone",
    "Event",
    "Finished",
    "Lines",
    "Planned",
    "Problem",
    "ServerStarted",
    "parse",
]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ServerStarted(_Event):
    """A PostgreSQL server answers: from which provider, and why that one."""

    event: Literal["server"]
    kind: str
    version: str
    reason: str = ""


class Planned(_Event):
    """How many cells there are to run."""

    event: Literal["planned"]
    cells: int


class CellDone(_Event):
    """A cell was judged."""

    event: Literal["cell"]
    scenario: str
    session_mode: str
    pool_state: str
    tier: str
    verdict: str
    expected: str
    as_expected: bool
    objections: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    seconds: float = 0.0


class Problem(_Event):
    """Something kept the run from deciding: the user's (`usage`), the machine's, or the harness's own."""

    event: Literal["problem"]
    category: Literal["usage", "environment", "internal"]
    message: str


class Finished(_Event):
    """The reports are written."""

    event: Literal["finished"]


Event: TypeAlias = Annotated[ServerStarted | Planned | CellDone | Problem | Finished, Field(discriminator="event")]
_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


def parse(line: str) -> Event | None:
    """The event in one line, or `None` if it is none that is known here."""
    try:
        return _ADAPTER.validate_json(line)
    except ValidationError:
        return None


class Lines:
    """The complete lines that were appended to a file since they were last asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._partial = b""

    def read(self) -> list[str]:
        """The new complete lines, without their ends; bytes that are not UTF-8 are shown as escapes."""
        *complete, self._partial = (self._partial + self._appended()).split(b"\n")
        return [line.decode("utf-8", "backslashreplace") for line in complete]

    def rest(self) -> list[str]:
        """Everything that is left, when nobody writes any more: also a last line without an end."""
        lines = self.read()
        last, self._partial = self._partial, b""
        return [*lines, last.decode("utf-8", "backslashreplace")] if last else lines

    def _appended(self) -> bytes:
        with self._path.open("rb") as stream:
            stream.seek(self._offset)
            data = stream.read()
        self._offset += len(data)
        return data
