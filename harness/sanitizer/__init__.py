"""Who used which session when, and was it allowed: a race detector for sessions of asyncio programs.

`watch_sessions` is the front door; `transfer` tells it of a hand-over that it cannot see.
"""

from harness.errors import SessionRaceError
from harness.sanitizer.agents import Caller
from harness.sanitizer.race_log import LogLimits
from harness.sanitizer.reports import describe
from harness.sanitizer.transfers import transfer
from harness.sanitizer.watch import SessionRaceWarning, Watch, WatchMode, watch_sessions
from harness.suppressions import Suppressions, read_suppressions

__all__ = [
    "Caller",
    "LogLimits",
    "SessionRaceError",
    "SessionRaceWarning",
    "Suppressions",
    "Watch",
    "WatchMode",
    "describe",
    "read_suppressions",
    "transfer",
    "watch_sessions",
]
