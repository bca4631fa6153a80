"""What `sessionproof bench` measures, as benchmarks of pytest-benchmark: only run where those are asked for."""

from harness.pytest_plugin import MeasureArm, benchmarks


@benchmarks("headline")
def test_headline(measure_arm: MeasureArm, group: str, arm: str) -> None:
    """What two tools gain by running together, and what each repair costs."""
    measure_arm(group, arm)


@benchmarks("latency")
def test_latency(measure_arm: MeasureArm, group: str, arm: str) -> None:
    """The same with tools that wait for a provider."""
    measure_arm(group, arm)


@benchmarks("pools")
def test_pools(measure_arm: MeasureArm, group: str, arm: str) -> None:
    """How small the pool may be; the sizes for one load are a group."""
    measure_arm(group, arm)


@benchmarks("curves")
def test_curves(measure_arm: MeasureArm, group: str, arm: str) -> None:
    """How turns grow with their tools and their number; the modes of one point are a group."""
    measure_arm(group, arm)
