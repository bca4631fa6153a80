"""Who used which session when, and was it allowed: a race detector for sessions of asyncio programs.

`watch_sessions` is the front door; `transfer` tells it of a hand-over that it cannot see.
"""

from harness.errors import SessionRaceError
from harness.sanitizer.agents import Caller
from harness.sanitizer.reports import describe
from harness.sanitizer.transfers import transfer
from harness.sanitizer.watch import SessionRaceWarning, Watch, WatchMode, watch_sessions

__all__ = [
    "Caller",
    "SessionRaceError",
    "SessionRaceWarning",
    "Watch",
    "WatchMode",
    "describe",
    "transfer",
    "watch_sessions",
]
