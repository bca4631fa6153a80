"""Tools and model responses, through a real agent without a network."""

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import logfire
import pytest
from opentelemetry.sdk.trace import TracerProvider
from pydantic_ai import ModelRetry, RunContext, ToolFailed
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import AbstractToolset, ToolsetTool
from pydantic_core import SchemaValidator, core_schema
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from harness.evidence import ErrorSource, ToolOutcome, ToolRun
from harness.observe.attribution import current_tool, current_tool_call, current_turn
from harness.observe.observation import Observation
from harness.observe.tools import ToolsRecorder
from tests.observe.agents import agent_with


def runs_of(observation: Observation) -> dict[str, ToolRun]:
    return {run.tool: run for run in observation.records["tools"]}


async def test_parallel_tools_run_in_tasks_of_their_own_and_overlap(engine: AsyncEngine) -> None:
    """Two tools that wait for each other end: both are running, each in a task named after it."""
    met = asyncio.Barrier(2)

    async def left() -> str:
        await met.wait()
        return current_tool_call.get() or ""

    async def right() -> None:
        await met.wait()

    current_turn.set("t1")
    async with Observation(engine) as observation:
        await agent_with(left, right).run("go")

    runs = runs_of(observation)
    assert runs["left"].interval.overlap(runs["right"].interval) > 0
    assert [(run.tool_call_id, run.turn, run.task) for run in runs.values()] == [
        ("call-left", "t1", "left"),
        ("call-right", "t1", "right"),
    ]
    assert {run.outcome for run in runs.values()} == {ToolOutcome.RETURNED}
    spans = {span.name: span for span in observation.records["spans"]}
    assert spans["execute_tool left"].interval.overlap(runs["left"].interval) == pytest.approx(
        runs["left"].interval.seconds
    )
    assert spans["execute_tool left"].parent_id == spans["invoke_agent tested"].span_id


async def test_model_responses_are_seen_with_their_tokens(engine: AsyncEngine) -> None:
    """One record per response of the model, in the turn that asked for it."""

    async def tool() -> None:
        """Do nothing."""

    current_turn.set("t1")
    async with Observation(engine) as observation:
        await agent_with(tool).run("go")

    responses = observation.records["responses"].items
    assert [(seen.turn, seen.prompt_tokens, seen.completion_tokens) for seen in responses] == [
        ("t1", 10, 1),
        ("t1", 20, 2),
    ]


async def test_messages_and_arguments_are_not_kept(engine: AsyncEngine) -> None:
    """What users and models say is not in the spans."""

    async def tool() -> str:
        return "a patient's record"

    async with Observation(engine) as observation:
        await agent_with(tool).run("a patient's question")

    assert "patient" not in repr(observation.records)


@dataclass
class ToldToModel(AbstractCapability[Any]):
    """An application that tells the model about failures, so that its runs succeed."""

    async def on_tool_execute_error(self, ctx: Any, *, error: Exception, **_: Any) -> str:
        return f"failed: {error}"


async def test_an_error_that_was_turned_into_a_result_is_seen(engine: AsyncEngine) -> None:
    """The run succeeds and the tool's span is fine: only where the function was called is the error."""

    async def tool() -> None:
        raise LookupError("not here")

    async with Observation(engine) as observation:
        await agent_with(tool, capabilities=[ToldToModel()]).run("go")

    run = runs_of(observation)["tool"]
    assert (run.outcome, run.error_type) == (ToolOutcome.RAISED, "LookupError")
    assert not any(span.error for span in observation.records["spans"])
    (error,) = observation.records["errors"].items
    assert (error.source, error.type, error.tool_call_id) == (ErrorSource.RAISED, "LookupError", "call-tool")
    assert error.stack[-1].endswith("tool")


@pytest.mark.parametrize("kind", [ModelRetry, ToolFailed])
async def test_control_flow_shows_its_cause(engine: AsyncEngine, kind: type[Exception]) -> None:
    """A tool that asks the model to try again has raised, and the reason is in the chain."""
    asked: list[None] = []

    async def tool() -> None:
        if not asked:
            asked.append(None)
            raise kind("again") from LookupError("not here")

    async with Observation(engine) as observation:
        await agent_with(tool).run("go")

    raised = next(error for error in observation.records["errors"] if error.source is ErrorSource.RAISED)
    assert raised.type == f"pydantic_ai.exceptions.{kind.__name__}"
    assert raised.chain == ("LookupError",)


async def test_a_cancelled_tool_is_unfinished_and_no_error(engine: AsyncEngine) -> None:
    """When one tool raises, its sibling is cancelled: that is no failure of the sibling's."""

    async def failing() -> None:
        raise LookupError

    async def waiting() -> None:
        await asyncio.Event().wait()

    async with Observation(engine) as observation:
        with pytest.raises(LookupError):
            await agent_with(waiting, failing).run("go")

    assert runs_of(observation)["waiting"].outcome is ToolOutcome.UNFINISHED
    assert {error.type for error in observation.records["errors"]} == {"LookupError"}


async def test_a_nested_agent_s_tools_do_not_stay_in_the_outer_tool(engine: AsyncEngine) -> None:
    """A tool that runs an agent is itself again after that agent's tools."""
    seen: list[tuple[str | None, str | None]] = []

    async def inner() -> None:
        seen.append((current_tool.get(), current_tool_call.get()))

    async def outer() -> None:
        await agent_with(inner).run("deeper")
        seen.append((current_tool.get(), current_tool_call.get()))

    async with Observation(engine) as observation:
        await agent_with(outer).run("go")

    assert seen == [("inner", "call-inner"), ("outer", "call-outer")]
    assert (current_tool.get(), current_tool_call.get()) == (None, None)
    assert sorted(runs_of(observation)) == ["inner", "outer"]


async def test_the_end_of_each_tool_is_told(engine: AsyncEngine) -> None:
    """Who asked is told of each call that ends, also of one that raised."""
    ended: list[str] = []

    async def fine() -> None:
        """Do nothing."""

    async def failing() -> None:
        raise LookupError

    async with Observation(engine) as observation:
        observation.on_tool_end(ended.append)
        await agent_with(fine, failing, capabilities=[ToldToModel()]).run("go")

    assert set(ended) == {"call-fine", "call-failing"}


async def test_a_tool_s_statements_are_attributed_to_it(engine: AsyncEngine) -> None:
    """Statements carry turn, tool call and task of the tool that ran them."""

    async def tool() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    current_turn.set("t1")
    async with Observation(engine) as observation:
        await agent_with(tool).run("go")

    (statement,) = observation.records["statements"].items
    assert (statement.turn, statement.tool_call_id, statement.task) == ("t1", "call-tool", "tool")


class OwnToolset(AbstractToolset[None]):
    """A toolset that calls what it likes, and is no set of functions."""

    def __init__(self, seen: list[tuple[str | None, str | None]]) -> None:
        self.seen = seen

    @property
    def id(self) -> str | None:
        return None

    async def get_tools(self, ctx: RunContext[None]) -> dict[str, ToolsetTool[None]]:
        schema: dict[str, Any] = {"type": "object", "properties": {}}
        definition = ToolDefinition(name="look", parameters_json_schema=schema)
        validator = SchemaValidator(core_schema.any_schema())
        return {"look": ToolsetTool(toolset=self, tool_def=definition, max_retries=1, args_validator=validator)}

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[None], tool: ToolsetTool[None]
    ) -> Any:
        self.seen.append((current_tool.get(), current_tool_call.get()))
        return "seen"


async def test_a_call_of_another_toolset_knows_its_name_and_identifier(engine: AsyncEngine) -> None:
    """Without spans, too; what is wrapped around it is none of its own, and all is put back at the end."""
    seen: list[tuple[str | None, str | None]] = []
    agent = agent_with(toolsets=[OwnToolset(seen).prefixed("own")])
    original = OwnToolset.call_tool

    async with Observation(engine, recorders=[ToolsRecorder()]):
        assert OwnToolset.call_tool is not original
        await agent.run("go")
    await agent.run("go")

    assert seen == [("look", "call-own_look"), (None, None)]
    assert OwnToolset.call_tool is original


async def test_an_agent_with_a_provider_of_its_own_makes_spans_absent(engine: AsyncEngine) -> None:
    """Spans that go elsewhere are not mistaken for none; tools are seen all the same."""

    async def tool() -> None:
        """Do nothing."""

    agent = agent_with(tool)
    agent.instrument = InstrumentationSettings(tracer_provider=TracerProvider(shutdown_on_exit=False))
    async with Observation(engine) as observation:
        await agent.run("go")

    assert "call-tool" in (observation.records["spans"].missing or "")
    assert observation.records["responses"].missing
    assert runs_of(observation)["tool"].outcome is ToolOutcome.RETURNED


async def test_a_provider_that_was_exchanged_makes_spans_absent(engine: AsyncEngine) -> None:
    """If logfire is given another provider meanwhile, that one stays, and the record says what happened."""
    proxy = logfire.DEFAULT_LOGFIRE_INSTANCE.config.get_tracer_provider()
    previous: Any = proxy.provider
    other = TracerProvider(shutdown_on_exit=False)

    async with Observation(engine) as observation:
        proxy.set_provider(other)
    kept = proxy.provider
    proxy.set_provider(previous)

    assert "configured logfire" in (observation.records["spans"].missing or "")
    assert observation.records["errors"].missing
    assert kept is other


HOST = """
import asyncio, os, sys
connected = []
sys.addaudithook(lambda name, arguments: connected.append(arguments) if name == "socket.connect" else None)
import logfire
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy.ext.asyncio import create_async_engine
from harness.observe.observation import Observation
from harness.observe.tools import ToolsRecorder

async def observe(name):
    async with Observation(create_async_engine("postgresql+asyncpg://u:p@localhost/d")) as observation:
        logfire.error(name)
    return [span.name for span in observation.records["spans"]]

print(asyncio.run(observe("unconfigured")))
del os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]
exporter = InMemorySpanExporter()
logfire.configure(
    send_to_logfire=False, console=False, additional_span_processors=[SimpleSpanProcessor(exporter)]
)
logfire.info("before")
print(asyncio.run(observe("configured")))
logfire.info("after")
print([span.name for span in exporter.get_finished_spans()], connected)
"""
PRINTED = """\
['unconfigured']
['configured']
['before', 'after'] []
"""


def test_nothing_leaves_the_process(tmp_path: Path) -> None:
    """A host's exporter gets its own spans and no observed one; nothing is connected to, or printed."""
    host = tmp_path / "host.py"  # a file, because logfire looks at the source of its callers
    host.write_text(HOST)

    run = subprocess.run(
        [sys.executable, "-W", "error", str(host)],
        env={
            "LOGFIRE_TOKEN": "pylf_v1_eu_0123456789",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert run.stderr == ""
    assert run.stdout == PRINTED
