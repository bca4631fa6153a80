"""What a reader wants first of a run: counts, sentences, examples. Shared by all writers for people.

The run document has every cell; a person asks how many were as expected, which were not, and what the bug
looks like. These pure functions answer from the document, so that no writer counts and two reports never
count differently.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile

from harness.plurals import number_of
from harness.report.document import CellDocument, FindingDocument, NotVerifiedDocument, RunDocument
from harness.scenario import ModelTier, SessionMode
from harness.verdict import Damage, FindingKind, ModelChoices, Verdict

__all__ = [
    "Example",
    "Group",
    "Label",
    "Outcome",
    "Surprise",
    "choices",
    "conclusion",
    "costs",
    "examples",
    "faults",
    "faulty_modes",
    "gaps",
    "headline",
    "in_one_line",
    "limits",
    "losses",
    "matrix",
    "modes",
    "objections",
    "problems",
    "reasons",
    "rows_text",
    "scope",
    "server",
    "surprises",
    "tools_text",
]

UNKNOWN = "?"
"""A count that nobody could make."""


class Outcome(StrEnum):
    """A cell in one word; the ones that need attention are in capitals."""

    REPRODUCED = "reproduced"
    PASSED = "passed"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    NOT_VERIFIED = "not verified"
    ABSENT = "-"

    @classmethod
    def of(cls, cell: CellDocument) -> "Outcome":
        """`reproduced` and `passed` only if the cell is as expected."""
        if not cell.as_expected:
            return cls.UNKNOWN if cell.verdict is Verdict.UNKNOWN else cls.FAILED
        return cls.PASSED if cell.expected == "clean" else cls.REPRODUCED

    @property
    def good(self) -> bool:
        """Whether it is what was hoped for."""
        return self in {Outcome.REPRODUCED, Outcome.PASSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One line in a square of the table: `reproduced 8/8`, `FAILED 1/8`, `not verified`."""

    outcome: Outcome
    count: int = 0
    of: int = 0

    def __str__(self) -> str:
        return f"{self.outcome} {self.count}/{self.of}" if self.of else str(self.outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """The first finding of a kind that was reproduced, and in how many cells the kind was."""

    kind: FindingKind
    finding: FindingDocument
    cell: CellDocument
    cells: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The findings of one kind in one cell: the first of them, and how many there are."""

    first: FindingDocument
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Surprise:
    """A cell that is not as expected, and the other cells of its scenario and mode with the same kinds of findings."""

    cell: CellDocument
    others: tuple[CellDocument, ...]

    @property
    def also(self) -> str:
        """The others in words: `cold wire, warm wire`."""
        return ", ".join(f"{cell.pool_state} {cell.tier}" for cell in self.others)


def modes(document: RunDocument) -> list[SessionMode]:
    """The session modes that appear in the matrix, in their usual order: the columns."""
    seen = {cell.session_mode for cell in _ordinary(document)} | {
        gap.session_mode for gap in document.not_verified if gap.session_mode is not None
    }
    return [mode for mode in SessionMode if mode in seen]


def matrix(document: RunDocument) -> Iterator[tuple[str, list[tuple[Label, ...]]]]:
    """One row per scenario without a fault: its name, and for each of `modes` what its square says."""
    cells = [cell.scenario for cell in _ordinary(document)]
    names = dict.fromkeys(cells + [gap.scenario for gap in document.not_verified])
    columns = modes(document)
    for name in sorted(names):
        yield name, [_square(document, name, mode) for mode in columns]


def _ordinary(document: RunDocument) -> list[CellDocument]:
    return [cell for cell in document.cells if not cell.fault]


def faulty_modes(document: RunDocument) -> list[SessionMode]:
    """The session modes in which something was made to fail, in their usual order: the columns of `faults`."""
    seen = {cell.session_mode for cell in document.cells if cell.fault}
    return [mode for mode in SessionMode if mode in seen]


def faults(document: RunDocument) -> Iterator[tuple[str, list[CellDocument | None]]]:
    """One row per fault: its name, and for each of `faulty_modes` its cell, the first in it if there are several."""
    columns = faulty_modes(document)
    for name in dict.fromkeys(cell.fault for cell in document.cells if cell.fault):
        cells = [cell for cell in document.cells if cell.fault == name]
        yield name, [next((cell for cell in cells if cell.session_mode is mode), None) for mode in columns]


def choices(document: RunDocument) -> Iterator[str]:
    """For each cell in which a model decided by itself: what it did, and what that says."""
    for cell in document.cells:
        if (made := cell.choices) is not None:
            yield f"{cell.scenario}, {cell.session_mode} {cell.pool_state} {cell.tier}: {_choices(cell, made)}"


def _choices(cell: CellDocument, made: ModelChoices) -> str:
    called = sum(made.calls.values())
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in made.outcomes.items())
    refused = f", {made.refused} more were refused" if made.refused else ""
    share = f"{made.share.value:.0%} [{made.share.low:.0%}, {made.share.high:.0%}]"
    return (
        f"{number_of(made.turns, 'turn')} ({outcomes}), {number_of(called, 'tool call')}{refused}; "
        f"several were called together in {made.called_together}, and came to the database together in "
        f"{made.together}, {share}; {_found(cell, made)}"
    )


def _found(cell: CellDocument, made: ModelChoices) -> str:
    if not made.together:
        return "so that nothing is said of how sessions are shared"
    if made.wrong:
        return f"in {made.wrong} of these something was found"
    if made.at_most is None:
        return f"in none of these was anything found, but {_elsewhere(cell)}: nothing follows for other turns"
    return (
        f"in none of these was anything found: with 95 % confidence at most {made.at_most:.1%} of such turns are wrong"
    )


def _elsewhere(cell: CellDocument) -> str:
    """What keeps turns in which nothing was found from saying anything."""
    undecided = [check.check for check in cell.checks if check.verdict is Verdict.UNKNOWN and check.check != "choice"]
    found = [f"outside of them something was ({number_of(len(cell.findings), 'finding')})"] if cell.findings else []
    open_ = [f"what {', '.join(undecided)} asked could not be decided"] if undecided else []
    return ", and ".join(found + open_) or "not everything is known"


def losses(document: RunDocument) -> list[str]:
    """A sentence for each of `faulty_modes`: rows missing, twice there and wrong under all faults together."""
    stated = []
    for mode in faulty_modes(document):
        cells = [cell for cell in document.cells if cell.session_mode is mode and cell.fault]
        known = [rows for cell in cells if cell.damage is not None and (rows := _rows(cell.damage)) is not None]
        wrong_cells = sum(not cell.as_expected for cell in cells)
        missing, duplicate, wrong = map(sum, zip(*known, strict=True)) if known else (UNKNOWN,) * 3
        unknown = f", unknown under {len(cells) - len(known)}" if len(known) < len(cells) else ""
        stated.append(
            f"{mode}: under {number_of(len(cells), 'fault')}, ledger rows missing {missing}, twice {duplicate}, "
            f"wrong {wrong}{unknown}; {f'{wrong_cells} NOT AS EXPECTED' if wrong_cells else 'as expected'}"
        )
    return stated


def rows_text(damage: Damage) -> str:
    """`1/0/0`: ledger rows that are missing, twice there and wrong; question marks if that is not known."""
    return "/".join(map(str, _rows(damage) or (UNKNOWN,) * 3))


def tools_text(damage: Damage) -> str:
    """`2 of 2`: how many tools failed; a question mark if that is not known."""
    return " of ".join(UNKNOWN if count is None else str(count) for count in (damage.failed_tools, damage.tools))


def _rows(damage: Damage) -> tuple[int, int, int] | None:
    if damage.missing is None or damage.duplicate is None or damage.wrong is None:
        return None
    return damage.missing, damage.duplicate, damage.wrong


def _square(document: RunDocument, scenario: str, mode: SessionMode) -> tuple[Label, ...]:
    cells = [cell for cell in document.cells if cell.scenario == scenario and cell.session_mode is mode]
    gaps = [gap for gap in document.not_verified if gap.scenario == scenario and gap.session_mode in {None, mode}]
    labels = _labels(cells)
    if gaps:
        labels = (*labels, Label(outcome=Outcome.NOT_VERIFIED))
    return labels or (Label(outcome=Outcome.ABSENT),)


def _labels(cells: Sequence[CellDocument]) -> tuple[Label, ...]:
    """What is bad, out of all; only if nothing is, what is good, each kind out of its own."""
    counts = Counter(Outcome.of(cell) for cell in cells)
    bad = [Label(outcome=kind, count=counts[kind], of=len(cells)) for kind in Outcome if counts[kind] and not kind.good]
    good = [Label(outcome=kind, count=counts[kind], of=counts[kind]) for kind in Outcome if counts[kind] and kind.good]
    return tuple(bad or good)


def headline(document: RunDocument) -> list[str]:
    """One sentence per mode of the matrix, the repaired form first: `per_operation: 64 of 64 cells passed`."""
    ordered = sorted(modes(document), key=lambda mode: mode is not SessionMode.PER_OPERATION)
    cells = {mode: [cell for cell in _ordinary(document) if cell.session_mode is mode] for mode in ordered}
    return [_sentence(mode, cells[mode]) for mode in ordered if cells[mode]]


def _sentence(mode: SessionMode, cells: Sequence[CellDocument]) -> str:
    outcomes = Counter(Outcome.of(cell) for cell in cells)
    buggy = sum(cell.expected == "reproduced" for cell in cells)
    clean = len(cells) - buggy
    parts = []
    if buggy:
        expected = ", as expected" if outcomes[Outcome.REPRODUCED] == buggy else ""
        parts.append(f"bug reproduced in {outcomes[Outcome.REPRODUCED]} of {buggy}{expected}")
    if clean:
        parts.append(f"{outcomes[Outcome.PASSED]} of {number_of(clean, 'clean cell' if buggy else 'cell')} passed")
    parts += [f"{outcomes[bad]} {bad}" for bad in (Outcome.FAILED, Outcome.UNKNOWN) if outcomes[bad]]
    return f"{mode}: {'; '.join(parts)}"


def conclusion(document: RunDocument) -> str:
    """The last word, in one line."""
    total, wrong = len(document.cells), len(_wrong(document))
    size = f"{number_of(document.turns, 'turn')}, {document.seconds:.1f} s"
    if not total:
        return f"UNKNOWN: nothing was verified ({size})"
    if document.verdict is Verdict.PASSED:
        return f"AS EXPECTED: {total} of {number_of(total, 'cell')}, {size}"
    if document.verdict is Verdict.FAILED:
        return f"NOT AS EXPECTED: {wrong} of {number_of(total, 'cell')}, {size}"
    return f"UNKNOWN: evidence is missing, {total - wrong} of {number_of(total, 'cell')} as expected, {size}"


def scope(document: RunDocument) -> str:
    """What was run: scenarios, cells and turns."""
    scenarios = len({cell.scenario for cell in document.cells})
    return (
        f"{number_of(document.turns, 'turn')} in {number_of(len(document.cells), 'cell')} "
        f"of {number_of(scenarios, 'scenario')}, {document.seconds:.1f} s"
    )


def costs(document: RunDocument) -> Iterator[str]:
    """What the model requests have cost, if the run has a budget."""
    if (stated := document.costs) is not None:
        unknown = (
            f", and {stated.reserved:f} more at most, for those whose cost is not known" if stated.reserved else ""
        )
        yield f"model requests have cost {stated.spent:f} US dollars{unknown}; the budget is {stated.limit:f}"


def server(document: RunDocument) -> str:
    """Which PostgreSQL was used, and why that one."""
    postgres = document.environment.postgres
    if postgres is None:
        return "no PostgreSQL server was started"
    why = f": {postgres.reason}" if postgres.reason else ""
    return f"PostgreSQL {postgres.version.removeprefix('PostgreSQL ')}, {postgres.kind}{why}"


def surprises(document: RunDocument) -> list[Surprise]:
    """The cells that are not as expected, alike ones together; failures before those that could not be decided."""
    alike: dict[object, list[CellDocument]] = {}
    for cell in _wrong(document):
        kinds = tuple(group.first.kind for group in reasons(cell))
        key = (cell.scenario, cell.session_mode, Outcome.of(cell), cell.expected, kinds)
        alike.setdefault(key, []).append(cell)
    found = [Surprise(cell=first, others=tuple(others)) for first, *others in alike.values()]
    return sorted(found, key=lambda surprise: Outcome.of(surprise.cell) is Outcome.UNKNOWN)


def _wrong(document: RunDocument) -> list[CellDocument]:
    return [cell for cell in document.cells if not cell.as_expected]


def reasons(cell: CellDocument) -> list[Group]:
    """The findings that make a cell not as expected, by kind; all of them if it is not known which."""
    unexpected = [finding for finding in cell.findings if finding.unexpected] or list(cell.findings)
    counts = Counter(finding.kind for finding in unexpected)
    first = {finding.kind: finding for finding in reversed(unexpected)}
    return [Group(first=first[kind], count=count) for kind, count in counts.items()]


def objections(cell: CellDocument) -> list[str]:
    """The objections to a cell that its `reasons` do not already say."""
    said = {f"unexpected finding {group.first.kind.value!r}" for group in reasons(cell)}
    return [objection for objection in cell.objections if objection not in said]


def examples(document: RunDocument) -> list[Example]:
    """One example of each kind of finding that was expected and seen, most frequent first."""
    reproduced = [cell for cell in document.cells if Outcome.of(cell) is Outcome.REPRODUCED]
    found: dict[FindingKind, Example] = {}
    counts = Counter(kind for cell in reproduced for kind in {finding.kind for finding in cell.findings})
    for cell in reproduced:
        for finding in cell.findings:
            example = Example(kind=finding.kind, finding=finding, cell=cell, cells=counts[finding.kind])
            found.setdefault(finding.kind, example)
    return sorted(found.values(), key=lambda example: (-example.cells, example.kind))


def gaps(document: RunDocument) -> list[NotVerifiedDocument]:
    """What was not verified, by scenario."""
    return sorted(document.not_verified, key=lambda gap: (gap.scenario, gap.session_mode or ""))


def problems(document: RunDocument) -> list[str]:
    """What kept the run from deciding, each on one line."""
    return [in_one_line(problem) for problem in document.problems]


def in_one_line(problem: str) -> str:
    """A problem on one line: what stands before the first stack, and the last line if that is none of a stack's."""
    lines = [line for line in problem.splitlines() if line.strip()] or ["no reason was given"]
    before = list(takewhile(lambda line: not _STACK.match(line), lines))[:_HEAD] or lines[:1]
    last = [] if lines[-1].startswith((" ", "\t")) or _STACK.match(lines[-1]) else lines[-1:]
    return " ... ".join(dict.fromkeys(line.strip() for line in [*before, *last]))


_FAKES = {ModelTier.SCRIPTED, ModelTier.WIRE}
_STACK = re.compile(r'\s*(Traceback \(|File "|Thread 0x|Current thread 0x|Timeout \()')
"""How a line begins that is a stack's, of Python or of its fault handler."""
_HEAD = 3


def limits(document: RunDocument) -> list[str]:
    """What the run does not prove, whatever its verdict."""
    tiers = {cell.tier for cell in document.cells}
    stated = [
        "Only the interleavings that ran were judged: another schedule can still show another race.",
        "Only the tools and paths that the scenarios call were looked at; the rest of the backend was not.",
        "Latencies are scripted. Ratios were compared; absolute times say nothing about production.",
        "One process, one event loop, one server: no replicas, no poolers in between, no failovers.",
    ]
    if tiers <= _FAKES:
        stated.append("No real model answered: which tools a model calls together, and how often, was not measured.")
    elif tiers <= {*_FAKES, ModelTier.RECORDED}:
        stated.append(
            "No real model answered: what one once called was played again, and may be called otherwise today."
        )
    return stated
