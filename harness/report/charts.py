"""Charts of a benchmark as SVG files, drawn from its document alone.

Guarantee: one for each case (ratios, and parts where there are some), each curve, each set of pools, each cost, and one
for a comparison. Their names are made of letters, digits, `-` and `_`, and differ whatever the names in the document
are, also where upper and lower case are the same. If the measurement did not come to its end, each of what was measured
says so.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from harness.report import bench_digest as digest
from harness.report import bench_words as wording
from harness.report.bench_document import BenchDocument, ComparisonDocument
from harness.report.chart_bars import comparison_chart, cost_chart, parts_chart, ratio_chart
from harness.report.chart_lines import curve_chart, pools_chart

__all__ = ["charts"]

_NAME_LIMIT = 60


def charts(document: BenchDocument, comparison: ComparisonDocument | None = None) -> Mapping[str, str]:
    """The SVG text of each chart by its name, in the order in which they are to be shown."""
    made: dict[str, str] = {}
    for wanted, draw in _wanted(document, comparison):
        name, number = wanted, 2
        while name in made:
            name, number = f"{wanted}-{number}", number + 1
        made[name] = draw(f"sp-{name}")
    return made


def _wanted(
    document: BenchDocument, comparison: ComparisonDocument | None
) -> Iterator[tuple[str, Callable[[str], str]]]:
    unfinished = digest.unfinished(document)
    notes = (unfinished,) if unfinished else ()
    if comparison is not None:
        yield "comparison", partial(comparison_chart, comparison=comparison)
    for case in document.cases:
        yield _name("ratio", case.name), partial(ratio_chart, case=case, notes=notes)
        if wording.part_names(case):
            yield _name("parts", case.name), partial(parts_chart, case=case, notes=notes)
    for pools in document.pools:
        yield _name("pools", pools.case.name), partial(pools_chart, pools=pools, notes=notes)
    for curve in document.curves:
        yield _name("curve", curve.name), partial(curve_chart, curve=curve, notes=notes)
    for cost in document.costs:
        yield _name("cost", cost.name), partial(cost_chart, cost=cost, notes=notes)


def _name(kind: str, name: str) -> str:
    """A name that every file system takes, and that is an id."""
    plain = re.sub(r"[^a-z0-9_]+", "-", name[:1000].lower()).strip("-")[:_NAME_LIMIT]
    return f"{kind}-{plain or 'unnamed'}"
