"""How statements of the harness's own are told from the application's.

Problem: the harness makes a tool slower in the database by a statement of its own, on the application's
connection.

Mechanism: that statement carries an execution option, and recorders ask `is_injected`.

Guarantee: the option has no meaning to SQLAlchemy, and no influence on the statement.
"""

from typing import Any, Final

__all__ = ["INJECTED_OPTION", "OWN_APPLICATION_NAME", "is_injected"]

INJECTED_OPTION: Final = "sessionproof_injected"
"""Also known to `harness.explorer.latency`, which may not import this module; a test compares the two."""

OWN_APPLICATION_NAME: Final = "sessionproof"
"""The `application_name` of the harness's own connections."""


def is_injected(execution_context: Any) -> bool:
    """Whether a statement's execution context says that it is the harness's own."""
    options = getattr(execution_context, "execution_options", None) or {}
    return bool(options.get(INJECTED_OPTION))
