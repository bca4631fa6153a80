"""Claims: does a backend do what its capabilities and its modes say, and does it do anything that they do not say?"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models.function import AgentInfo, FunctionModel

from harness.backend import Backend, BackendSettings, Capability, Tenant, Violation
from harness.conformance.conversing import Conversing, Heard
from harness.conformance.watched import WatchedProvider
from harness.evidence import LedgerGrain, LedgerRow, Record
from harness.plurals import number_of

__all__ = [
    "at_once",
    "billed_by_request",
    "failing_first",
    "ledger_violations",
    "streaming",
    "turned_to_fallback",
]

_TURNS_AT_ONCE = 3


def _claimed(
    backend: Backend, capability: Capability, *, does: bool, seen: str, asked: str, change: str
) -> Iterator[Violation]:
    """A claim that does not hold; or what holds without being claimed, whose `seen` begins with "it seems"."""
    name = f"Capability.{capability.name}"
    if capability in backend.capabilities and not does:
        yield Violation(part=name, seen=seen, asked=asked, change=f"{change}, or leave out {name}")
    elif capability not in backend.capabilities and does:
        yield Violation(
            part=name,
            seen="it seems to do that, and does not declare it",
            asked=asked,
            change=f"add {name} to `capabilities`, so that it is verified too",
        )


async def streaming(conversing: Conversing, backend: Backend, tenant: Tenant) -> list[Violation]:
    """A streamed turn, for which the model has to be asked for a stream; and, if it is answered, one that is left."""
    heard = await conversing.send(tenant, stream=True)
    if heard.failure is not None and Capability.STREAMING in backend.capabilities:
        return [replace(heard.failure, part=f"{heard.part}, streamed")]
    does = heard.answer is not None and any(each.streamed for each in conversing.provider.of(heard.turn))
    claimed = _claimed(
        backend,
        Capability.STREAMING,
        does=does,
        seen="with `request.stream` the model was asked for a whole answer, and not for a stream",
        asked="it can stream its answer",
        change="run the agent by run_stream, run_stream_events or iter when `request.stream` is true",
    )
    return [*claimed, *await _left_alone(conversing, backend, tenant)]


async def _left_alone(conversing: Conversing, backend: Backend, tenant: Tenant) -> list[Violation]:
    """A streamed turn whose client leaves after the first event."""
    heard = await conversing.send(tenant, stream=True, leave_after=1)
    if Capability.STREAMING not in backend.capabilities:
        return []
    seen = "with `request.leave_after` it gave an answer" if heard.answer is not None else "it did not raise ClientLeft"
    if heard.failure is not None and not heard.left:
        seen = f"with `request.leave_after`, {heard.failure.seen}"
    return list(
        _claimed(
            backend,
            Capability.DISCONNECT,
            does=heard.left,
            seen=seen,
            asked="`send` closes its connection after so many events of the stream, and raises ClientLeft",
            change="raise harness.errors.ClientLeft once the application has noticed that its client has gone",
        )
    )


async def at_once(conversing: Conversing, tenants: Sequence[Tenant]) -> list[Violation]:
    """Several turns at the same time, of tenants in turn."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(conversing.send(tenants[number % len(tenants)])) for number in range(_TURNS_AT_ONCE)]
    failures = [task.result().failure for task in tasks]
    return [replace(each, part=f"{each.part}, {_TURNS_AT_ONCE} turns at once") for each in failures if each]


async def _unavailable(_messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
    raise ModelHTTPError(status_code=503, model_name="gpt-4o", body="unavailable, as the check told it to be")


def failing_first(settings: BackendSettings, provider: WatchedProvider) -> BackendSettings:
    """Settings whose model is never there, and whose second one is the provider's."""
    return replace(settings, model=FunctionModel(_unavailable, model_name="gpt-4o"), fallback_model=provider.model)


async def turned_to_fallback(conversing: Conversing, backend: Backend, tenant: Tenant) -> list[Violation]:
    """A turn whose first model is not there."""
    heard = await conversing.send(tenant)
    does = heard.answer is not None and bool(conversing.provider.of(heard.turn))
    said = heard.failure.seen if heard.failure is not None else "it did not ask `fallback_model`"
    return list(
        _claimed(
            backend,
            Capability.FALLBACK,
            does=does,
            seen=f"when `model` answered HTTP 503, {said}",
            asked="it turns to `settings.fallback_model` when `settings.model` fails",
            change="give the agent a FallbackModel of the two, or what does the same",
        )
    )


def ledger_violations(backend: Backend, rows: Record[LedgerRow], heard: Sequence[Heard]) -> Iterator[Violation]:
    """What is wrong with the rows of these turns, each of which was answered."""
    claims = Capability.LEDGER in backend.capabilities
    if rows.missing is not None:
        if claims:
            asked = "it gives every ledger row as a LedgerRow, with the types that it says"
            yield Violation(
                part="read_ledger", seen=rows.missing, asked=asked, change="read the columns as those types"
            )
        return
    if not claims:
        if rows.entries:
            yield Violation(
                part="Capability.LEDGER",
                seen=f"read_ledger gives {number_of(len(rows.entries), 'row')}, and the capability is not declared",
                asked="what it writes for each billed turn is a ledger",
                change="add Capability.LEDGER to `capabilities`, so that bills are verified too",
            )
        return
    for turn in heard:
        yield from _row_violations(turn, rows.entries)


def _row_violations(turn: Heard, rows: Sequence[LedgerRow]) -> Iterator[Violation]:
    own = [row for row in rows if row.session_id == turn.turn]
    identifier = turn.answer.llm_request_id if turn.answer is not None else None
    named = next((row for row in rows if identifier is not None and row.id == identifier), None)
    asked = "a turn's row has its conversation's identifier as `session_id`"
    part = f"{turn.part}: its ledger row"
    if not own and named is not None:
        yield Violation(
            part=part,
            seen=f"the row that the answer names has the session_id {named.session_id!r}, and not {turn.turn!r}",
            asked=asked,
            change="write `request.conversation_id` with the bill, and read it as `session_id`",
        )
    elif not own:
        seen = f"none of the {len(rows)} committed rows has the conversation's identifier"
        yield Violation(part=part, seen=seen, asked=asked, change="write the bill before `send` returns, and commit it")
    for row in own[:1]:
        if row.account_slug != turn.tenant.account or row.agent_instance_slug != turn.tenant.agent:
            yield Violation(
                part=part,
                seen=f"it is of {row.account_slug!r}/{row.agent_instance_slug!r}",
                asked="a row names the account and the agent that the turn was sent to",
                change="write both with the bill, and read them as account_slug and agent_instance_slug",
            )
        if identifier not in {each.id for each in own}:
            named_row = "no row" if identifier is None else f"the row {identifier}, which is not there"
            yield Violation(
                part=part,
                seen=f"the answer names {named_row}",
                asked="Answer.llm_request_id is the identifier of the row that bills the turn",
                change="return the row's `id` with the answer",
            )


def billed_by_request(heard: Heard, rows: Record[LedgerRow], responses: int) -> Iterator[Violation]:
    """A turn of several responses, for an application that was started with a row for each."""
    own = [row for row in rows.entries if row.session_id == heard.turn]
    if rows.missing is None and heard.answer is not None and len(own) != responses:
        yield Violation(
            part="Capability.LEDGER_PER_REQUEST",
            seen=f"a turn of {responses} model responses has {len(own)} ledger rows",
            asked=f"with `settings.ledger_grain` {LedgerGrain.REQUEST.value!r} there is a row for each response",
            change="write a row for each, or leave out Capability.LEDGER_PER_REQUEST",
        )
