"""Spans of the application, and what they say about tools and model responses.

Problem: the application logs through the process's default logfire instance, which its host may have
configured to send to somewhere, and its agents may or may not be instrumented.

Mechanism: while recording, the default instance's tracer provider is exchanged for one whose only
processor is this module's, and all agents are instrumented with it. Start and end are taken from the
run's own clock in the task that starts and ends the span; a span's wall-clock times are not used.

Guarantee: nothing is exported and nothing printed, also if the host configured an exporter; afterwards
provider and instrumentation are what they were. If the application configures logfire anew meanwhile, or
instruments an agent with a provider of its own, the record is absent and says so. Messages and tool
arguments are not kept.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import logfire
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id
from pydantic_ai import Agent
from pydantic_ai.models.instrumented import InstrumentationSettings

from harness.errors import MissingEvidence
from harness.evidence import ErrorSource, Interval, ModelResponseSeen, Record, SpanRecord, ToolOutcome
from harness.observe.attribution import current_tool, current_tool_call, current_turn
from harness.observe.recorder import Context
from harness.observe.tool_log import OpenRun
from harness.stacks import capture

__all__ = ["SpansRecorder"]

ERROR_LEVEL: Final = 17
"""OpenTelemetry's severity number of an error, which logfire uses for its levels."""
_LONGEST_TEXT: Final = 2000
_CONTENT = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
)
_CONTENT_PREFIXES = (
    "pydantic_ai.all_messages",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "final_result",
)
_CANCELLED = (asyncio.CancelledError, GeneratorExit)
_UNSEEN = (
    "no span was seen for tool call {!r}: its agent is instrumented with a tracer provider of its own, "
    "or not at all; leave `Agent(instrument=...)` unset"
)
_NOISE = ("logfire.json_schema", "model_request_parameters")


class SpansRecorder:
    """Records `spans` and `responses`; errors and tools go to their logs."""

    name = "spans"
    fields = ("spans", "responses")

    def __init__(self) -> None:
        self._context: Context | None = None
        self._processor: _Processor | None = None
        self._restore: list[Callable[[], None]] = []

    def start(self, context: Context) -> None:
        """Exchange the tracer provider, and instrument all agents."""
        if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
            raise MissingEvidence("OTEL_SDK_DISABLED is set, so that no span is made; unset it")
        self._context = context
        self._processor = _Processor(context)
        provider = TracerProvider(sampler=ALWAYS_ON, resource=Resource.get_empty(), shutdown_on_exit=False)
        provider.add_span_processor(self._processor)
        self._restore = [_divert_logfire(provider), _instrument_agents(provider)]

    def stop(self) -> None:
        """Put everything back; raises `MissingEvidence` if spans may have gone elsewhere."""
        while self._restore:
            self._restore.pop()()

    def records(self) -> Mapping[str, Record[Any]]:
        """The `spans`, and the model `responses` among them."""
        if self._context is None or self._processor is None:
            return {field: Record.absent("spans", "it was not started") for field in self.fields}
        if calls := self._context.tools.calls_without_span():
            return {field: Record.absent("spans", _UNSEEN.format(calls[0])) for field in self.fields}
        return {
            "spans": Record.of("spans", self._processor.spans()),
            "responses": Record.of("responses", self._processor.responses),
        }


@dataclass(frozen=True, slots=True)
class _OpenSpan:
    start: float
    turn: str | None
    previous: tuple[str | None, str | None]
    tool: OpenRun | None


class _Processor(SpanProcessor):
    """Takes spans as they start and end, in the task that does it, and makes records of them when asked.

    A span that has ended changes no more, and the turn that ended it need not wait for texts to be searched.
    """

    def __init__(self, context: Context) -> None:
        self.responses: list[ModelResponseSeen] = []
        self._context = context
        self._open: dict[int, _OpenSpan] = {}
        self._ended: list[tuple[ReadableSpan, _OpenSpan, float]] = []
        self._exceptions: dict[int, BaseException] = {}

    def on_start(self, span: Span, parent_context: Any = None) -> None:  # noqa: ARG002  # the interface's
        """Note the time and the turn; a tool's span tells which tool call runs in this task from now on."""
        key = _key(span)
        attributes = span.attributes or {}
        previous, tool = (current_tool.get(), current_tool_call.get()), None
        call = attributes.get("gen_ai.tool.call.id")
        if attributes.get("gen_ai.operation.name") == "execute_tool" and isinstance(call, str):
            name = str(attributes.get("gen_ai.tool.name"))
            current_tool.set(name)
            current_tool_call.set(call)
            tool = self._context.tools.begin(name, call, from_span=True)
        self._open[key] = _OpenSpan(self._context.clock(), current_turn.get(), previous, tool)
        self._keep_exceptions(span, key)

    def on_end(self, span: ReadableSpan) -> None:
        """Note the time, and what other records have to know."""
        key = _key(span)
        opened = self._open.pop(key, None)
        error = self._exceptions.pop(key, None)
        if opened is None:  # it began before the recording
            return
        self._ended.append((span, opened, self._context.clock()))
        if _is_error(span) and not isinstance(error, _CANCELLED):
            self._add_error(span, error)
        if (span.attributes or {}).get("gen_ai.operation.name") == "chat":
            self._add_response(span, opened)
        if opened.tool is not None:
            outcome = ToolOutcome.RAISED if _is_error(span) else ToolOutcome.RETURNED
            kind = _event(span).get("exception.type") if outcome is ToolOutcome.RAISED else None
            self._context.tools.end(opened.tool, outcome, error_type=str(kind) if kind else None)
            current_tool.set(opened.previous[0])
            current_tool_call.set(opened.previous[1])

    def _keep_exceptions(self, span: Span, key: int) -> None:
        """A span's event has an exception's text only; its code and its causes are in the exception."""
        original = span.record_exception

        def record_exception(exception: BaseException, *args: Any, **kwargs: Any) -> None:
            self._exceptions[key] = exception
            original(exception, *args, **kwargs)

        span.record_exception = record_exception  # type: ignore[method-assign]  # of this one span

    def spans(self) -> list[SpanRecord]:
        """The spans that have ended, in the order in which they did."""
        return [self._record(*ended) for ended in self._ended]

    def _record(self, span: ReadableSpan, opened: _OpenSpan, end: float) -> SpanRecord:
        return SpanRecord(
            name=self._context.redactor.text(span.name),
            interval=Interval(start=opened.start, end=end),
            trace_id=format_trace_id(span.context.trace_id),
            span_id=format_span_id(span.context.span_id),
            parent_id=format_span_id(span.parent.span_id) if span.parent else None,
            error=_is_error(span),
            attributes=self._attributes(span),
            turn=opened.turn,
            tool_call_id=opened.previous[1],
        )

    def _add_error(self, span: ReadableSpan, error: BaseException | None) -> None:
        attributes, event = span.attributes or {}, _event(span)
        said = str(attributes.get("logfire.msg") or span.status.description or span.name)
        scope = span.instrumentation_scope.name if span.instrumentation_scope else None
        if error is not None:
            message = f"{said}: {event.get('exception.message') or error}"
            self._context.errors.add_exception(ErrorSource.SPAN, error, message=message, logger=scope)
            return
        kind = str(event.get("exception.type") or f"{scope or 'span'}.{span.name}")
        self._context.errors.add_message(ErrorSource.SPAN, kind, said, logger=scope, stack=capture())

    def _add_response(self, span: ReadableSpan, opened: _OpenSpan) -> None:
        attributes = span.attributes or {}
        tokens = [attributes.get(f"gen_ai.usage.{kind}_tokens") for kind in ("input", "output")]
        response_id, model = attributes.get("gen_ai.response.id"), attributes.get("gen_ai.response.model")
        if all(value is None for value in (*tokens, response_id, model)):  # the request failed
            return
        prompt, completion = (count if isinstance(count, int) else 0 for count in tokens)
        self.responses.append(
            ModelResponseSeen(
                turn=opened.turn,
                response_id=None if response_id is None else str(response_id),
                model=None if model is None else str(model),
                prompt_tokens=prompt,
                completion_tokens=completion,
            )
        )

    def _attributes(self, span: ReadableSpan) -> Mapping[str, object]:
        redact = self._context.redactor.attribute
        kept = {name: value for name, value in (span.attributes or {}).items() if not _is_content(name)}
        return {name: _cut(redact(name, value)) for name, value in kept.items()}


def _divert_logfire(provider: TracerProvider) -> Callable[[], None]:
    """Let the default instance make its spans with `provider`; returns what undoes it."""
    config = logfire.DEFAULT_LOGFIRE_INSTANCE.config
    proxy = config.get_tracer_provider()
    previous: Any = proxy.provider
    configured = config._initialized  # noqa: SLF001  # there is no public way to ask
    config._initialized = True  # noqa: SLF001  # or it warns that its spans go nowhere
    proxy.set_provider(provider)

    def restore() -> None:
        replaced = proxy.provider is not provider
        if not replaced:
            proxy.set_provider(previous)
            config._initialized = configured  # noqa: SLF001  # see above
        if replaced:
            raise MissingEvidence(
                "the application configured logfire while it was observed, and took its spans with it; "
                "call `logfire.configure` when the application starts"
            )

    return restore


def _instrument_agents(provider: TracerProvider) -> Callable[[], None]:
    previous = Agent._instrument_default  # noqa: SLF001  # it can be set publicly, but not read
    settings = InstrumentationSettings(
        tracer_provider=provider,
        meter_provider=NoOpMeterProvider(),
        include_model_request_parameters=False,  # noise, which takes long to write down
    )
    Agent.instrument_all(settings)
    return lambda: Agent.instrument_all(previous)


def _key(span: ReadableSpan) -> int:
    return int(span.context.span_id)


def _is_error(span: ReadableSpan) -> bool:
    level = (span.attributes or {}).get("logfire.level_num")
    return span.status.status_code is StatusCode.ERROR or (isinstance(level, int) and level >= ERROR_LEVEL)


def _event(span: ReadableSpan) -> Mapping[str, Any]:
    """The attributes of a span's last exception event."""
    found = [event.attributes for event in span.events if event.name == "exception" and event.attributes]
    return found[-1] if found else {}


def _is_content(name: str) -> bool:
    return name in _CONTENT or name in _NOISE or name.startswith(_CONTENT_PREFIXES)


def _cut(value: object) -> object:
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return value[:_LONGEST_TEXT] + "…"
    return value
