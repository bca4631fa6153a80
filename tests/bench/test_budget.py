"""A run ends in the time that it may take, whatever its machine is like."""

from harness.bench.budget import Budget
from harness.bench.interleave import Limits

LONG, SHORT = Limits(seconds=60.0), Limits(seconds=20.0)


class Clock:
    """It moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_everybody_has_its_own_limit_where_the_time_is_enough() -> None:
    """And no more than that."""
    budget = Budget(seconds=500.0, clock=Clock())
    budget.announce([LONG, SHORT, SHORT])

    assert [budget.share(each).seconds for each in (LONG, SHORT, SHORT)] == [60.0, 20.0, 20.0]


def test_what_is_short_is_shared_out_in_proportion() -> None:
    """Whoever uses all of it takes nothing from those who come later, and whoever does not leaves it to them."""
    clock = Clock()
    budget = Budget(seconds=50.0, clock=clock)
    budget.announce([LONG, SHORT, SHORT])

    first = budget.share(LONG)
    assert first == Limits(seconds=30.0)
    clock.now += first.seconds
    assert budget.share(SHORT).seconds == 10.0
    clock.now += 1.0
    assert budget.share(SHORT).seconds == 19.0


def test_what_does_not_come_leaves_its_time_to_the_others() -> None:
    """As if it had not been announced."""
    budget = Budget(seconds=40.0, clock=Clock())
    budget.announce([LONG, SHORT, SHORT])
    budget.give_up(LONG)

    assert budget.share(SHORT).seconds == 20.0


def test_nothing_begins_when_the_time_is_up() -> None:
    """Also if somebody took longer than their share."""
    clock = Clock()
    budget = Budget(seconds=40.0, clock=clock)
    budget.announce([LONG, SHORT])
    budget.share(LONG)
    clock.now += 41.0

    assert budget.share(SHORT).seconds == 0.0
