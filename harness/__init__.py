"""sessionproof: proves that agent tools running in parallel do not share a database session.

Data flows one way: scenario -> run -> evidence -> checks -> verdicts -> report. `ARCHITECTURE.md` has the map.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.sanitizer import transfer, watch_sessions

__all__ = ["__version__", "transfer", "watch_sessions"]

try:
    __version__ = version("sessionproof")
except PackageNotFoundError:  # a source tree on the path that was never installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:
    """The sanitizer, loaded when it is asked for: the package itself stays light."""
    if name not in {"transfer", "watch_sessions"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from harness import sanitizer  # noqa: PLC0415  # see above

    return getattr(sanitizer, name)
