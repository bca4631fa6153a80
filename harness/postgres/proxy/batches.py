"""What a client sends in one go, and what the server answers to it.

Problem: a driver runs one statement by several messages, and a fault strikes the statement as a whole or not at all.

Mechanism: a batch ends with the message after which the client waits or may wait for an answer: `Query`, `Sync`,
`Flush` and the like. Its answer ends with `ReadyForQuery`, or, after a `Flush`, with what ends the last `Execute`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from harness.postgres.proxy.messages import MAXIMUM, Kind, Message

__all__ = ["Answer", "Batch", "Batcher"]

_SYNCS = frozenset({Kind.QUERY, Kind.SYNC, Kind.FUNCTION_CALL})
_HELD = frozenset({Kind.PARSE, Kind.BIND, Kind.DESCRIBE, Kind.EXECUTE, Kind.CLOSE})
_EXECUTED = frozenset({Kind.COMMAND_COMPLETE, Kind.EMPTY_QUERY, Kind.PORTAL_SUSPENDED, Kind.ERROR})


@dataclass(frozen=True)
class Batch:
    """Messages of a client that go to the server together; not `whole` if they were too many to be held."""

    messages: tuple[Message, ...]
    whole: bool = True

    @cached_property
    def raw(self) -> bytes:
        """The bytes, as the client sent them."""
        return b"".join(message.raw for message in self.messages)

    @property
    def last(self) -> Kind:
        """The kind of its last message."""
        return self.messages[-1].kind

    @property
    def syncs(self) -> bool:
        """Whether the server ends its answer with `ReadyForQuery`."""
        return self.last in _SYNCS

    @property
    def executions(self) -> int:
        """How many `Execute` messages it has."""
        return sum(message.kind is Kind.EXECUTE for message in self.messages)


class Batcher:
    """Holds a client's messages until a batch is complete."""

    def __init__(self, *, maximum: int = MAXIMUM) -> None:
        self._maximum = maximum
        self._held: list[Message] = []
        self._size = 0

    def feed(self, message: Message) -> Batch | None:
        """The batch that this message completes, if it does."""
        self._held.append(message)
        self._size += len(message.raw)
        whole = message.kind not in _HELD
        if not whole and self._size <= self._maximum:
            return None
        batch = Batch(tuple(self._held), whole)
        self._held, self._size = [], 0
        return batch


class Answer:
    """The server's answer to one batch, as it comes in; `done` when it is whole.

    A `CopyInResponse` is not kept: the client must have it, or there will be no answer.
    """

    def __init__(self, *, syncs: bool = True, executions: int = 0) -> None:
        self._syncs = syncs
        self._executions = executions
        self.messages: list[Message] = []
        self.done = False
        self.copies = False

    @classmethod
    def to(cls, batch: Batch) -> "Answer":
        """The answer to a batch that has not been sent yet."""
        return cls(syncs=batch.syncs, executions=batch.executions)

    def hear(self, message: Message) -> bool:
        """Whether the message is kept as a part of the answer."""
        if self.done:
            return False
        if message.kind is Kind.COPY_IN:
            self.copies = True
            return False
        self.messages.append(message)
        if message.kind is Kind.READY_FOR_QUERY:
            self.done = True
        elif not self._syncs and message.kind in _EXECUTED:
            self._executions -= 1
            self.done = self._executions <= 0 or message.kind is Kind.ERROR
        return True

    @property
    def status(self) -> str:
        """The status of its `ReadyForQuery`; idle if there is none."""
        ready = [message.status for message in self.messages if message.kind is Kind.READY_FOR_QUERY]
        return ready[-1] if ready else "I"

    @property
    def raw(self) -> bytes:
        """The bytes, as the server sent them."""
        return _join(self.messages)


def _join(messages: Iterable[Message]) -> bytes:
    return b"".join(message.raw for message in messages)
