"""What a turn's seconds were spent on: each piece once, and all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bench.parts import Part, Spent, longest_work, spent_on
from harness.errors import MissingEvidence
from harness.evidence import (
    Evidence,
    Interval,
    LoopStall,
    PlannedCall,
    PoolEvent,
    PoolEventKind,
    PoolWait,
    Record,
    SpanRecord,
    Statement,
    ToolOutcome,
    ToolRun,
    Turn,
)

TABLE = "llm_requests"


def turn(seconds: float, *works: float, rounds: Sequence[int] = ()) -> Turn:
    """A turn from 0 with a tool for each planned work, all in one round unless said otherwise."""
    planned = tuple(
        PlannedCall(tool_call_id=f"c{number}", tool="t", role="read", round=round_, database_seconds=work)
        for number, (work, round_) in enumerate(zip(works, rounds or [0] * len(works), strict=True))
    )
    return Turn(
        id="t1",
        tenant="a",
        agent="b",
        message="m",
        interval=Interval(start=0.0, end=seconds),
        planned=planned,
        planned_responses=1,
    )


def work(start: float, end: float, *, of: str = "t1", by: int = 0, on: int | None = None) -> Statement:
    """Each call's is on a connection of its own, unless said otherwise."""
    connection = by if on is None else on
    return replace(
        statement(start, end, of=of, injected=True, tool_call_id=f"c{by}", sql="SELECT pg_sleep"), connection=connection
    )


def statement(
    start: float,
    end: float,
    *,
    of: str = "t1",
    injected: bool = False,
    tool_call_id: str | None = None,
    sql: str = "SELECT 1",
) -> Statement:
    return Statement(
        sql=sql,
        interval=Interval(start=start, end=end),
        connection=1,
        backend_pid=1,
        turn=of,
        tool_call_id=tool_call_id,
        task="task",
        injected=injected,
    )


def tool(start: float, end: float, *, by: int = 0) -> ToolRun:
    interval = Interval(start=start, end=end)
    return ToolRun(
        tool="t", tool_call_id=f"c{by}", turn="t1", task="t", interval=interval, outcome=ToolOutcome.RETURNED
    )


def model(start: float, end: float) -> SpanRecord:
    return SpanRecord(
        name="chat",
        interval=Interval(start=start, end=end),
        trace_id="1",
        span_id="1",
        parent_id=None,
        error=False,
        attributes={"gen_ai.operation.name": "chat"},
        turn="t1",
    )


def wait(start: float, end: float, *, by: int = 0) -> PoolWait:
    return PoolWait(interval=Interval(start=start, end=end), turn="t1", tool_call_id=f"c{by}")


def pooled(kind: PoolEventKind, at: float) -> PoolEvent:
    return PoolEvent(kind=kind, connection=1, backend_pid=1, at=at, turn="t1", tool_call_id=None, task="t")


def stall(start: float, end: float) -> LoopStall:
    return LoopStall(interval=Interval(start=start, end=end), stack=("f",), samples=10, share=1.0)


def seen(
    *,
    statements: Sequence[Statement] = (),
    tools: Sequence[ToolRun] = (),
    spans: Sequence[SpanRecord] = (),
    waits: Sequence[PoolWait] = (),
    pool: Sequence[PoolEvent] = (),
    stalls: Sequence[LoopStall] = (),
) -> Evidence:
    return Evidence(
        statements=Record.of("statements", tuple(statements)),
        tools=Record.of("tools", tuple(tools)),
        spans=Record.of("spans", tuple(spans)),
        waits=Record.of("waits", tuple(waits)),
        pool=Record.of("pool", tuple(pool)),
        stalls=Record.of("stalls", tuple(stalls)),
    )


def spent(turn_: Turn, evidence: Evidence) -> Spent:
    return spent_on(turn_, evidence, ledger_table=TABLE)


def rounded(seconds_of: Mapping[Part, float]) -> dict[str, float]:
    """The parts that are not nothing, to the nanosecond."""
    return {str(part): round(seconds, 9) for part, seconds in seconds_of.items() if seconds > 1e-9}


def shares(turn_: Turn, evidence: Evidence) -> dict[str, float]:
    return rounded(spent(turn_, evidence).parts)


def test_an_ordinary_turn() -> None:
    """Two tools side by side, between two requests to the model, and a bill at the end."""
    evidence = seen(
        spans=[model(0.1, 0.2), model(2.9, 3.0)],
        tools=[tool(0.2, 2.8), tool(0.2, 2.9)],
        waits=[wait(0.25, 0.3)],
        statements=[
            work(0.3, 2.7, by=0),
            work(0.3, 2.7, by=1),
            statement(2.7, 2.75, tool_call_id="c0"),
            statement(3.1, 3.2, sql=f"INSERT INTO {TABLE} VALUES ($1)"),
        ],
        pool=[pooled(PoolEventKind.CHECKOUT, 3.05), pooled(PoolEventKind.CHECKIN, 3.3)],
    )

    assert shares(turn(3.5, 2.4, 2.4), evidence) == {
        "work": 2.4,
        "pool": 0.05,
        "sessions": 0.25,
        "model": 0.2,
        "ledger": 0.25,
        "application": 0.35,
    }


@pytest.mark.parametrize(
    "statements",
    [[work(0.0, 2.4), work(2.4, 4.8, by=1, on=0)], [work(0.0, 2.4), work(0.0, 4.8, by=1, on=0)]],
    ids=["one by one", "behind the driver's lock"],
)
def test_tools_that_wait_for_each_other(statements: list[Statement]) -> None:
    """Whether or not the second one's statement has begun: what goes beyond the longest tool was not side by side."""
    serial = spent(turn(5.0, 2.4, 2.4), seen(statements=statements))

    assert rounded(serial.parts) == {"work": 2.4, "serial": 2.4, "application": 0.2}
    assert rounded(serial.lost) == {"serial": 2.4}
    assert serial.gained == pytest.approx(0.0)


def test_a_tool_that_waits_for_the_connection_of_another_waits_for_the_pool() -> None:
    """Though the other one works meanwhile."""
    evidence = seen(
        tools=[tool(0.0, 1.1), tool(0.0, 2.2)],
        waits=[wait(0.0, 0.1, by=0), wait(0.0, 1.1, by=1)],
        statements=[work(0.1, 1.1, by=0), work(1.2, 2.2, by=1, on=0)],
    )

    small = spent(turn(2.2, 1.0, 1.0), evidence)

    assert rounded(small.parts) == {"work": 1.0, "pool": 1.1, "sessions": 0.1}
    assert rounded(small.lost) == {"pool": 1.0}
    assert small.gained == pytest.approx(0.0)
    assert small.fixed == pytest.approx(2.0)


def test_a_tool_that_is_only_late_loses_what_it_is_late_by_to_its_own_sessions() -> None:
    """It works beside the other one then, and waited for nobody: that is no loss of working side by side."""
    evidence = seen(tools=[tool(0.0, 1.2)], statements=[work(0.0, 1.0, by=0), work(0.2, 1.2, by=1)])

    late = spent(turn(1.2, 1.0, 1.0), evidence)

    assert rounded(late.parts) == {"work": 1.0, "sessions": 0.2}
    assert (rounded(late.lost), late.gained) == ({}, 1.0)
    assert late.fixed == pytest.approx(1.0)


def test_a_tool_that_is_late_because_its_connection_is_opened_waits_for_nobody() -> None:
    """As on a pool that keeps none: it works beside the other one, though it waited for a connection meanwhile."""
    evidence = seen(
        tools=[tool(0.0, 1.2), tool(0.0, 1.2, by=1)],
        waits=[wait(0.0, 0.2, by=1)],
        statements=[work(0.0, 1.0, by=0), work(0.2, 1.2, by=1)],
    )

    late = spent(turn(1.2, 1.0, 1.0), evidence)

    assert rounded(late.parts) == {"work": 1.0, "sessions": 0.2}
    assert (rounded(late.lost), late.gained) == ({}, 1.0)


def test_a_connection_does_one_work_after_the_other_whenever_their_ends_are_seen() -> None:
    """A loop held at the second one's end for longer than its statement waited makes it no earlier than that."""
    statements = [work(0.0, 1.0), work(0.0, 2.2, by=1, on=0)]

    queued = spent(turn(2.2, 1.0, 1.0), seen(statements=statements, stalls=[stall(1.2, 2.2)]))

    assert rounded(queued.parts) == {"work": 1.0, "serial": 1.0, "loop": 0.2}
    assert rounded(queued.lost) == {"serial": 1.0}
    assert queued.gained == pytest.approx(0.0)


def test_another_turn_s_work_on_a_connection_comes_first_too() -> None:
    """Connections go from turn to turn."""
    statements = [work(0.0, 1.0, of="t2"), work(0.0, 2.2, by=1, on=0)]

    assert shares(turn(2.2, 0.0, 1.0), seen(statements=statements, stalls=[stall(1.2, 2.2)])) == {
        "work": 1.0,
        "loop": 0.2,
        "application": 1.0,
    }


def test_what_a_statement_takes_beyond_its_planned_work_is_the_sessions() -> None:
    """The BEGIN before it goes with it to the server."""
    evidence = seen(tools=[tool(0.0, 1.1)], statements=[work(0.0, 1.1)])

    assert shares(turn(1.1, 1.0), evidence) == {"work": 1.0, "sessions": 0.1}


def test_what_two_tools_can_gain_is_what_the_shorter_ones_take() -> None:
    """Half of it, if one of three waits for another; nothing can be gained by one tool."""
    half = seen(statements=[work(0.0, 1.0, by=0), work(1.0, 2.0, by=1), work(0.0, 1.0, by=2)])

    assert spent(turn(2.0, 1.0, 1.0, 1.0), half).gained == pytest.approx(0.5)
    assert spent(turn(2.5, 2.0), seen(statements=[work(0.0, 2.0)])).gained is None


def test_rounds_come_one_after_the_other_by_nature() -> None:
    """Each has its longest tool."""
    two_rounds = turn(3.0, 1.0, 0.5, 1.5, rounds=(0, 0, 1))

    assert longest_work(two_rounds) == 2.5
    assert shares(two_rounds, seen(statements=[work(0, 1), work(0, 0.5, by=1), work(1, 2.5, by=2)])) == {
        "work": 2.5,
        "application": 0.5,
    }


def test_a_held_loop_is_told_from_what_stands_around_it() -> None:
    """Whatever else goes on: in a tool, and in the application."""
    evidence = seen(tools=[tool(0.0, 2.0)], stalls=[stall(0.5, 1.5), stall(2.5, 3.0)])

    assert shares(turn(3.0), evidence) == {"sessions": 1.0, "loop": 1.5, "application": 0.5}


def test_a_loop_held_while_tools_work_costs_only_what_it_adds() -> None:
    """A statement that was answered meanwhile is taken note of late; held for no longer than that, nothing is lost."""
    late = seen(statements=[work(0.0, 3.4)], stalls=[stall(2.0, 3.4)])
    hidden = seen(statements=[work(0.0, 2.4)], stalls=[stall(1.0, 2.0)])

    assert shares(turn(3.5, 2.4), late) == {"work": 2.4, "loop": 1.0, "application": 0.1}
    assert shares(turn(3.5, 2.4), hidden) == {"work": 2.4, "application": 1.1}


def test_a_loop_that_is_held_in_a_tool_keeps_the_others_from_their_work() -> None:
    """Before the first of them works, or while it does."""
    stalls = [stall(0.0, 1.0), stall(1.0, 2.0)]
    evidence = seen(tools=[tool(0.0, 3.0)], statements=[work(1.0, 2.0), work(2.0, 3.0, by=1)], stalls=stalls)

    held = spent(turn(3.0, 1.0, 1.0), evidence)

    assert rounded(held.parts) == {"work": 1.0, "loop": 2.0}
    assert rounded(held.lost) == {"loop": 2.0}
    assert held.gained == 0.0


def test_a_loop_that_is_held_when_all_have_done_their_work_keeps_nobody() -> None:
    """It takes time, but side by side they were: also if another round is to come."""
    one_round = seen(
        tools=[tool(0.0, 1.5), tool(0.0, 1.5, by=1)],
        statements=[work(0.0, 1.0), work(0.0, 1.0, by=1)],
        stalls=[stall(1.0, 1.5)],
    )
    two_rounds = seen(
        tools=[tool(0.0, 1.5), tool(0.0, 1.5, by=1), tool(1.5, 2.0, by=2)],
        statements=[work(0.0, 1.0), work(0.0, 1.0, by=1), work(1.5, 2.0, by=2)],
        stalls=[stall(1.0, 1.5)],
    )

    for found in (
        spent(turn(1.5, 1.0, 1.0), one_round),
        spent(turn(2.0, 1.0, 1.0, 0.5, rounds=(0, 0, 1)), two_rounds),
    ):
        assert found.parts[Part.LOOP] == pytest.approx(0.5)
        assert (rounded(found.lost), found.gained) == ({}, 1.0)


def test_what_may_have_been_chance_holds_no_loop() -> None:
    """Few samples, or samples of several places: a busy processor looks like that."""
    unsure = [replace(stall(0.0, 1.0), samples=9), replace(stall(1.0, 2.0), share=0.7)]

    assert shares(turn(2.0), seen(tools=[tool(0.0, 2.0)], stalls=unsure)) == {"sessions": 2.0}


def test_a_write_that_is_put_off_is_its_tool_s() -> None:
    """It runs when that has ended; so is what the application asks itself; around both is its transaction."""
    evidence = seen(
        tools=[tool(0.0, 0.5)],
        spans=[model(0.5, 1.0)],
        statements=[
            statement(0.1, 0.2, tool_call_id="c0"),
            statement(1.2, 1.5, tool_call_id="c0", sql="INSERT"),
            statement(1.6, 1.7),
        ],
    )

    assert shares(turn(2.0), evidence) == {"sessions": 0.9, "model": 0.5, "application": 0.6}


def test_a_write_that_is_put_off_into_the_bill_s_transaction_is_its_tool_s() -> None:
    """The bill's begins when it has ended."""
    evidence = seen(
        tools=[tool(0.0, 0.5)],
        statements=[
            statement(1.0, 1.4, tool_call_id="c0", sql="INSERT"),
            statement(1.5, 1.6, sql=f"INSERT INTO {TABLE} VALUES ($1)"),
        ],
        pool=[pooled(PoolEventKind.CHECKOUT, 0.9), pooled(PoolEventKind.CHECKIN, 1.8)],
    )

    assert shares(turn(2.0), evidence) == {"sessions": 0.9, "ledger": 0.4, "application": 0.7}


def test_what_other_turns_do_is_theirs() -> None:
    """Turns at the same time have parts of their own."""
    evidence = seen(statements=[work(0.0, 1.0, of="t2"), statement(0.0, 1.0, of="t2", sql=TABLE)])

    assert shares(turn(1.0), evidence) == {"application": 1.0}


def test_a_bill_without_a_record_of_its_connection_is_its_statement() -> None:
    """As for a connection that was had before anybody looked."""
    bill = statement(0.5, 0.7, sql=f"INSERT INTO {TABLE} VALUES ($1)")

    assert shares(turn(1.0), seen(statements=[bill])) == {"ledger": 0.2, "application": 0.8}
    assert spent_on(turn(1.0), seen(statements=[bill]), ledger_table=None).parts[Part.LEDGER] == 0.0


def test_reading_the_ledger_is_no_bill() -> None:
    """It is a statement like any other of the application's own."""
    reading = statement(0.5, 0.7, sql=f"SELECT * FROM {TABLE}")

    assert shares(turn(1.0), seen(statements=[reading])) == {"sessions": 0.2, "application": 0.8}


def test_what_is_in_a_transaction_before_the_bill_s_is_the_session_s() -> None:
    """Also on the same connection: it was given back between them."""
    evidence = seen(
        statements=[statement(0.1, 0.5), statement(0.7, 0.8, sql=f"INSERT INTO {TABLE} VALUES ($1)")],
        pool=[
            pooled(PoolEventKind.CHECKOUT, 0.1),
            pooled(PoolEventKind.CHECKIN, 0.6),
            pooled(PoolEventKind.CHECKOUT, 0.6),
            pooled(PoolEventKind.CHECKIN, 0.9),
        ],
    )

    assert shares(turn(1.0), evidence) == {"sessions": 0.4, "ledger": 0.3, "application": 0.3}


def test_a_connection_of_the_whole_turn_is_the_ledger_s_only_around_the_row() -> None:
    """From the last tool or request before it to the next one after it."""
    evidence = seen(
        spans=[model(0.1, 0.3), model(0.8, 0.9)],
        tools=[tool(0.3, 0.5)],
        statements=[statement(0.6, 0.7, sql=f"INSERT INTO {TABLE} VALUES ($1)")],
        pool=[pooled(PoolEventKind.CHECKOUT, 0.0), pooled(PoolEventKind.CHECKIN, 1.0)],
    )

    assert shares(turn(1.0), evidence) == {"application": 0.2, "model": 0.3, "sessions": 0.2, "ledger": 0.3}


def test_without_a_record_nothing_is_said() -> None:
    """Rather than parts that lack one."""
    with pytest.raises(MissingEvidence, match="recorder 'waits'"):
        spent(turn(1.0), Evidence(stalls=Record.of("stalls", ()), statements=Record.of("statements", ())))


Make = Callable[[float, float], object]
moments = st.floats(min_value=-1.0, max_value=6.0, allow_nan=False)


def some(make: Make) -> st.SearchStrategy[list[object]]:
    return st.lists(st.tuples(moments, moments).map(lambda two: make(min(two), max(two))), max_size=4)


def sum_of(lists: tuple[list[object], ...]) -> list[object]:
    return [each for one in lists for each in one]


@given(
    works=st.lists(st.floats(min_value=0.0, max_value=3.0), max_size=3),
    evidence=st.builds(
        seen,
        statements=st.tuples(
            some(work),
            some(partial(work, by=1)),
            some(partial(work, by=1, on=0)),
            some(partial(statement, tool_call_id="c0")),
            some(lambda start, end: statement(start, end, sql=TABLE)),
        ).map(sum_of),
        tools=st.tuples(some(tool), some(partial(tool, by=1))).map(sum_of),
        spans=some(model),
        waits=some(wait),
        stalls=some(stall),
    ),
)
def test_the_parts_are_never_negative_and_add_up(works: list[float], evidence: Evidence) -> None:
    """Whatever was seen, also beyond the turn's ends."""
    found = spent(turn(5.0, *works), evidence)
    parts = found.parts

    assert sum(parts.values()) == pytest.approx(5.0)
    assert min(parts.values()) >= 0.0
    assert parts[Part.WORK] <= max(works, default=0.0) + 1e-9
    assert min(found.lost.values(), default=0.0) >= 0.0
    assert parts[Part.WORK] + parts[Part.SERIAL] - 1e-9 <= found.fixed <= 5.0 + 1e-9
    assert found.gained is None or 0.0 <= found.gained <= 1.0
