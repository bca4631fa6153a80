"""Writes the adapter: a module with a `Backend` object, for what was chosen of what was found.

Guarantee: the text is Python that ruff's formatter leaves as it is, whatever names the project has. What was not
found is a function that raises `NotImplementedError` with a sentence about what to write there, and is told by
`sessionproof check-backend` before anything is run; a value that was made up is marked where it stands.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from harness.adoption.billing import bill_method, ledger_functions, needs_prices, read_method, turn_functions
from harness.adoption.choice import Choices
from harness.adoption.code import INDENT, comment, docstring, lay, quoted
from harness.adoption.found import Kind, Parameter, Survey
from harness.adoption.page import Page, Todo, words_of
from harness.adoption.sending import Sending
from harness.adoption.starting import answered_function, bound_function, engine_function, prepare, start
from harness.adoption.tenants import tenant
from harness.adoption.words import words

__all__ = ["Adapter", "write_adapter"]

_TAKEN = words(
    "_answered _aware _bill _bill_of _bound _decimal _engine _ledger_row _model _note_turn _priced _turn _turns "
    "_uuid ACCOUNT AGENT Agent agent Answer answer Answered Any app async_sessionmaker AsyncConnection "
    "asynccontextmanager AsyncEngine AsyncExitStack asyncio AsyncIterator backend BackendError BackendSettings "
    "bill body calc_price Capability cast ChatRequest client command completion Config config connection "
    "contextmanager ContextVar conversation create_async_engine CreateSchema dataclass datetime Decimal engine "
    "event factory field given httpx2 import_module Iterator LedgerRow Model name named NullPool options os parts "
    "patch Path path pool prompt query quote request response result ROOT row RowMapping rows select self "
    "Sequence served session SessionMode sessions settings sizes stack table TENANT Tenant Text text ToolRole "
    "ToolUse total Usage UTC UUID"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """The text of the module, what is left to do in it, and what it does without."""

    text: str
    todos: Sequence[Todo]
    lacking: Sequence[Todo]
    passed_over: str = ""
    """Which routes no message is sent to, and what is run in their place; empty if there are none."""


def write_adapter(survey: Survey, choices: Choices, *, project: str, root: str = "..") -> Adapter:
    """The adapter of a project; `root` is the way from the adapter's folder to the project's.

    The name `project` is only shown, and made into names of classes.
    """
    page = Page()
    page.reserve(_TAKEN)
    stem = "".join(word.title() for word in words_of(project)) or "Project"
    stem = stem if stem[0].isalpha() else f"Project{stem}"
    application, backend = page.name(f"{stem}Application"), page.name(f"{stem}Backend")
    tenants = tenant(page, choices.agent)
    sending = Sending(page=page, survey=survey, choices=choices)
    send = sending.method()
    if (
        needs_prices(choices.ledger)
        and choices.ledger is not None
        and not {"model"} & {*choices.ledger.columns, *choices.ledger.unfit}
    ):
        page.needs.add("served")
    schema = prepare(page, survey)
    started = start(page, survey, choices, application)
    found = bill_method(page, choices.ledger)
    read = read_method(page, choices.ledger)
    rows = ledger_functions(page, choices.ledger, names_turn=sending.names_turn, by_request=_told_by_request(choices))
    noted = turn_functions(page, choices.ledger)
    helpers = [*engine_function(page, choices), *bound_function(page), *answered_function(page), *rows, *noted]
    classes = [
        *_application(page, application),
        "",
        *send,
        *found,
        "",
        "",
        *_backend(page, choices, backend, project),
        "",
        *schema,
        "",
        *started,
        "",
        *read,
    ]
    body = [*tenants, "", "", *classes, *helpers, *page.todo_functions(), "", "", f"backend = {backend}()"]
    lines = [*_head(page, survey, project, root, choices), *body]
    text = "\n".join(lines) + "\n"
    ast.parse(text)
    return Adapter(
        text=text, todos=(*page.open, *page.todos), lacking=tuple(page.lacking), passed_over=_passed_over(choices)
    )


def _told_by_request(choices: Choices) -> frozenset[str]:
    """The fields of a row that come from the request, as far as the way in says."""
    route, entry = choices.route, choices.entry
    given: Sequence[Parameter] = entry.parameters if entry is not None else ()
    if route is not None:
        parts = [part.fields or (part.value,) for part in route.body]
        given = [*route.path_parameters, *route.query, *route.headers, *(each for part in parts for each in part)]
    kinds = {each.kind for each in given if each.required}
    names = {Kind.ACCOUNT: "account_slug", Kind.AGENT_NAME: "agent_instance_slug"}
    return frozenset(name for kind, name in names.items() if kind in kinds)


def _passed_over(choices: Choices) -> str:
    """That routes reach the agent, and no message goes there."""
    if not choices.passed_over:
        return ""
    entry = choices.entry
    kind = "method" if entry is not None and entry.is_method else "function"
    instead = f"the {kind} {entry.path}" if entry is not None else f"the agent {choices.agent.path} itself"
    told = "; ".join(f"{each.method.upper()} {each.url} ({each.place})" for each in choices.passed_over)
    verified = "" if entry is not None else ", so that nothing of what they do around it is verified"
    return (
        f"Messages go to {instead}, and not to the routes that reach the agent{verified}. Passed over, "
        f"because they answer in pieces: {told}. Name one with --entry to send messages there"
    )


def _head(page: Page, survey: Survey, project: str, root: str, choices: Choices) -> list[str]:
    """Docstring, imports, environment, the project's imports, and constants."""
    page.from_package("harness.backend", "BackendSettings", "Capability", "ChatRequest")
    page.from_package("harness.evidence", "Answer", "LedgerRow")
    page.from_package("harness.scenario", "SessionMode")
    page.from_package("collections.abc", "Sequence")
    page.from_package("dataclasses", "dataclass")
    page.from_package("pydantic_ai.models", "Model")
    if survey.placeholders:
        page.module("os")
    if "root" in page.needs:
        page.from_package("pathlib", "Path")
    metadata = {module for each in survey.metadata for module in each.modules}
    others = sorted(metadata - page.imported_modules)
    if others:
        page.from_package("importlib", "import_module")
    lines = docstring(
        f"The bridge from {project} to sessionproof, as `sessionproof init` wrote it."
        "\n\n"
        "It prepares a database, starts the project on it, sends it messages, and reads its ledger. All of this was "
        "found by reading the sources: nothing was imported or run. Read the comments, and change what is wrong."
        + (f"\n\n{told}." if (told := _passed_over(choices)) else "")
    )
    lines += ["", *page.package_imports(), ""]
    if survey.placeholders:
        lines += _environment(survey)
    lines += [*page.project_imports(late=bool(survey.placeholders)), ""]
    if others:
        lines += comment("These define tables too.")
        lines += [*(f"import_module({quoted(each)})" for each in others), ""]
    if "root" in page.needs:
        lines.append(f"ROOT = Path(__file__).resolve().parent / {quoted(root)}")
    agent = words_of(choices.agent.path.removesuffix(".__init__").rpartition(".")[2])
    lines += lay("ACCOUNT = ", quoted("-".join(words_of(project)).lower() or "project"))
    lines += lay("AGENT = ", quoted("-".join(agent).lower() or "agent"))
    return [*lines, ""]


def _environment(survey: Survey) -> list[str]:
    """What the project must find in the environment when it is imported."""
    lines = comment(
        "The project reads these as it is imported. They lead nowhere: the model and the database are given below, and "
        "no other may be reached."
    )
    for each in survey.placeholders:
        if each.forced:
            lines += lay(f"os.environ[{quoted(each.name)}] = ", quoted(each.value))
        else:
            lines += lay(f"os.environ.setdefault({quoted(each.name)}, ", quoted(each.value), suffix=")")
    return [*lines, ""]


def _application(page: Page, name: str) -> list[str]:
    """The class of the started application; call it when everything that uses it is written."""
    lines = ["@dataclass(frozen=True, kw_only=True)", f"class {name}:"]
    lines += docstring("The started project: its engine, and what `send` needs.", indent=INDENT)
    lines += ["", f"{INDENT}engine: AsyncEngine", f"{INDENT}model: Model"]
    if "database_url" in page.needs:
        page.from_package("dataclasses", "field")
        lines.append(f"{INDENT}database_url: str = field(repr=False)")
    if "client" in page.needs:
        page.module("httpx2")
        lines.append(f"{INDENT}client: httpx2.AsyncClient")
    for attribute in ("agent", "service", "sessions"):
        if attribute in page.needs:
            page.from_package("typing", "Any")
            lines.append(f"{INDENT}{attribute}: Any")
    return lines


def _backend(page: Page, choices: Choices, name: str, project: str) -> list[str]:
    """The class of the backend, as far as its attributes."""
    lines = [f"class {name}:"]
    lines += docstring("The project, as the harness sees it.", indent=INDENT)
    lines += ["", *lay("name = ", quoted(project), indent=INDENT)]
    lines += comment(
        "What is verified is the project as it is. Add SessionMode.SHARED if it can also be started with one session "
        "for all tools, to see that this is found.",
        indent=INDENT,
    )
    lines.append(f"{INDENT}modes = frozenset({{SessionMode.PER_OPERATION}})")
    has_ledger = choices.ledger is not None and (choices.route is not None or choices.entry is not None)
    if choices.ledger is not None and not has_ledger:
        lines += comment(
            f"Nothing was found that writes {choices.ledger.table} when the agent is run: add Capability.LEDGER if "
            "something does.",
            indent=INDENT,
        )
    can = "{Capability.LEDGER}" if has_ledger else ""
    lines.append(f"{INDENT}capabilities: frozenset[Capability] = frozenset({can})")
    lines.append(f"{INDENT}tenants = (TENANT,)")
    if choices.ledger is not None:
        lines += lay("ledger_table = ", quoted(choices.ledger.table), indent=INDENT)
    if "served" in page.needs:
        lines += [f'{INDENT}_model = ""']
    return lines
