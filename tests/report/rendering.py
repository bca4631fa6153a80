"""What is printed on a terminal, as text."""

import io

from rich.console import Console

from harness.report.bench_document import BenchDocument
from harness.report.bench_terminal import show_bench

__all__ = ["render_bench"]


def render_bench(document: BenchDocument, *, width: int = 120) -> str:
    """The report of a benchmark, without colours."""
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        show_bench(document, console)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"
