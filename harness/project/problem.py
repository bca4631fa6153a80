"""A file or folder that could not be read: what is unknown of a project."""

from dataclasses import dataclass

__all__ = ["Problem"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Where, and why in one sentence."""

    file: str
    line: int
    message: str
