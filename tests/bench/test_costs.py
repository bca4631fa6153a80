"""The harness's own costs, all of them: which there are, and how long each may take."""

from harness.bench.cost import Ground
from harness.bench.costs import costs


async def test_all_costs_by_name(ground: Ground) -> None:
    """The quick form ends in time, without containers; the full one is longer, and closer."""
    quick, full = costs(ground), costs(ground, full=True)

    assert [each.name for each in quick] == [
        "turn",
        "database",
        "database given back",
        "database for a module",
        "embedded server",
        "server in a container",
        "verify cell",
    ]
    changing = [index for index, each in enumerate(quick) if each.limits is not full[index].limits]
    assert changing == [0, 1, 2, 4, 6]
    assert sum(quick[index].limits.seconds for index in changing) <= 65
    assert all(full[index].limits.half_width < quick[index].limits.half_width for index in changing)
