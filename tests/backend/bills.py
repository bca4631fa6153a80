"""Bills, answers, and lookups for the tests of the durable tracker."""

import asyncio
import types
from collections import defaultdict
from collections.abc import Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar
from uuid import UUID, uuid4

from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models import Model
from pydantic_ai.models.function import AgentInfo
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from fixtures.backend.app.seed_data import account_id, agent_instance_id
from fixtures.backend.app.services.bills import Bill, BilledRequest, Payer, Recourse
from fixtures.backend.app.services.usage_lookup import LookupUnavailableError

Result = TypeVar("Result")

PAYER = Payer(
    session_id=UUID(int=1),
    agent_instance_id=agent_instance_id("wyckoff", "simple-chat-1"),
    account_id=account_id("wyckoff"),
    account_slug="wyckoff",
    agent_instance_slug="simple-chat-1",
    agent_type="simple_chat",
)


def answer(text: str = "Hello.", *, prompt: int = 7, completion: int = 11, name: str = "gpt-4o") -> ModelResponse:
    """An answer with a count of its tokens, and an identifier of its own."""
    return ModelResponse(
        parts=[TextPart(text)],
        usage=RequestUsage(input_tokens=prompt, output_tokens=completion),
        model_name=name,
        provider_name="openai",
        provider_response_id=f"chatcmpl-{uuid4().hex}",
    )


def bill(*served: tuple[ModelResponse, ...] | None, status: str | None = None, each: bool = False) -> Bill:
    """A bill with a request for each of `served`."""
    bill_id = uuid4()
    requests = [
        BilledRequest(
            id=uuid4(),
            bill_id=bill_id,
            position=position,
            provider="openai",
            model="gpt-4o",
            model_id="function:gpt-4o",
            recourse=Recourse.LOOKUP,
            at=1_767_225_600.0 + position,
            served=answers,
        )
        for position, answers in enumerate(served)
    ]
    return Bill(
        id=bill_id,
        payer=PAYER,
        messages=[],
        row_for_each_answer=each,
        completion_status=status,
        requests=tuple(requests),
    )


@dataclass
class Served:
    """A lookup in a provider's place: what was served for each request, and for how often it cannot be asked."""

    answers: dict[str, list[ModelResponse]] = field(default_factory=lambda: defaultdict(list))
    unavailable: int = 0
    repeats: bool = False
    asked: list[UUID] = field(default_factory=list)

    def recourse(self, model: Model) -> Recourse:
        """All models can be looked up."""
        return Recourse.LOOKUP

    def may_repeat(self, model: Model, settings: ModelSettings | None) -> bool:
        """As told."""
        return self.repeats

    def mark(self, model: Model, settings: ModelSettings | None, request_id: UUID) -> ModelSettings:
        """The settings, with the identifier."""
        return ModelSettings(**(settings or {}), extra_body=str(request_id))

    async def find(self, model: Model, request_id: UUID) -> Sequence[ModelResponse]:
        """What was served, unless it cannot be asked now."""
        self.asked.append(request_id)
        await asyncio.sleep(0)
        if self.unavailable:
            self.unavailable -= 1
            raise LookupUnavailableError("try again")
        return self.answers[str(request_id)]

    def serve(self, info: AgentInfo, response: ModelResponse) -> ModelResponse:
        """`response`, which is from now on among what was served."""
        assert info.model_settings is not None
        served = replace(response, model_name="gpt-4o", provider_response_id=f"chatcmpl-{uuid4().hex}")
        self.answers[str(info.model_settings["extra_body"])].append(served)
        return served

    @property
    def tokens(self) -> int:
        """The tokens of all that was served."""
        return sum(each.usage.total_tokens for answers in self.answers.values() for each in answers)


async def cancelled_at(step: int, work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work`, and cancel its task when it waits for the `step`-th time."""
    return await _cancelled_at(step, work)


@types.coroutine
def _cancelled_at(step: int, work: Coroutine[Any, Any, Result]) -> Generator[Any, Any, Result]:
    steps, count = work.__await__(), 0
    advance: Callable[[], Any] = partial(steps.send, None)
    while True:
        try:
            waits_for = advance()
        except StopIteration as end:
            result: Result = end.value
            return result
        count += 1
        if count == step:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        try:
            sent = yield waits_for
        except BaseException as error:  # noqa: BLE001  # whatever is thrown in is passed on
            advance = partial(steps.throw, error)
        else:
            advance = partial(steps.send, sent)
