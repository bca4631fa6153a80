"""Which tools are to write rows."""

from harness.scenario import ToolRole

__all__ = ["WRITING_ROLES"]

WRITING_ROLES = frozenset({ToolRole.FLUSH, ToolRole.COMMIT})
"""The roles whose rows are to become durable."""
