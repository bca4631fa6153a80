"""What can go wrong with the harness itself, as one tree.

Findings about the backend under test are values (`harness.verdict.Finding`), never exceptions; an exception
means that the harness, its user's input, or the machine did not allow a question to be answered.

    SessionproofError
    ├── UsageError            the command, an option or an argument is wrong             exit 2
    │   └── ConfigurationError  a configured value (URL, backend, environment) is wrong  exit 2
    ├── EnvironmentMissing    this machine lacks something: nothing could be decided     exit 3
    ├── BudgetExceededError   a model request was not sent, because it could cost more than is left of the budget
    ├── BackendError          the backend under test did not start, answer or stop
    ├── ClientLeft            the client closed its connection in the middle of an answer, as it was told to
    ├── SessionRaceError      raised in the watched program, at the second access of a race, if it was asked for
    └── MissingEvidence       a recorder could not record; its reason is raised when its record is read
"""

from typing import Any

__all__ = [
    "BackendError",
    "BudgetExceededError",
    "ClientLeft",
    "ConfigurationError",
    "EnvironmentMissing",
    "MissingEvidence",
    "SessionRaceError",
    "SessionproofError",
    "UsageError",
]


class SessionproofError(Exception):
    """The root of the tree; its text says what happened, where, what was tried, and what to do."""


class UsageError(SessionproofError):
    """The caller asked for something that does not exist or cannot be."""


class ConfigurationError(UsageError):
    """A configured value cannot be used."""


class EnvironmentMissing(SessionproofError):
    """The machine lacks what the run needs, so that nothing could be decided."""


class BudgetExceededError(SessionproofError):
    """A model request was not sent, because it could have cost more than is left of the run's budget."""


class BackendError(SessionproofError):
    """The backend under test violated its part of the `Backend` protocol."""


class ClientLeft(SessionproofError):
    """The client closed its connection in the middle of an answer, as `ChatRequest.leave_after` told it to."""


class MissingEvidence(SessionproofError):
    """A check asked for a record that could not be made."""


class SessionRaceError(SessionproofError):
    """Two accesses to one session that may not meet; raised in place of the second one.

    `finding` says which: a `harness.evidence.SessionRace`.
    """

    def __init__(self, message: str, finding: Any) -> None:
        super().__init__(message)
        self.finding = finding
