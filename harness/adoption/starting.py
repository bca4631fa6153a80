"""`prepare` and `start` of the adapter: how the project comes to use the database that it is given."""

from collections.abc import Iterator, Sequence

from harness.adoption.choice import Choices
from harness.adoption.code import INDENT, WIDTH, Bracketed, Element, call, comment, docstring, harmless, lay, quoted
from harness.adoption.found import Agent, EngineSource, Metadata, Migrations, Survey, Way
from harness.adoption.given import Given, service_of
from harness.adoption.page import Page

__all__ = ["answered_function", "bound_function", "engine_function", "prepare", "start"]

_BODY = INDENT * 2
_INNER = INDENT * 3


def prepare(page: Page, survey: Survey) -> list[str]:
    """The method that makes the schema."""
    lines = [f"{INDENT}async def prepare(self, database_url: str) -> None:"]
    if survey.metadata:
        return lines + list(_by_metadata(page, survey.metadata))
    if survey.migrations is not None:
        return lines + list(_by_migrations(page, survey, survey.migrations))
    lines += docstring("Make the tables, in an empty database.", indent=_BODY)
    sentence = (
        "make the project's tables at the URL; no metadata with tables (a DeclarativeBase, SQLModel, or MetaData) "
        "and no alembic.ini was found"
    )
    return lines + page.left_open("prepare", sentence, indent=_BODY)


def _by_metadata(page: Page, found: Sequence[Metadata]) -> Iterator[str]:
    page.from_package("sqlalchemy", "NullPool")
    page.from_package("sqlalchemy.ext.asyncio", "create_async_engine")
    yield from docstring("Make the tables, in an empty database.", indent=_BODY)
    yield from lay("engine = ", call("create_async_engine", "database_url", poolclass="NullPool"), indent=_BODY)
    yield f"{_BODY}async with engine.begin() as connection:"
    if any(each.vectors for each in found):
        page.from_package("sqlalchemy", "text")
        yield from _executed("CREATE EXTENSION IF NOT EXISTS vector")
    for schema in dict.fromkeys(name for each in found for name in each.schemas):
        page.from_package("sqlalchemy.schema", "CreateSchema")
        inner = call("CreateSchema", quoted(schema), if_not_exists="True")
        yield from lay("await connection.", call("execute", inner), indent=_INNER)
    for each in found:
        metadata = page.project(each.module, each.path)
        yield from comment(each.place, indent=_INNER)
        yield from lay("await connection.", call("run_sync", f"{metadata}.create_all"), indent=_INNER)
    yield f"{_BODY}await engine.dispose()"
    yield from comment("Insert here what the tools need to find: a customer, a document.", indent=_BODY)


def _executed(sql: str) -> list[str]:
    return lay("await connection.", call("execute", call("text", quoted(sql))), indent=_INNER)


def _by_migrations(page: Page, survey: Survey, found: Migrations) -> Iterator[str]:
    page.module("asyncio")
    page.from_package("pathlib", "Path")
    page.from_package("alembic", "command")
    page.from_package("alembic.config", "Config")
    page.needs.add("root")
    yield from docstring("Make the tables in an empty database, by the migrations.", indent=_BODY)
    yield from lay("config = ", call("Config", f"ROOT / {quoted(found.file)}"), indent=_BODY)
    yield f'{_BODY}config.set_main_option("sqlalchemy.url", database_url.replace("%", "%%"))'
    if not found.scripts.startswith(("%(here)s", "/")) and ":" not in found.scripts:
        folder = call("str", f"ROOT / {quoted(found.scripts)}")
        yield from lay("config.", call("set_main_option", quoted("script_location"), folder), indent=_BODY)
    names = [each.name for each in survey.placeholders if each.is_url]
    if names:
        page.module("os")
        page.from_package("unittest.mock", "patch")
        told = Bracketed(
            opening="{", elements=[Element(f"{quoted(name)}: ", "database_url") for name in names], closing="}"
        )
        yield from comment("Its env.py may read the URL from the environment.", indent=_BODY)
        yield from lay("with ", call("patch.dict", "os.environ", told), indent=_BODY, suffix=":")
        yield f'{_INNER}await asyncio.to_thread(command.upgrade, config, "head")'
    else:
        yield f'{_BODY}await asyncio.to_thread(command.upgrade, config, "head")'


def start(page: Page, survey: Survey, choices: Choices, application: str) -> list[str]:
    """The method that starts the project with the settings of one cell; call it when `send` is written."""
    page.from_package("contextlib", "AsyncExitStack", "asynccontextmanager")
    page.from_package("collections.abc", "AsyncIterator")
    lines = [
        f"{INDENT}@asynccontextmanager",
        f"{INDENT}async def start(self, settings: BackendSettings) -> AsyncIterator[{application}]:",
    ]
    if len(lines[1]) > WIDTH:
        lines[1:] = lay(
            "async def start",
            Bracketed(
                opening="(",
                elements=[Element("self", ""), Element("settings: BackendSettings", "")],
                closing=f") -> AsyncIterator[{application}]:",
            ),
            indent=INDENT,
        )
    lines += docstring("Start the project on one database, and put everything back at the end.", indent=_BODY)
    lines.append(f"{_BODY}engine = _engine(settings)")
    if "served" in page.needs:
        lines.append(f"{_BODY}self._model = settings.model.model_name")
    lines.append(f"{_BODY}async with AsyncExitStack() as stack:")
    lines.append(f"{_INNER}stack.push_async_callback(engine.dispose)")
    for engine in {each.maker or each.key: each for each in choices.engines}.values():
        lines += _replaced(page, engine)
    lines += _rebound(page, choices)
    given = Given(page=page, survey=survey, choices=choices, starting=True)
    if choices.agent.way is Way.FUNCTION:
        lines += _made_agent(page, choices.agent)
    for each in (choices.agent, *choices.helpers):
        if each.way is Way.INSIDE:
            lines += _answered(page, each)
    if choices.route is not None:
        lines += _app(page, choices, given)
    if "service" in page.needs and choices.entry is not None:
        made = given.instance(service_of(choices.entry), choices.entry.name)
        lines += comment(f"{choices.entry.path} ({choices.entry.place}) is a method of this.", indent=_INNER)
        lines += lay("service = ", made, indent=_INNER)
    if "sessions" in page.needs:
        lines += lay("sessions = ", given.made_sessions(choices.sessions), indent=_INNER)
    return [*lines, *_yielded(page, application)]


def _yielded(page: Page, application: str) -> list[str]:
    fields = {"engine": "engine", "model": "settings.model", "database_url": "settings.database_url"}
    fields |= {name: name for name in ("client", "agent", "service", "sessions")}
    elements = [Element(f"{name}=", fields[name]) for name in fields if name in {*page.needs, "engine", "model"}]
    return lay("yield ", Bracketed(opening=f"{application}(", elements=elements, closing=")"), indent=_INNER)


def _replaced(page: Page, engine: EngineSource) -> Iterator[str]:
    page.from_package("unittest.mock", "patch")
    if engine.way is Way.GLOBAL:
        said = f"{engine.place} makes the engine as it is imported: it is replaced where it has a name."
        yield from comment(said, indent=_INNER)
        for holder in engine.holders:
            yield from _patched(holder, "engine")
        return
    said = f"{engine.path} ({engine.place}) makes the engine: what it calls for that gives ours."
    yield from comment(said, indent=_INNER)
    yield from _patched(engine.maker, "lambda *_, **__: engine")
    for name in engine.globals:
        yield from _patched(name, "None")
    for name in engine.caches:
        module, _, function = name.rpartition(".")
        cached = page.project(module, function)
        yield from comment(f"{function} keeps what it has made.", indent=_INNER)
        yield f"{_INNER}{cached}.cache_clear()"
        yield f"{_INNER}stack.callback({cached}.cache_clear)"


def _patched(target: str, replacement: str) -> list[str]:
    inner = call("patch", quoted(target), replacement)
    return lay("stack.", call("enter_context", inner), indent=_INNER)


def _rebound(page: Page, choices: Choices) -> Iterator[str]:
    if choices.bound:
        yield from comment(
            "Whoever has imported the session factory has the same one: it is bound to ours.", indent=_INNER
        )
    for each in choices.bound:
        page.needs.add("bound")
        factory = page.project(each.module, each.path)
        yield from lay("stack.", call("enter_context", call("_bound", factory, "engine")), indent=_INNER)


def _made_agent(page: Page, agent: Agent) -> Iterator[str]:
    """The agent that a function makes is made once, so that its model can be replaced."""
    page.from_package("unittest.mock", "patch")
    page.needs.add("agent")
    maker = page.project(agent.module, agent.path)
    yield from comment(f"{agent.path} ({agent.place}) makes the agent: it gives one that we know.", indent=_INNER)
    yield f"{_INNER}agent = {maker}()"
    for holder in agent.holders:
        yield from _patched(holder, "lambda *_, **__: agent")


def _answered(page: Page, agent: Agent) -> Iterator[str]:
    """An agent that nobody can reach is made as one that the given model answers."""
    page.from_package("unittest.mock", "patch")
    page.needs.add("answered")
    yield from comment(
        f"{agent.path} ({agent.place}) makes the agent where nobody can reach it: it is made with the given model.",
        indent=_INNER,
    )
    yield from _patched(agent.maker, "_answered(settings.model)")


def answered_function(page: Page) -> list[str]:
    """The function that makes such a class of agents, if it is needed."""
    if "answered" not in page.needs:
        return []
    page.from_package("pydantic_ai", "Agent")
    page.from_package("typing", "Any")
    return [
        "",
        "",
        "def _answered(model: Model) -> type[Agent]:",
        f'{INDENT}"""Agents that a model answers, whatever model they are made with."""',
        "",
        f"{INDENT}class Answered(Agent):",
        f"{_BODY}def __class_getitem__(cls, types: Any) -> Any:",
        f"{_INNER}return cls",
        "",
        f"{_BODY}def __init__(self, *given: Any, **named: Any) -> None:",
        f'{_INNER}named.pop("model", None)',
        f"{_INNER}super().__init__(model, *given[1:], **named)",
        "",
        f"{INDENT}return Answered",
    ]


def _app(page: Page, choices: Choices, given: Given) -> Iterator[str]:
    page.module("httpx2")
    page.needs.add("client")
    app = choices.app
    if app is None:
        todo = page.todo("application", "return the ASGI application that has the route; no FastAPI was found")
        yield f"{_INNER}app = {todo}"
    elif app.way is Way.FUNCTION:
        maker = page.project(app.module, app.path)
        made = Bracketed(opening=f"{maker}(", elements=given.arguments(app.parameters, app.name), closing=")")
        yield from comment(f"The application is made anew ({app.place}).", indent=_INNER)
        yield from lay("app = ", made, indent=_INNER)
    else:
        yield f"{_INNER}app = {page.project(app.module, app.path)}"
    if choices.agent.way is Way.FUNCTION:
        maker = page.project(choices.agent.module, choices.agent.path)
        yield f"{_INNER}app.dependency_overrides[{maker}] = lambda: agent"
    yield f"{_INNER}await stack.enter_async_context(app.router.lifespan_context(app))"
    client = call(
        "httpx2.AsyncClient",
        transport=call("httpx2.ASGITransport", app="app"),
        base_url=quoted("http://app"),
        timeout="None",
    )
    yield from lay("client = await stack.", call("enter_async_context", client), indent=_INNER)


def engine_function(page: Page, choices: Choices) -> list[str]:
    """The function that makes the engine of a cell, with the options of the project's that are literal."""
    page.from_package("sqlalchemy", "NullPool")
    page.from_package("sqlalchemy.ext.asyncio", "AsyncEngine", "create_async_engine")
    first = choices.engines[0] if choices.engines else None
    lines = ["", "", "def _engine(settings: BackendSettings) -> AsyncEngine:"]
    lines += docstring("The engine of one cell: its database, and its pool.", indent=INDENT)
    lines.append(f"{INDENT}pool = settings.pool")
    sizes = Bracketed(
        opening="{",
        elements=[
            Element('"pool_size": ', "pool.size"),
            Element('"max_overflow": ', "pool.max_overflow"),
            Element('"pool_timeout": ', "pool.timeout"),
        ],
        closing="}",
    )
    lines += lay("sizes = ", sizes, indent=INDENT)
    lines.append(f'{INDENT}options = {{"poolclass": NullPool}} if pool.null else sizes')
    for name, text in () if first is None else first.options:
        lines += comment(f"The project's own also has {name}={harmless(text)} ({first.place}).", indent=INDENT)  # type: ignore[union-attr]  # it has options
    made = call("create_async_engine", "settings.database_url", pool_pre_ping="pool.pre_ping")
    made = Bracketed(opening=made.opening, elements=[*made.elements, Element("**options", "")], closing=")")
    return [*lines, *lay("return ", made, indent=INDENT)]


def bound_function(page: Page) -> list[str]:
    """The function that gives a session factory another engine, if it is needed."""
    if "bound" not in page.needs:
        return []
    page.from_package("contextlib", "contextmanager")
    page.from_package("collections.abc", "Iterator")
    page.from_package("typing", "Any")
    return [
        "",
        "",
        "@contextmanager",
        "def _bound(factory: Any, engine: AsyncEngine) -> Iterator[None]:",
        f'{INDENT}"""Let a session factory use an engine for a while."""',
        f'{INDENT}before = factory.kw.get("bind")',
        f"{INDENT}factory.configure(bind=engine)",
        f"{INDENT}try:",
        f"{INDENT}{INDENT}yield",
        f"{INDENT}finally:",
        f"{INDENT}{INDENT}factory.configure(bind=before)",
    ]
