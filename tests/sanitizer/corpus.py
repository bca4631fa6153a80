"""Programs as data: what each does, and what the sanitizer must say of it.

A legal program must be met with silence. A racy one names the kinds that must be found (others may be found beside
them, if they are in `also`), and marks the two lines with comments `# first` and `# second`: a finding must name both,
in either order if the program is symmetric. A program whose two accesses stand on one line marks it `# both`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.sanitizer.world import World

__all__ = ["Corpus", "Program"]

Run = Callable[[World], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program: `kinds` is empty for a legal one. `warm` says how many pooled connections it starts with."""

    name: str
    run: Run
    kinds: frozenset[str] = frozenset()
    also: frozenset[str] = frozenset()
    warm: int = 2
    lines: frozenset[int] | None = None
    """The lines of the two accesses, where comments cannot mark them (generated families)."""
    min_python: tuple[int, int] = (3, 11)


@dataclass
class Corpus:
    """A list of programs that a module fills: `@corpus.legal`, `@corpus.racy("overlap")`."""

    programs: list[Program] = field(default_factory=list)

    def legal(self, run: Run) -> Run:
        """Add a program of which nothing may be said."""
        self.add(run.__name__, run)
        return run

    def racy(
        self,
        *kinds: str,
        also: tuple[str, ...] = (),
        warm: int = 2,
        lines: frozenset[int] | None = None,
        min_python: tuple[int, int] = (3, 11),
    ) -> Callable[[Run], Run]:
        """Add a program in which these kinds must be found."""

        def register(run: Run) -> Run:
            self.add(run.__name__, run, kinds=kinds, also=also, warm=warm, lines=lines, min_python=min_python)
            return run

        return register

    def add(
        self,
        name: str,
        run: Run,
        *,
        kinds: tuple[str, ...] = (),
        also: tuple[str, ...] = (),
        warm: int = 2,
        lines: frozenset[int] | None = None,
        min_python: tuple[int, int] = (3, 11),
    ) -> None:
        """Add a program under a name of its own; for generated families."""
        self.programs.append(
            Program(
                name=name.replace(" ", "_"),
                run=run,
                kinds=frozenset(kinds),
                also=frozenset(also),
                warm=warm,
                lines=lines,
                min_python=min_python,
            )
        )
