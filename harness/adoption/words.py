"""Lists of names, as a reader likes to see them."""

__all__ = ["words"]


def words(text: str) -> tuple[str, ...]:
    """The words of a text, in their order."""
    return tuple(text.split())
