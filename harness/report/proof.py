"""What two runs prove together: the bug shows before, and not after.

Problem: a repair is believed if the test fails without it and passes with it; and then the test may have failed for
another reason, may have looked at less the second time, or the repair may have broken something else.

Mechanism: `harness.report.showing` says of each cell whether the bug shows. Cells are brought together by scenario,
pool state and tier; the session mode may differ, because a backend may declare another one once it is repaired.
Findings are the same if their kind is, and the function in which they are.

Guarantee, by definition: proved is that the bug shows in at least one cell before; that each cell in which it does was
run after; that no cell after has it, or a symptom of it; that each cell after could be decided; and that no cell after
has a kind of finding that it did not have before. What is missing for that makes it unknown; what speaks against it
makes it fail, and that weighs more.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from harness.plurals import any_of, number_of, part_of
from harness.report import digest
from harness.report.document import CellDocument, FindingDocument, RunDocument
from harness.report.places import Roots, innermost, places_of
from harness.report.proof_document import (
    ProofDocument,
    RevisionDocument,
    ShownCellDocument,
    SideDocument,
    TraceDocument,
)
from harness.report.redact import masked
from harness.report.selection import cell_name
from harness.report.showing import WITNESSES, Showing, counted, showing, showing_of_run
from harness.scenario import ModelTier, PoolState
from harness.verdict import FindingKind, Verdict, merge

__all__ = ["Side", "alike", "make_proof", "side_of", "traces_of", "why_unknown"]

_Place: TypeAlias = tuple[str, PoolState, ModelTier]
_Key: TypeAlias = tuple[FindingKind, str]
_Reason: TypeAlias = tuple[Verdict, str]
_SHOWN = 5
_SWAPPED = "it shows after, so that --before and --after look swapped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One revision with its run; `run` is the place of the run's document, `notes` what its checkout lacks.

    `root` is the top of its checkout, where that is known: no place is told with it, and the caller may have stood in a
    folder below.
    """

    revision: RevisionDocument
    backend: str
    document: RunDocument
    run: str
    notes: tuple[str, ...] = ()
    root: str = ""
    hint: str = ""
    """What may be the reason if the bug does not show in it."""


def make_proof(
    before: Side,
    after: Side,
    *,
    bug: frozenset[FindingKind] = WITNESSES,
    started_at: datetime,
    seconds: float,
    command: str,
    adapter: str,
) -> ProofDocument:
    """What the two runs prove."""
    reasons = list(_reasons(before, after, bug))
    old, new = (traces_of(side.document, root=side.root) for side in (before, after))
    proof = ProofDocument(
        verdict=merge([Verdict.PASSED, *(verdict for verdict, _ in reasons)]),
        started_at=started_at,
        seconds=seconds,
        command=command,
        backend=after.document.environment.backend,
        adapter=adapter,
        bug=tuple(sorted(bug)),
        before=side_of(before, bug),
        after=side_of(after, bug),
        reasons=tuple(sentence for _, sentence in reasons),
        vanished=tuple(trace for key, trace in old.items() if key not in new),
        appeared=tuple(trace for key, trace in new.items() if key not in old),
        remaining=tuple(trace for key, trace in new.items() if key in old),
        limits=tuple(digest.limits(after.document)),
    )
    return masked(proof, lambda text: _below(_below(text, before.root), after.root))


def _below(text: str, root: str) -> str:
    """The text with paths below the root as they are from there: the folder is gone when somebody reads it."""
    return text.replace(f"{root}{os.sep}", "").replace(root, ".") if root else text


def side_of(side: Side, bug: frozenset[FindingKind]) -> SideDocument:
    """What is told of one revision."""
    return SideDocument(
        revision=side.revision,
        showing=showing_of_run(side.document, bug),
        backend=side.backend,
        run=side.run,
        cells=tuple(_shown(cell, bug) for cell in side.document.cells),
        not_verified=side.document.not_verified,
        problems=side.document.problems,
        notes=side.notes,
    )


def _shown(cell: CellDocument, bug: frozenset[FindingKind]) -> ShownCellDocument:
    return ShownCellDocument(
        scenario=cell.scenario,
        session_mode=cell.session_mode,
        pool_state=cell.pool_state,
        tier=cell.tier,
        showing=showing(cell, bug),
        kinds=tuple(sorted(_kinds(cell))),
    )


def _reasons(before: Side, after: Side, bug: frozenset[FindingKind]) -> Iterator[_Reason]:
    """Why it is not proved, each with what it makes of the verdict."""
    seen = tuple(showing_of_run(side.document, bug) for side in (before, after))
    swapped = seen == (Showing.CLEAR, Showing.SHOWS)
    yield from _of_before(replace(before, hint=_SWAPPED) if swapped else before, bug)
    yield from _of_after(after, bug)
    old = {_place(cell): cell for cell in before.document.cells}
    new = {_place(cell): cell for cell in after.document.cells}
    shown = [cell for cell in old.values() if showing(cell, bug) is Showing.SHOWS]
    if lacking := [cell_name(cell) for cell in shown if _place(cell) not in new]:
        yield Verdict.UNKNOWN, f"not run after, where the bug shows before: {_listed(lacking)}"
    others = [cell for cell in new.values() if showing(cell, bug) in {Showing.CLEAR, Showing.UNKNOWN}]
    found = [(cell, _kinds(cell) - _kinds(old.get(_place(cell)))) for cell in others]
    if broken := alike((cell_name(cell), ", ".join(sorted(kinds))) for cell, kinds in found if kinds):
        yield Verdict.FAILED, f"something else is wrong after, and was not before: {_listed(broken)}"


def _of_before(side: Side, bug: frozenset[FindingKind]) -> Iterator[_Reason]:
    name = side.revision.short
    seen = showing_of_run(side.document, bug)
    hint = f"; {side.hint}" if side.hint else ""
    if seen is Showing.CLEAR:
        yield (
            Verdict.FAILED,
            f"the bug does not show before, at {name}, in {any_of(len(side.document.cells), 'cell')}{hint}",
        )
    elif seen is Showing.SYMPTOMS:
        kinds = sorted(set().union(*map(_kinds, side.document.cells)))
        said = f"before, at {name}, are symptoms ({', '.join(kinds)}), and nothing that only sharing gives"
        yield Verdict.UNKNOWN, f"{said}: if they are the bug, say so by --finding{hint}"
    elif seen is Showing.UNKNOWN:
        yield (
            Verdict.UNKNOWN,
            f"whether the bug shows before, at {name}, is not known: {why_unknown(side.document, bug)}",
        )


def _of_after(side: Side, bug: frozenset[FindingKind]) -> Iterator[_Reason]:
    name, cells = side.revision.short, side.document.cells
    shown = [cell_name(cell) for cell in cells if showing(cell, bug) is Showing.SHOWS]
    symptoms = [cell for cell in cells if showing(cell, bug) is Showing.SYMPTOMS]
    if shown:
        yield (
            Verdict.FAILED,
            f"the bug shows after, at {name}, in {part_of(len(shown), len(cells), 'cell')}: {_listed(shown)}",
        )
    if symptoms:
        told = alike((cell_name(cell), ", ".join(sorted(_kinds(cell)))) for cell in symptoms)
        yield Verdict.FAILED, f"after, at {name}, there are symptoms of the bug: {_listed(told)}"
    undecided = [cell for cell in cells if showing(cell, bug) is Showing.UNKNOWN]
    if undecided or not cells or side.document.problems:
        why = why_unknown(side.document, bug)
        yield Verdict.UNKNOWN, f"whether the bug is gone after, at {name}, is not known: {why}"


def why_unknown(document: RunDocument, bug: frozenset[FindingKind]) -> str:
    """What kept a run from answering, in a sentence."""
    undecided = [cell for cell in document.cells if showing(cell, bug) is Showing.UNKNOWN]
    said = [digest.in_one_line(problem) for problem in document.problems]
    said += alike((cell_name(cell), "; ".join(cell.objections) or "no check could decide") for cell in undecided)
    if not document.cells:
        said += dict.fromkeys(gap.reason for gap in document.not_verified) or ["nothing was verified"]
    return _listed(said)


def alike(told: Iterable[tuple[str, str]]) -> list[str]:
    """What is told of cells, given with their names: each once, with how many cells it is told of."""
    cells: dict[str, list[str]] = {}
    for name, what in told:
        cells.setdefault(what, []).append(name)
    return [f"{what} ({names[0]}{_others(len(names) - 1)})" for what, names in cells.items()]


def _others(count: int) -> str:
    return f" and {number_of(count, 'more cell')}" if count else ""


def _place(cell: CellDocument) -> _Place:
    return cell.scenario, cell.pool_state, cell.tier


def _kinds(cell: CellDocument | None) -> set[FindingKind]:
    return {finding.kind for finding in counted(cell)} if cell is not None else set()


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return f"{'; '.join(words[:_SHOWN])}{more}"


def traces_of(document: RunDocument, *, root: str = "") -> dict[_Key, TraceDocument]:
    """The findings of a run that count, by their kind and the function in which they are; the most frequent first.

    Places are relative to `root`, or else to the folder of the run.
    """
    roots = Roots.of(document.environment, root=root)
    found: dict[_Key, TraceDocument] = {}
    for cell in document.cells:
        for key, trace in _of_cell(counted(cell), roots).items():
            known = found.get(key)
            cells = known.cells + 1 if known is not None else 1
            found[key] = (known or trace).model_copy(update={"cells": cells})
    return dict(sorted(found.items(), key=lambda item: (-item[1].cells, item[0])))


def _of_cell(findings: Iterable[FindingDocument], roots: Roots) -> dict[_Key, TraceDocument]:
    found: dict[_Key, TraceDocument] = {}
    for finding in findings:
        place = innermost(places_of(finding.stack), roots)
        function = f"{roots.stable(place.file)} {place.function}" if place is not None else ""
        shown = f"{roots.relative(place.file) or place.file}:{place.line} in {place.function}" if place else ""
        trace = TraceDocument(kind=finding.kind, place=shown, cells=1, message=finding.message)
        found.setdefault((finding.kind, function), trace)
    return found
