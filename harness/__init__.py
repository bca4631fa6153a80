"""sessionproof: proves that agent tools running in parallel do not share a database session.

Data flows one way: scenario -> run -> evidence -> checks -> verdicts -> report. `ARCHITECTURE.md` has the map.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.sanitizer import transfer, watch_sessions

    __version__: str

__all__ = ["__version__", "transfer", "watch_sessions"]


def __getattr__(name: str) -> Any:
    """The version and the sanitizer, loaded when they are asked for: the package itself stays light."""
    if name == "__version__":
        return _version()
    if name not in {"transfer", "watch_sessions"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from harness import sanitizer  # noqa: PLC0415  # see above

    return getattr(sanitizer, name)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  # see above

    try:
        return version("sessionproof")
    except PackageNotFoundError:  # a source tree on the path that was never installed
        return "0+unknown"
