"""sessionproof: proves that agent tools running in parallel do not share a database session.

Data flows one way: scenario -> run -> evidence -> checks -> verdicts -> report. `ARCHITECTURE.md` has the map.
"""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

try:
    __version__ = version("sessionproof")
except PackageNotFoundError:  # a source tree on the path that was never installed
    __version__ = "0+unknown"
