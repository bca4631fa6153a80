"""What SQL does, what a batch does to its connection, and which fault strikes it: all without a server."""

import struct
from typing import Any

import pytest

from harness.errors import UsageError
from harness.fault import DatabaseFault, DatabaseFaultKind, Moment, Target
from harness.postgres.proxy import Proxy
from harness.postgres.proxy.batches import Batch, Batcher
from harness.postgres.proxy.messages import Kind, Message, query, ready
from harness.postgres.proxy.rules import Rules, ledger_of
from harness.postgres.proxy.session import Caller, Session, Step
from harness.postgres.proxy.statements import Effect, Table, statements
from harness.postgres.server import ServerAddress

NOTES = Table("notes")
ADDRESS = ServerAddress(host="127.0.0.1", port=5432, user="u", password="p")
A: Caller = ("turn 1", "a")
NOBODY: Caller = ("turn 1", None)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO notes VALUES (1)",
        'insert into public."notes" (id) values (1)',
        "/* a /* b */ ; */ UPDATE ONLY notes SET id = 1",
        "-- a comment; \nDELETE FROM Notes",
        "MERGE INTO notes USING x ON true WHEN MATCHED THEN DELETE",
        "COPY notes (id, body) FROM STDIN",
        "WITH x AS (INSERT INTO notes VALUES (1) RETURNING id) SELECT * FROM x",
        "WITH x AS (SELECT 1) UPDATE notes SET id = 1",
        "(INSERT INTO notes VALUES (1))",
    ],
)
def test_a_statement_that_writes_the_table_is_told(sql: str) -> None:
    """Quoted, qualified, commented, or as a part of `WITH`."""
    (text,) = statements(sql)

    assert text.writes(NOTES)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM notes FOR UPDATE",
        'INSERT INTO "Notes" VALUES (1)',
        "DELETE FROM notes_old",
        "COPY notes TO STDOUT",
        "SELECT 'INSERT INTO notes'",
        "WITH x AS (SELECT '(INSERT INTO notes') SELECT 1",
        "WITH x AS (SELECT 1) INSERT INTO other SELECT * FROM notes",
    ],
)
def test_a_statement_that_does_not_write_the_table_is_told(sql: str) -> None:
    """Nor does another table's name, another case in quotes, a string, or reading."""
    (text,) = statements(sql)

    assert not text.writes(NOTES)


def test_a_schema_counts_if_both_name_one() -> None:
    """A table without a schema may be in any."""
    (text,) = statements("INSERT INTO billing.notes VALUES (1)")

    assert text.writes(NOTES)
    assert text.writes(Table("notes", "billing"))
    assert not text.writes(Table("notes", "other"))


@pytest.mark.parametrize(
    ("sql", "effects"),
    [
        ("BEGIN ISOLATION LEVEL SERIALIZABLE;", [Effect.BEGIN]),
        ("START TRANSACTION", [Effect.BEGIN]),
        ("end", [Effect.COMMIT]),
        ("ROLLBACK TO SAVEPOINT a; release a; savepoint a", [Effect.NESTED] * 3),
        ("ABORT; ROLLBACK PREPARED 'x'", [Effect.ROLLBACK, Effect.NONE]),
        ("BEGIN; SELECT ';'; ; COMMIT", [Effect.BEGIN, Effect.NONE, Effect.COMMIT]),
        ("DO $x$ BEGIN; COMMIT; $x$", [Effect.NONE]),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; COMMIT", [Effect.NONE]),
        ("SELECT E'\\'; COMMIT', $$;$$, \"a;b\"", [Effect.NONE]),
        ("SELECT pg_sleep($1::FLOAT)", [Effect.UNCOUNTED]),
        (" ; -- nothing", []),
        ("/* has no end; COMMIT", []),
    ],
)
def test_a_text_is_cut_into_statements(sql: str, effects: list[Effect]) -> None:
    """Semicolons in strings, names, comments and function bodies end nothing."""
    assert [text.effect for text in statements(sql)] == effects


def simple(sql: str) -> Batch:
    return Batch((Message(Kind.QUERY, query(sql)),))


def extended(*messages: tuple[Kind, str], end: Kind = Kind.SYNC) -> Batch:
    batcher = Batcher()
    made = [Message(kind, b"?" + struct.pack("!I", 4) + body.encode() + b"\0") for kind, body in messages]
    batches = [batcher.feed(message) for message in (*made, Message(end, b"?" + struct.pack("!I", 4)))]
    assert batches[-1] is not None
    return batches[-1]


def answer(session: Session, status: str) -> None:
    session.heard(Message(Kind.READY_FOR_QUERY, ready(status)))


def steps(session: Session, batch: Batch, caller: Caller | None = None, *, status: str | None = None) -> list[Step]:
    look = session.look(batch, caller)
    session.sent(batch, look)
    if status is not None:
        answer(session, status)
    return list(look.steps)


def started() -> Session:
    session = Session(NOTES)
    answer(session, "I")
    return session


def test_a_prepared_statement_is_known_by_its_name() -> None:
    """What was parsed once is counted each time that it is executed, and not while it fetches more rows."""
    session = started()
    parse = extended((Kind.PARSE, "s\0INSERT INTO notes VALUES ($1)"), end=Kind.FLUSH)
    execute = extended((Kind.BIND, "\0s"), (Kind.EXECUTE, ""))

    assert steps(session, parse) == []
    assert steps(session, simple("BEGIN"), status="T") == [Step(Moment.BEGIN)]
    assert steps(session, execute, status="T") == [Step(Moment.STATEMENT, nth=1, writes=1)]
    assert steps(session, execute, status="T") == [Step(Moment.STATEMENT, nth=2, writes=2)]
    assert steps(session, extended((Kind.EXECUTE, "")), status="T") == []
    assert steps(session, simple("COMMIT"), status="I") == [Step(Moment.COMMIT, ledger=True)]
    assert steps(session, extended((Kind.CLOSE, "Ss")), status="I") == []
    assert steps(session, execute, status="I") == []


def test_a_batch_outside_of_a_transaction_is_one_by_itself() -> None:
    """It begins, runs and commits."""
    batch = extended((Kind.PARSE, "\0DELETE FROM notes"), (Kind.BIND, "\0"), (Kind.EXECUTE, ""))

    assert steps(started(), batch) == [
        Step(Moment.BEGIN, ledger=True, implicit=True),
        Step(Moment.STATEMENT, nth=1, writes=1),
        Step(Moment.COMMIT, ledger=True, implicit=True),
    ]


def test_a_failed_transaction_commits_nothing() -> None:
    """Its statements are refused, and its `COMMIT` is a rollback."""
    session = started()
    steps(session, simple("BEGIN; INSERT INTO notes VALUES (1)"), status="E")

    assert steps(session, simple("SELECT 1"), status="E") == []
    assert steps(session, simple("COMMIT"), status="I") == []
    assert steps(session, simple("COMMIT")) == []


def test_statements_are_counted_for_each_caller() -> None:
    """In a transaction that two callers share, each has a first statement; the ledger's count is the transaction's."""
    session = started()
    steps(session, simple("BEGIN"), A, status="T")
    first = steps(session, simple("INSERT INTO notes VALUES (1)"), A, status="T")
    second = steps(session, simple("INSERT INTO notes VALUES (2)"), NOBODY, status="T")

    assert [(step.nth, step.writes) for step in (*first, *second)] == [(1, 1), (1, 2)]


def test_a_chained_commit_begins_the_next_transaction() -> None:
    """The ledger rows of the one are not the other's."""
    session = started()
    steps(session, simple("BEGIN; DELETE FROM notes"), status="T")

    assert steps(session, simple("COMMIT AND CHAIN"), status="T") == [Step(Moment.COMMIT, ledger=True)]
    assert steps(session, simple("COMMIT"), status="I") == [Step(Moment.COMMIT)]


def fault(target: Target, moment: Moment, **options: Any) -> DatabaseFault:
    return DatabaseFault(**{"kind": DatabaseFaultKind.CUT_BEFORE, "target": target, "moment": moment} | options)


def rules(*faults: DatabaseFault) -> Rules:
    made = Rules(faults, ledger_table="notes", can_restart=False)
    made.expect("turn 1", ["a", "b"])
    made.expect("turn 2", ["c", "d"])
    return made


STATEMENT = [Step(Moment.STATEMENT, nth=1, writes=1)]


def test_a_fault_strikes_the_planned_call_in_its_first_turn_only() -> None:
    """Another call is not struck, and another turn not even if the fault has strikes left."""
    some = rules(fault(Target.TOOL, Moment.STATEMENT, call=1, times=3))
    struck = [some.strike(STATEMENT, (turn, call)) for turn, call in [
        ("turn 1", "a"), ("turn 1", None), ("turn 2", "d"), ("turn 1", "b"), ("turn 2", "d"), ("turn 3", "x")
    ]]  # fmt: skip

    assert [strike.turn if strike else None for strike in struck] == [None, None, "turn 2", None, "turn 2", None]
    assert some.strike(STATEMENT, None) is None


def test_faults_strike_in_their_order_each_as_often_as_it_says() -> None:
    """Two that fit strike one after the other; one that is given back strikes again."""
    some = rules(fault(Target.TOOL, Moment.STATEMENT), fault(Target.LEDGER, Moment.STATEMENT, times=2))
    struck = [some.strike(STATEMENT, A) for _ in range(4)]
    assert struck[2] is not None
    some.refund(struck[2])

    assert [strike.position if strike else None for strike in struck] == [0, 1, 1, None]
    assert some.strike(STATEMENT, A) == struck[2]


def test_nothing_strikes_after_healing() -> None:
    """Whatever is left is left."""
    some = rules(fault(Target.TOOL, Moment.STATEMENT))
    some.heal()

    assert some.strike(STATEMENT, A) is None


def test_the_nth_statement_is_struck() -> None:
    """A tool's is counted among its own, the ledger's among those that write it."""
    tool, ledger = (rules(fault(target, Moment.STATEMENT, nth=2)) for target in (Target.TOOL, Target.LEDGER))

    assert tool.strike([Step(Moment.STATEMENT, nth=1, writes=2)], A) is None
    assert tool.strike([Step(Moment.STATEMENT, nth=2)], A) is not None
    assert ledger.strike([Step(Moment.STATEMENT, nth=2, writes=1)], None) is None
    assert ledger.strike([Step(Moment.STATEMENT, nth=1, writes=2)], None) is not None


@pytest.mark.parametrize(
    ("step", "caller", "strikes"),
    [
        (Step(Moment.BEGIN), NOBODY, True),
        (Step(Moment.BEGIN), (None, None), True),
        (Step(Moment.BEGIN), A, False),
        (Step(Moment.BEGIN), None, False),
        (Step(Moment.BEGIN, implicit=True), NOBODY, False),
        (Step(Moment.BEGIN, implicit=True, ledger=True), None, True),
    ],
)
def test_the_ledger_s_begin_is_that_of_a_connection_in_use_outside_of_tool_calls(
    step: Step, caller: Caller | None, *, strikes: bool
) -> None:
    """What a transaction is for is not known yet; one that is a batch by itself is known by what it writes."""
    some = rules(fault(Target.LEDGER, Moment.BEGIN))

    assert (some.strike([step], caller) is not None) is strikes


def test_the_ledger_s_begin_waits_for_a_turn() -> None:
    """What an application does before its first turn is not struck."""
    some = Rules([fault(Target.LEDGER, Moment.BEGIN)], ledger_table="notes", can_restart=False)

    assert some.strike([Step(Moment.BEGIN)], (None, None)) is None


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (fault(Target.LEDGER, Moment.COMMIT), "the ledger table is not known; name it"),
        (fault(Target.TOOL, Moment.COMMIT, kind=DatabaseFaultKind.RESTART), "nobody said how; give `restart`"),
        (fault(Target.TOOL, Moment.COMMIT, kind=DatabaseFaultKind.DELAY), "give `seconds`, more than 0"),
        (fault(Target.TOOL, Moment.COMMIT, times=0), "times=0; it must be at least 1"),
        (fault(Target.TOOL, Moment.COMMIT, nth=0), "nth=0; it must be at least 1"),
        (fault(Target.TOOL, Moment.COMMIT, call=-1), "call=-1; it must be at least 0"),
    ],
)
def test_a_fault_that_can_never_be_carried_out_is_refused(bad: DatabaseFault, message: str) -> None:
    """The error names the fault and says what to do."""
    with pytest.raises(UsageError, match=message) as caught:
        Proxy(ADDRESS, faults=[bad])

    assert repr(bad.label) in str(caught.value)


def test_a_name_that_is_no_table_s_is_refused() -> None:
    """Before anything runs."""
    with pytest.raises(UsageError, match="is no name of a table"):
        Proxy(ADDRESS, ledger_table="notes; DROP")

    assert ledger_of('billing."Notes"') == Table("Notes", "billing")


def test_an_address_that_demands_tls_is_refused() -> None:
    """What is encrypted cannot be read."""
    with pytest.raises(UsageError, match=r"demands TLS \('require'\), and a proxy cannot read what is encrypted"):
        Proxy(ServerAddress(host="h", port=1, user="u", password="p", tls="require"))
