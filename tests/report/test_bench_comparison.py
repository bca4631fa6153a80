"""What a comparison with a baseline says: both intervals, its conclusion, and what a regression was spent on."""

import io

from inline_snapshot import snapshot
from rich.console import Console

from harness.report import bench_comparison as changes
from harness.report.bench_document import GrownDocument
from harness.report.bench_terminal import show_comparison
from tests.report import bench_documents


def test_a_comparison_has_both_intervals_and_what_a_regression_was_spent_on() -> None:
    """The last line says what it amounts to."""
    console = Console(file=io.StringIO(), width=120, color_system=None)
    with console.capture() as capture:
        show_comparison(bench_documents.comparison(), console)

    assert "\n".join(line.rstrip() for line in capture.get().splitlines()) == snapshot("""\

against the baseline                       before                   now                growth  is
────────────────────────────────────────────────────────────────────────────────────────────────────────
headline: shared      ratio  1.000 [0.990, 1.010]  1.300 [1.280, 1.320]  1.300 [1.270, 1.330]  WORSE
headline: durable     ratio  1.000 [0.990, 1.010]  1.300 [1.280, 1.320]  1.080 [1.000, 1.160]  UNDECIDED
headline: sequential  ratio  1.000 [0.990, 1.010]  1.300 [1.280, 1.320]                     -  UNDECIDED
headline: locked      ratio  1.000 [0.990, 1.010]  1.300 [1.280, 1.320]  1.000 [0.980, 1.020]  not worse
headline: deferred    ratio  1.000 [0.990, 1.010]  1.300 [1.280, 1.320]  1.080 [0.900, 1.260]  undecided
WORSE: headline, shared, ratio: 1.000 [0.990, 1.010] to 1.300 [1.280, 1.320]; in serial +62.1 ms [55.0, 70.0], pool +2.0
ms [1.2, 2.8]
UNDECIDED: ratio of headline (durable, sequential): the interval lies on both sides of the gate
the baseline is of another machine (another; this is a machine)
what is undecided in small letters was measured less closely, and leaves nothing else undecided
WORSE: looked for a growth of ratios by 1.1 times or more\
""")


def test_parts_that_only_their_means_are_known_of_are_said_to_be_undecided() -> None:
    """An earlier baseline does not have those of each repetition; of a mean nobody knows whether chance made it."""
    worse = bench_documents.comparison().changes[0]
    means = {"serial": GrownDocument(seconds=0.0621), "loop": GrownDocument(seconds=-0.001)}
    chance = {"serial": GrownDocument(seconds=0.0621, low=-0.01, high=0.13)}

    assert changes.regression(worse.model_copy(update={"spent": means})).endswith(
        "; in serial +62.1 ms (means, and not decided: one of the runs does not have the parts of each repetition)"
    )
    tiny = {"work": GrownDocument(seconds=1e-9, low=1e-10, high=1e-8)}
    for nothing in (chance, tiny):
        said = changes.regression(worse.model_copy(update={"spent": nothing}))
        assert said.endswith("; no part of it grew beyond doubt")
    assert changes.regression(worse.model_copy(update={"spent": {}})).endswith(" to 1.300 [1.280, 1.320]")
