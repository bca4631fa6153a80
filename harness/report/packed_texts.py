"""Texts and stacks that are written once, and named by their number wherever they appear."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.report.text import block

__all__ = ["Texts"]

_LIMIT = 3_000
_FRAMES = 40


@dataclass(slots=True)
class Texts:
    """The texts so far, printable and clipped, and the stacks as lists of numbers of texts; number 0 is nothing.

    `size` is about how many characters they take.
    """

    texts: list[str] = field(default_factory=lambda: [""])
    stacks: list[list[int]] = field(default_factory=lambda: [[]])
    size: int = 0
    _numbers: dict[str, int] = field(default_factory=lambda: {"": 0})
    _stack_numbers: dict[tuple[str, ...], int] = field(default_factory=lambda: {(): 0})

    def __call__(self, text: str) -> int:
        """The number of a text."""
        if (known := self._numbers.get(text)) is not None:
            return known
        shown = block(text, limit=_LIMIT)
        number = self._numbers.get(shown)
        if number is None:
            number = len(self.texts)
            self.texts.append(shown)
            self._numbers[shown] = number
            self.size += len(shown) + 3
        self._numbers[text] = number
        return number

    def stack(self, frames: Iterable[object]) -> int:
        """The number of a stack; of a very deep one the innermost frames."""
        key = tuple(map(str, frames))[-_FRAMES:]
        number = self._stack_numbers.get(key)
        if number is None:
            number = self._stack_numbers[key] = len(self.stacks)
            self.stacks.append([self(frame) for frame in key])
            self.size += 5 * len(key)
        return number
