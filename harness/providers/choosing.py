"""A model that decides by itself, watched where its answer reaches the agent.

Problem: what a real model calls is known when it has answered, and not before; and whether a turn failed by the model's
doing or by the application's cannot be told from the application's error.

Mechanism: a wrapper around the model that the application is given. It tells a listener of each request that begins,
and of how it ended: by a response, before the agent has it, or by an error.

Guarantee: the wrapped model's responses, streams and errors pass through unchanged.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from pydantic_ai import RunContext
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings

__all__ = ["ChoosingModel", "Listener"]


class Listener(Protocol):
    """Is told of each request, in the task that makes it."""

    def begin(self) -> int:
        """A request begins; returns by which number it is told of again."""
        ...

    def end(self, number: int, *, response: ModelResponse | None = None, error: BaseException | None = None) -> None:
        """It has ended: with a response, which the agent does not have yet, or with an error."""
        ...


class ChoosingModel(WrapperModel):
    """The wrapped model; `listener` is told of its requests."""

    def __init__(self, wrapped: Model, listener: Listener) -> None:
        super().__init__(wrapped)
        self._listener = listener

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """The wrapped model's response."""
        number = self._listener.begin()
        try:
            response = await self.wrapped.request(messages, model_settings, model_request_parameters)
        except BaseException as error:
            self._listener.end(number, error=error)
            raise
        self._listener.end(number, response=response)
        return response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """The wrapped model's stream; it has ended when whoever reads it leaves it."""
        number = self._listener.begin()
        try:
            async with self.wrapped.request_stream(
                messages, model_settings, model_request_parameters, run_context
            ) as stream:
                yield stream
                response = stream.get()
        except BaseException as error:
            self._listener.end(number, error=error)
            raise
        self._listener.end(number, response=response)
