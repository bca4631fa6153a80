"""The tracker that loses nothing: what was served is billed once, whatever fails."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from logfire.testing import CaptureLogfire
from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models import Model
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from sqlalchemy import event, make_url, text

from fixtures.backend.app.database import Database
from fixtures.backend.app.services.bill_delivery import BillDelivery, is_passing
from fixtures.backend.app.services.bills import Bill, Recourse, rows_of
from fixtures.backend.app.services.spool import SpoolInUseError, open_spool
from fixtures.backend.app.services.usage_lookup import LookupRefusedError, StoredCompletions
from fixtures.backend.app.settings import LedgerGrain, SessionMode, Settings
from tests.backend.bills import Served, answer, bill, cancelled_at
from tests.backend.conftest import Start
from tests.backend.product import FIRST_USAGE, SEARCH_DIRECTORY, SECOND_USAGE, Product, running, script

DURABLE: dict[str, Any] = {"session_mode": SessionMode.DURABLE}
RETRY = ToolCallPart("search_directory", {"query": "cardio", "schema_name": "planets"})


async def left_in(directory: Path) -> list[UUID]:
    """The bills in the spool of an application that has stopped."""
    async with open_spool(directory) as spool:
        return await spool.list_bills()


async def leave_behind(directory: Path, left: Bill) -> None:
    """Put a bill into the spool, as an application that was killed would have."""
    async with open_spool(directory) as spool:
        for request in left.requests:
            await spool.add(left, request)
        if left.completion_status is not None:
            await spool.close_bill(left, left.requests)


async def start_and_stop(clone_url: str, directory: Path, **settings: Any) -> list[dict[str, Any]]:
    """The ledger after the application has been started, and has finished what it found."""
    lookup = settings.pop("lookup", None)
    arguments = {"database_url": clone_url, "state_directory": directory, "model": script(), **DURABLE}
    arguments |= {"settle_seconds": 0, **settings}
    async with running(Settings(**arguments), usage_lookup=lookup) as product:
        pass
    return await ledger(product)


async def ledger(product: Product) -> list[dict[str, Any]]:
    """The rows of the ledger."""
    return [dict(row) for row in await product.rows("llm_requests")]


def names(logs: CaptureLogfire) -> list[str]:
    """What was logged."""
    return [span["name"] for span in logs.exporter.exported_spans_as_dict()]


@pytest.mark.parametrize("grain", LedgerGrain)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_durable_turn_is_billed_as_a_plain_one(
    start: Start, tmp_path: Path, grain: LedgerGrain, *, stream: bool
) -> None:
    """The same rows, but for what is different in each turn; the answer names the last; the spool is empty."""
    model = script(SEARCH_DIRECTORY)
    plain = await start(model, ledger_grain=grain)
    durable = await start(model, ledger_grain=grain, **DURABLE)

    async def rows_after(product: Product) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        known = {row["id"] for row in await ledger(product)}
        given = (await product.stream())[-1][1] if stream else await product.ask()
        rows = sorted(await ledger(product), key=lambda row: row["created_at"])
        return given, [row for row in rows if row["id"] not in known]

    _, expected = await rows_after(plain)
    given, rows = await rows_after(durable)

    own = {"id", "session_id", "created_at", "latency_ms", "request_body", "response_body"}
    assert [{name: row[name] for name in row.keys() - own} for row in rows] == [
        {name: row[name] for name in row.keys() - own} for row in expected
    ]
    assert [len(row["request_body"]["messages"]) for row in rows] == [
        len(row["request_body"]["messages"]) for row in expected
    ]
    assert str(rows[-1]["id"]) == given["llm_request_id"]
    assert await durable.app.state.billing.spool.list_bills() == []


async def test_a_request_that_failed_is_billed_if_the_provider_served_it(start: Start) -> None:
    """The answer was lost on the way; its tokens and its price are those that the provider counted."""
    served = Served()

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        served.serve(info, answer(prompt=120, completion=30))
        raise ModelAPIError("gpt-4o", "the connection broke")

    product = await start(FunctionModel(respond, model_name="gpt-4o"), lookup=served, **DURABLE)

    response = await product.post()
    [row] = await ledger(product)

    assert response.status_code == 502
    assert (row["prompt_tokens"], row["completion_tokens"], str(row["total_cost"])) == (120, 30, "0.0006")
    assert row["completion_status"] == "failed"


async def test_a_request_that_was_not_served_is_not_billed(start: Start, tmp_path: Path) -> None:
    """The provider lists nothing for it."""
    served = Served()

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        raise ModelHTTPError(503, "gpt-4o")

    product = await start(FunctionModel(respond, model_name="gpt-4o"), lookup=served, **DURABLE)

    await product.post()

    assert len(served.asked) == 1
    assert await ledger(product) == []
    assert await product.app.state.billing.spool.list_bills() == []


async def test_a_provider_that_is_still_at_work_is_not_asked_too_early(start: Start) -> None:
    """What it stores after the client has gone, and before `settle_seconds` are over, is billed."""
    stored_at = 0.0

    class StoredLater(Served):
        async def find(self, model: Model, request_id: UUID) -> Sequence[ModelResponse]:
            found = await super().find(model, request_id)
            return found if time.time() >= stored_at else []

    served = StoredLater()

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        nonlocal stored_at
        served.serve(info, answer(prompt=120, completion=30))
        stored_at = time.time() + 0.2
        raise ModelAPIError("gpt-4o", "the connection broke")

    product = await start(FunctionModel(respond, model_name="gpt-4o"), lookup=served, settle_seconds=0.3, **DURABLE)

    await product.post()

    assert [row["total_tokens"] for row in await ledger(product)] == [150]


class Refusing(Served):
    """A provider whose interface has no stored completions."""

    async def find(self, model: Model, request_id: UUID) -> Sequence[ModelResponse]:
        """It answers HTTP 404."""
        raise LookupRefusedError("HTTP 404")


async def test_a_provider_that_does_not_tell_is_believed_what_it_answered(start: Start) -> None:
    """Though its client may have tried twice."""
    product = await start(script(), lookup=Refusing(repeats=True), **DURABLE)

    await product.ask()

    assert [row["total_tokens"] for row in await ledger(product)] == [SECOND_USAGE.total_tokens]


async def test_what_a_provider_does_not_tell_is_a_row_without_a_cost(start: Start) -> None:
    """Where no answer came: it may have been served, and nobody knows its tokens."""

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        raise ModelAPIError("gpt-4o", "the connection broke")

    product = await start(FunctionModel(respond, model_name="gpt-4o"), lookup=Refusing(), **DURABLE)

    await product.post()

    assert [(row["total_tokens"], row["total_cost"]) for row in await ledger(product)] == [(0, None)]


async def test_what_a_killed_process_left_is_not_asked_about_too_early(clone_url: str, tmp_path: Path) -> None:
    """However long ago it was sent: the provider may have been at work until just now."""
    killed = bill(None)
    stored_at = time.time() + 0.2

    class StoredLater(Served):
        async def find(self, model: Model, request_id: UUID) -> Sequence[ModelResponse]:
            return [answer(prompt=10)] if time.time() >= stored_at else []

    served = StoredLater()
    await leave_behind(tmp_path, killed)

    [row] = await start_and_stop(
        clone_url, tmp_path, lookup=served, model=script(model_name="gpt-4o"), settle_seconds=0.3
    )

    assert row["prompt_tokens"] == 10


async def test_a_disk_that_hangs_bounds_the_turn(start: Start) -> None:
    """The request is not made: it could not be written down in the time that a turn may be held up."""
    product = await start(script(), billing_seconds=0.05, **DURABLE)
    hanging = asyncio.Event()

    async def hang(*_: object) -> None:
        await hanging.wait()

    product.app.state.billing.spool.add = hang

    response = await product.post()

    assert (response.status_code, response.json()) == (503, {"detail": "Nothing can be billed at present."})
    assert await ledger(product) == []


async def test_a_refusal_needs_no_question(start: Start) -> None:
    """A status of 4xx says that no model was at work, unless the client may have tried before."""
    served = Served()

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        raise ModelHTTPError(429, "gpt-4o")

    product = await start(FunctionModel(respond, model_name="gpt-4o"), lookup=served, **DURABLE)

    await product.post()
    served.repeats = True
    await product.post()

    assert len(served.asked) == 1


@pytest.mark.parametrize("grain", LedgerGrain)
async def test_what_a_client_sent_again_unseen_is_billed_too(start: Start, grain: LedgerGrain) -> None:
    """Where a client may retry by itself, the provider is asked also after an answer."""
    served = Served(repeats=True)

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        served.serve(info, answer(prompt=100))
        return served.serve(info, answer("Hello.", prompt=200))

    product = await start(FunctionModel(respond, model_name="gpt-4o"), lookup=served, ledger_grain=grain, **DURABLE)

    given = await product.ask()
    rows = await ledger(product)

    tokens = {str(row["id"]): row["prompt_tokens"] for row in rows}
    assert sum(tokens.values()) == 300
    assert tokens[given["llm_request_id"]] == (200 if grain is LedgerGrain.REQUEST else 300)


async def test_an_answer_that_the_provider_does_not_list_yet_is_billed(start: Start) -> None:
    """What came is certain, whatever the list says."""
    served = Served(repeats=True)
    product = await start(script(), lookup=served, **DURABLE)

    await product.ask()
    [row] = await ledger(product)

    assert row["prompt_tokens"] == SECOND_USAGE.input_tokens


async def test_a_provider_that_cannot_be_asked_is_asked_again(start: Start, logs: CaptureLogfire) -> None:
    """The turn waits for it no longer than it may; the bill is delivered when it is settled."""
    served = Served(unavailable=2)

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        served.serve(info, answer(prompt=120))
        raise ModelAPIError("gpt-4o", "the connection broke")

    product = await start(FunctionModel(respond, model_name="gpt-4o"), lookup=served, **DURABLE)

    await product.post()

    assert [row["prompt_tokens"] for row in await ledger(product)] == [120]
    assert len(served.asked) == 3
    assert names(logs).count("bill_delayed") == 2


async def test_a_bill_that_is_left_is_settled_and_delivered_at_the_next_start(clone_url: str, tmp_path: Path) -> None:
    """An open one is of a turn that was killed: it failed, and the provider says what it served."""
    served, killed = Served(), bill(None, (answer(prompt=100),), None)
    served.answers[str(killed.requests[0].id)] = [answer(prompt=10), answer(prompt=1)]
    await leave_behind(tmp_path, killed)

    [row] = await start_and_stop(clone_url, tmp_path, lookup=served, model=script(model_name="gpt-4o"))

    assert row["id"] == killed.id
    assert (row["prompt_tokens"], row["completion_status"]) == (111, "failed")
    assert await left_in(tmp_path) == []


async def test_a_bill_that_was_delivered_and_not_removed_is_not_delivered_twice(clone_url: str, tmp_path: Path) -> None:
    """The process was killed between the two; its row stays as it is."""
    delivered = bill((answer(prompt=100), answer(prompt=200)), status="complete", each=True)
    database = Database(Settings(database_url=clone_url))
    await BillDelivery(database).write(rows_of(delivered))
    await database.dispose()
    await leave_behind(tmp_path, delivered)

    rows = await start_and_stop(clone_url, tmp_path)

    assert {row["id"]: row["prompt_tokens"] for row in rows} == {
        row["id"]: row["prompt_tokens"] for row in rows_of(delivered)
    }
    assert await left_in(tmp_path) == []


async def test_a_request_to_a_model_that_is_gone_stays_in_the_spool(
    clone_url: str, tmp_path: Path, logs: CaptureLogfire
) -> None:
    """Nobody can be asked; the log says so."""
    killed = bill(None)
    await leave_behind(tmp_path, killed)

    rows = await start_and_stop(clone_url, tmp_path, lookup=Served(), model=script(model_name="another"))

    assert rows == []
    assert await left_in(tmp_path) == [killed.id]
    assert "bill_undeliverable" in names(logs)


@pytest.mark.parametrize(
    ("recourse", "rows"), [(Recourse.NOT_SERVED, []), (Recourse.UNKNOWN, [(0, None)]), (Recourse.LOOKUP, [])]
)
async def test_what_nobody_can_tell_is_a_row_without_a_cost(
    clone_url: str, tmp_path: Path, recourse: Recourse, rows: list[tuple[int, None]]
) -> None:
    """A function of a process that is gone served nothing; of other providers nothing is known, nor made up."""
    killed = bill(None)
    [request] = killed.requests
    await leave_behind(tmp_path, replace(killed, requests=(replace(request, recourse=recourse),)))

    written = await start_and_stop(clone_url, tmp_path, lookup=Served())

    assert [(row["total_tokens"], row["total_cost"]) for row in written] == rows


async def test_a_database_that_is_away_delays_the_bill_and_not_the_answer(
    clone_url: str, tmp_path: Path, logs: CaptureLogfire
) -> None:
    """The user gets the answer with the row's identifier in the time allowed; the next start delivers the row."""
    settings = Settings(
        database_url=clone_url,
        state_directory=tmp_path,
        model=script(),
        billing_seconds=0.05,
        drain_seconds=0.05,
        **DURABLE,
    )

    def refuse(*_: Any) -> None:
        raise ConnectionRefusedError

    async with running(settings) as product:
        event.listen(product.engine.sync_engine, "do_connect", refuse)
        given = await product.ask()

    assert [str(bill_id) for bill_id in await left_in(tmp_path)] == [given["llm_request_id"]]
    assert "bills_left_in_spool" in names(logs)
    [row] = await start_and_stop(clone_url, tmp_path)
    assert str(row["id"]) == given["llm_request_id"]
    assert row["completion_status"] == "complete"


async def test_a_bill_that_the_database_refuses_holds_up_no_other(
    start: Start, clone_url: str, tmp_path: Path, logs: CaptureLogfire
) -> None:
    """It is logged once and kept; when the database accepts it, the next start delivers it."""
    product = await start(script(SEARCH_DIRECTORY), **DURABLE)
    async with product.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE llm_requests ADD CONSTRAINT few CHECK (account_slug <> 'wyckoff')"))

    refused = await product.ask()
    await product.ask(account="agrofresh")

    assert [row["account_slug"] for row in await ledger(product)] == ["agrofresh"]
    assert names(logs).count("bill_undeliverable") == 1
    async with product.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE llm_requests DROP CONSTRAINT few"))
    left = await product.app.state.billing.spool.find(UUID(refused["llm_request_id"]))
    await leave_behind(tmp_path / "next", left)
    rows = await start_and_stop(clone_url, tmp_path / "next")
    assert {row["account_slug"] for row in rows} == {"agrofresh", "wyckoff"}


async def test_without_room_for_a_bill_no_model_is_asked(start: Start) -> None:
    """The user is told at once, and nothing unbilled is served."""
    asked: list[AgentInfo] = []

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        asked.append(info)
        return ModelResponse(parts=[TextPart("Hello.")])

    product = await start(FunctionModel(respond, model_name="gpt-4o"), **DURABLE)
    spool = product.app.state.billing.spool

    def fill() -> None:
        spool._connection.execute("PRAGMA max_page_count = 1")

    await spool._run(fill)

    plain = await product.post(message="x" * 100_000)
    streamed = await product.stream(message="x" * 100_000)

    assert (plain.status_code, plain.json()) == (503, {"detail": "Nothing can be billed at present."})
    assert streamed == [("error", {"detail": "The answer was cut off.", "error": "SpoolError"})]
    assert asked == []


async def test_two_applications_do_not_share_a_folder(start: Start) -> None:
    """The second does not start."""
    await start(script(), **DURABLE)

    with pytest.raises(SpoolInUseError):
        await start(script(), **DURABLE)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_turn_that_is_cancelled_at_any_of_its_waits_is_billed_once_for_what_was_served(
    start: Start, *, stream: bool
) -> None:
    """At each in turn, until one turn ends before; and the turn knows that it was cancelled."""
    served = Served()
    product = await start(_two_rounds(served), lookup=served, **DURABLE)

    async def turn() -> None:
        if stream:
            async for _ in product.chat.stream("Who is there?"):
                pass
        else:
            await product.chat.answer("Who is there?")

    step, cancelled = 0, True
    while cancelled:
        step += 1
        task = asyncio.create_task(cancelled_at(step, turn()))
        await asyncio.wait([task])
        if not (cancelled := task.cancelled()):
            await task
        billed = [answer for row in await ledger(product) for answer in row["response_body"]["responses"]]
        assert len(billed) == sum(map(len, served.answers.values())), f"cancelled at wait {step}"

    rows = await ledger(product)
    assert step > 10
    assert await product.app.state.billing.spool.list_bills() == []
    assert len({row["session_id"] for row in rows}) == len(rows)


async def test_a_turn_that_is_cancelled_while_it_waits_for_its_bill_is_so_when_the_bill_is_there(start: Start) -> None:
    """Cancelled again and again, it still waits; and it ends cancelled."""
    product = await start(script(), **DURABLE)
    delivery, writing, go_on = product.app.state.billing._delivery, asyncio.Event(), asyncio.Event()

    class Slow:
        async def write(self, rows: Any) -> None:
            writing.set()
            await go_on.wait()
            await delivery.write(rows)

    product.app.state.billing._delivery = Slow()
    turn = asyncio.create_task(product.chat.answer("Who is there?"))
    await writing.wait()

    for _ in range(3):
        turn.cancel()
        await asyncio.sleep(0)
        assert not turn.done()
    go_on.set()
    await asyncio.wait([turn])

    assert turn.cancelled()
    assert len(await ledger(product)) == 1


@pytest.mark.parametrize("established", [False, True])
async def test_a_database_that_says_nothing_bounds_each_attempt(clone_url: str, *, established: bool) -> None:
    """The attempt ends in the time allowed, to be made again, and its connection does not go back to the pool."""
    async with _silent_when_told(clone_url) as (url, silence):
        database = Database(Settings(database_url=url))
        patient, impatient = BillDelivery(database), BillDelivery(database, attempt_seconds=0.1)
        if established:
            await patient.write(rows_of(bill((answer(),), status="complete")))
        silence.set()

        with pytest.raises(Exception) as caught:  # noqa: PT011  # which one is the driver's business
            async with asyncio.timeout(60) as too_long:
                await impatient.write(rows_of(bill((answer(),), status="complete")))

        silence.clear()
        connections: list[Any] = []
        event.listen(database.engine.sync_engine, "connect", lambda connection, _: connections.append(connection))
        await patient.write(rows_of(bill((answer(),), status="complete")))
        await database.dispose()

    assert not too_long.expired()  # it is the attempt that has ended, and not the test's patience
    assert is_passing(caught.value)
    assert len(connections) == 1


async def test_a_database_that_says_nothing_bounds_the_turn(clone_url: str, tmp_path: Path) -> None:
    """The answer comes, though the bill's connection hangs for good; the bill stays in the spool."""
    async with _silent_when_told(clone_url) as (url, silence):
        settings = Settings(
            database_url=url,
            state_directory=tmp_path,
            model=script(),
            billing_seconds=0.1,
            drain_seconds=0.1,
            **DURABLE,
        )
        async with running(settings) as product:
            before = await product.ask()
            silence.set()
            async with asyncio.timeout(60):
                given = await product.ask()

    left = {str(bill_id) for bill_id in await left_in(tmp_path)}
    assert given["llm_request_id"] in left
    assert left <= {before["llm_request_id"], given["llm_request_id"]}  # a busy machine may not have written it by then


def test_in_process_models_serve_nothing_unseen() -> None:
    """A function that did not return did not answer."""
    assert StoredCompletions().recourse(script()) is Recourse.NOT_SERVED


def _two_rounds(served: Served) -> Model:
    """Calls a tool that asks for another call, and answers then; each answer is served before it comes."""

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        await asyncio.sleep(0)
        if len(messages) > 1:
            response = served.serve(info, ModelResponse(parts=[TextPart("Hello.")], usage=replace(SECOND_USAGE)))
        else:
            response = served.serve(info, ModelResponse(parts=[RETRY], usage=replace(FIRST_USAGE)))
        await asyncio.sleep(0)
        return response

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        response = await respond(messages, info)
        for part in response.parts:
            if isinstance(part, TextPart):
                yield part.content
            elif isinstance(part, ToolCallPart):
                yield {0: DeltaToolCall(part.tool_name, part.args_as_json_str())}
        await asyncio.sleep(0)

    return FunctionModel(respond, stream_function=stream, model_name="gpt-4o")


@asynccontextmanager
async def _silent_when_told(database_url: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A way to the database, by its URL, on which nothing goes through any more once the event is set."""
    target, silence = make_url(database_url), asyncio.Event()
    tasks: list[asyncio.Task[None]] = []
    writers: list[asyncio.StreamWriter] = []

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if silence.is_set():
                    await asyncio.Event().wait()
                writer.write(data)
            writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(target.host, target.port)
        writers.extend((writer, server_writer))
        for source, sink in ((reader, server_writer), (server_reader, writer)):
            tasks.append(asyncio.create_task(forward(source, sink)))

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield target.set(host="127.0.0.1", port=port).render_as_string(hide_password=False), silence
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*[writer.wait_closed() for writer in writers], return_exceptions=True)
