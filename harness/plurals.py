"""Numbers with what they count, in the words of messages."""

__all__ = ["any_of", "number_of", "part_of"]


def number_of(count: int, noun: str, *, plural: str = "") -> str:
    """`1 cell`, `1,200 cells`; `plural` where it is not the noun with an s."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def part_of(count: int, total: int, noun: str) -> str:
    """`1 of 1 cell`, `1 of 4 cells`."""
    return f"{count:,} of {number_of(total, noun)}"


def any_of(total: int, noun: str) -> str:
    """`any of 4 cells`, behind a negation; of one, `the one cell`."""
    return f"the one {noun}" if total == 1 else f"any of {number_of(total, noun)}"
