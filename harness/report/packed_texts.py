"""Texts and stacks that are written once, and named by their number wherever they appear."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.report.text import block, printable

__all__ = ["Texts"]

_LIMIT = 3_000
"""How many characters of a text are shown."""
_FRAMES = 40


@dataclass(slots=True)
class Texts:
    """The texts so far, printable and clipped, and the stacks as lists of numbers of texts; number 0 is nothing.

    `limit` is how many characters of a text are kept. `size` is about how many characters they take.
    """

    limit: int = _LIMIT
    texts: list[str] = field(default_factory=lambda: [""])
    stacks: list[list[int]] = field(default_factory=lambda: [[]])
    size: int = 0
    _numbers: dict[str, int] = field(default_factory=lambda: {"": 0})
    _stack_numbers: dict[tuple[str, ...], int] = field(default_factory=lambda: {(): 0})

    def __call__(self, text: str) -> int:
        """The number of a text."""
        if (known := self._numbers.get(text)) is not None:
            return known
        shown = self._shown(text)
        number = self._numbers.get(shown)
        if number is None:
            number = len(self.texts)
            self.texts.append(shown)
            self._numbers[shown] = number
            self.size += len(shown) + 3
        self._numbers[text] = number
        return number

    def _shown(self, text: str) -> str:
        """Of a long text only what is shown is looked at: it may be a megabyte, and one of many."""
        left = len(text) - self.limit
        if left <= 0:
            return block(text, limit=self.limit)
        return f"{printable(text[: self.limit])[: self.limit]}... ({left:,} more characters)"

    def stack(self, frames: Iterable[object]) -> int:
        """The number of a stack; of a very deep one the innermost frames, and how many others there are."""
        key = tuple(map(str, frames))
        number = self._stack_numbers.get(key)
        if number is None:
            kept = key[-_FRAMES:]
            outer = [f"({len(key) - len(kept):,} frames further out are in run.json)"] if len(key) > len(kept) else []
            number = self._stack_numbers[key] = len(self.stacks)
            self.stacks.append([self(frame) for frame in (*outer, *kept)])
            self.size += 5 * len(kept)
        return number
