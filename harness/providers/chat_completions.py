"""The OpenAI chat completions protocol, served from a `ScriptBook`, with the faults that its scripts ask for.

`POST /v1/chat/completions`, plain and as server-sent events, `GET /v1/chat/completions` and
`GET /v1/chat/completions/{id}` for what was stored, and `GET /v1/models`. Requests need the bearer key, and are
refused with the status and the error object that OpenAI uses, so that a real client raises its own exceptions: 401
for a wrong key, 404 for what is not there, 400 for what cannot be read and for what nothing is scripted for.
Source: https://platform.openai.com/docs/api-reference/chat (create, list, streaming, errors).

A response is put on the invoice when it is ready, before its first byte is sent. A client that has gone by
then is not charged; one that hangs up in the middle of a stream is, as with the real provider. The invoice says of
a response that it is delivered when all of it is being written; of one that a fault breaks, or whose client left
before, it never does.
"""

import asyncio
import json
import secrets
from collections.abc import Collection, Sequence
from functools import partial

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from harness.errors import EnvironmentMissing
from harness.evidence import Charge
from harness.fault import NOT_SERVED, WireFault, WireFaultKind
from harness.providers.answers import completion, error_response, events, fault_response
from harness.providers.asked import Asked, Listing, summary_of
from harness.providers.connection import connection_of
from harness.providers.delivery import Delivery, Step, body_of, steps_of, stream_of
from harness.providers.script import Due, ScriptBook, UnscriptedRequestError
from harness.providers.stored import StoredCompletions
from harness.providers.waiting import stopped_within

__all__ = ["ChatCompletions"]

_CLIENT_CLOSED_REQUEST = 499

_ANY = frozenset(WireFaultKind)


class _RefusedError(Exception):
    """A request that is answered by an error object."""

    def __init__(self, status: int, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class ChatCompletions:
    """Answers requests for the models `model_names`; faults strike only requests for the first of them.

    `stopping` cuts short the time that the model takes, and the time for which an answer stops.
    """

    def __init__(
        self, book: ScriptBook, *, model_names: Collection[str], api_key: str, stopping: asyncio.Event
    ) -> None:
        self._book = book
        self._model_names = tuple(model_names)
        self._api_key = api_key
        self._stopping = stopping
        self._stored = StoredCompletions()

    def application(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
                Route("/v1/chat/completions", self._list, methods=["GET"]),
                Route("/v1/chat/completions/{completion_id}", self._retrieve, methods=["GET"]),
                Route("/v1/models", self._models, methods=["GET"]),
            ],
            exception_handlers={
                _RefusedError: _refusal,
                EnvironmentMissing: _refusal,
                HTTPException: _http_error,
            },
        )

    async def _models(self, request: Request) -> Response:
        self._authenticate(request)
        models = [
            {"id": name, "object": "model", "created": 0, "owned_by": "sessionproof"} for name in self._model_names
        ]
        return JSONResponse({"object": "list", "data": models})

    async def _list(self, request: Request) -> Response:
        self._authenticate(request)
        try:
            page = self._stored.page(Listing.of(request.query_params))
        except ValidationError as error:
            raise _RefusedError(400, f"The query could not be read: {summary_of(error)}") from error
        except KeyError as error:
            raise _RefusedError(400, f"The list has no completion {error.args[0]!r} to go on after.") from error
        return JSONResponse(page)

    async def _retrieve(self, request: Request) -> Response:
        self._authenticate(request)
        completion_id = request.path_params["completion_id"]
        stored = self._stored.get(completion_id)
        if stored is None:
            raise _RefusedError(404, f"No completion {completion_id!r} is stored.", code="not_found")
        return JSONResponse(stored)

    async def _complete(self, request: Request) -> ASGIApp:
        self._authenticate(request)
        asked = self._read(await request.body())
        due = self._due(asked)
        fault = self._strike(due, asked, request, kinds=NOT_SERVED)
        if fault is None:
            await self._take(due.response.seconds)
            if await request.is_disconnected():
                return Response(status_code=_CLIENT_CLOSED_REQUEST)
            fault = self._strike(due, asked, request)
        if fault is not None and fault.kind in NOT_SERVED:
            return fault_response(fault)
        return self._serve(due, asked, fault)

    def _serve(self, due: Due, asked: Asked, fault: WireFault | None) -> Delivery:
        billed = fault is None or fault.charges
        charge = self._book.charge(due, model=asked.model, stream=bool(asked.stream), billed=billed, delivered=False)
        if billed and asked.store:
            self._stored.keep(completion(due.response, charge), asked.metadata or {})
        steps, length = self._steps(due, charge, asked, fault)
        broken = fault is not None and fault.kind is WireFaultKind.MALFORMED
        return Delivery(
            steps=steps,
            length=length,
            stopping=self._stopping,
            done=_nothing if broken else partial(self._book.deliver, charge),
        )

    def _steps(
        self, due: Due, charge: Charge, asked: Asked, fault: WireFault | None
    ) -> tuple[Sequence[Step], int | None]:
        """What is written, and the length of a plain body."""
        told = fault is None or fault.kind is not WireFaultKind.WITHOUT_USAGE
        if asked.stream:
            written = events(due.response, charge, include_usage=told and asked.include_usage)
            return steps_of(stream_of(written, fault), fault), None
        pieces = body_of(json.dumps(completion(due.response, charge, include_usage=told)), fault)
        return steps_of(pieces, fault), sum(map(len, pieces))

    def _strike(
        self, due: Due, asked: Asked, request: Request, *, kinds: Collection[WireFaultKind] = _ANY
    ) -> WireFault | None:
        if not due.faults or asked.model != self._model_names[0]:
            return None
        connection_of(request.scope)  # raises before a fault that cannot be carried out counts as carried out
        return self._book.strike(due, kinds=kinds)

    def _authenticate(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        if not secrets.compare_digest(given.encode(), f"Bearer {self._api_key}".encode()):
            raise _RefusedError(401, "Incorrect API key provided.", code="invalid_api_key")

    def _read(self, body: bytes) -> Asked:
        try:
            asked = Asked.model_validate_json(body)
        except ValidationError as error:
            raise _RefusedError(400, f"The request could not be read: {summary_of(error)}") from error
        if asked.model not in self._model_names:
            served = " and ".join(map(repr, self._model_names))
            message = f"The model {asked.model!r} does not exist here; served is {served}."
            raise _RefusedError(404, message, code="model_not_found")
        return asked

    def _due(self, asked: Asked) -> Due:
        try:
            return self._book.due(asked.conversation, offered=asked.offered)
        except UnscriptedRequestError as error:
            raise _RefusedError(400, str(error), code="unscripted") from error

    async def _take(self, seconds: float) -> None:
        if await stopped_within(seconds, self._stopping):
            raise _RefusedError(503, "The local provider was stopped while the model was at work.")


def _nothing() -> None:
    """What is done about an answer that nobody can read."""


async def _refusal(_request: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, _RefusedError) else 500
    code = error.code if isinstance(error, _RefusedError) else None
    return error_response(status, str(error), code=code)


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return error_response(status, f"Invalid URL ({request.method} {request.url.path})")
