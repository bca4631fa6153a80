"""The seam to the application under test: what a backend is, and how one is found by its name.

`protocol` is what it has to be, `contract` tells where an object is not that, without starting it, and `loading`
imports one.
"""

from harness.backend.contract import Violation, examine
from harness.backend.loading import find_candidate, load_backend
from harness.backend.protocol import (
    Application,
    Backend,
    BackendSettings,
    Capability,
    ChatRequest,
    PoolSettings,
    Tenant,
    ToolUse,
)

__all__ = [
    "Application",
    "Backend",
    "BackendSettings",
    "Capability",
    "ChatRequest",
    "PoolSettings",
    "Tenant",
    "ToolUse",
    "Violation",
    "examine",
    "find_candidate",
    "load_backend",
]
