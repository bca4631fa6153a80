"""What an argument or a field is for, by its type first and by its name where the type does not tell.

A session, a factory of sessions, an engine and a class of the project are known by their types; that a text is the
user's message, the conversation's identifier or the customer only a name can tell.
"""

import ast
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from harness.adoption.aliases import read_as
from harness.adoption.examples import NoExample, example_of
from harness.adoption.found import Kind, Parameter
from harness.adoption.tree import FunctionAt, Tree, arguments_of, has_default, keyword, unwrapped
from harness.adoption.words import words
from harness.project.classes import Class
from harness.project.module import Module

__all__ = [
    "SESSIONS",
    "SESSION_FACTORIES",
    "SETTINGS",
    "fields_of",
    "is_model",
    "is_static",
    "parameter_of",
    "parameters_of",
]

SESSIONS = frozenset(
    {
        "sqlalchemy.ext.asyncio.AsyncSession",
        "sqlalchemy.ext.asyncio.session.AsyncSession",
        "sqlmodel.ext.asyncio.session.AsyncSession",
    }
)
SESSION_FACTORIES = frozenset(
    {
        "sqlalchemy.ext.asyncio.async_scoped_session",
        "sqlalchemy.ext.asyncio.async_sessionmaker",
        "sqlalchemy.ext.asyncio.session.async_sessionmaker",
        "sqlalchemy.orm.sessionmaker",
    }
)
SETTINGS = frozenset({"pydantic.BaseSettings", "pydantic_settings.BaseSettings", "pydantic_settings.main.BaseSettings"})
_ENGINES = frozenset({"sqlalchemy.ext.asyncio.AsyncEngine", "sqlalchemy.ext.asyncio.engine.AsyncEngine"})
_NAMES = {
    Kind.MESSAGE: frozenset(
        words(
            "ask body chat_message content input message msg prompt q query question request text user_input "
            "user_message user_prompt utterance"
        )
    ),
    Kind.CONVERSATION: frozenset(
        words(
            "chat chat_id conv_id conversation conversation_id conversation_uuid correlation_id dialog_id session_id "
            "session_uuid thread thread_id"
        )
    ),
    Kind.ACCOUNT: frozenset(
        words(
            "account account_name account_slug client customer customer_name customer_slug org organization "
            "organisation tenant tenant_name tenant_slug account_id tenant_id customer_id org_id organization_id user "
            "user_id username"
        )
    ),
    Kind.AGENT_NAME: frozenset(words("agent agent_id agent_instance agent_instance_slug agent_name agent_slug")),
    Kind.DATABASE_URL: frozenset(
        words(
            "database_dsn database_uri database_url db_dsn db_uri db_url dsn postgres_dsn postgres_url "
            "sqlalchemy_database_uri sqlalchemy_url url"
        )
    ),
}


def parameters_of(tree: Tree, function: FunctionAt, *, settings: frozenset[str] = frozenset()) -> tuple[Parameter, ...]:
    """The arguments of a function, without `self`."""
    given = arguments_of(function.node)
    if function.owner is not None and given and not is_static(function):
        given = given[1:]
    return tuple(
        parameter_of(
            tree,
            function.module,
            argument.annotation,
            name=argument.arg,
            required=default is None,
            positional=positional,
            settings=settings,
        )
        for argument, default, positional in given
    )


def fields_of(tree: Tree, class_: Class, *, settings: frozenset[str] = frozenset()) -> tuple[Parameter, ...]:
    """What a class is made from: its fields, or the arguments of its `__init__`."""
    for each in tree.project.ancestors(class_):
        if not isinstance(each, str) and (init := each.methods.get("__init__")) is not None:
            function = tree.by_node.get(init)
            return parameters_of(tree, function, settings=settings) if function is not None else ()
    found = []
    for name, label in tree.project.fields(class_).items():
        if label.annotation is None or name.startswith(("_", "model_config")) or _is_class_variable(label.annotation):
            continue
        if _is_not_given(label.default):
            continue
        mapped = _column_type(label.annotation)
        required = not has_default(label.default)
        if mapped is not None and not _is_dataclass(tree, class_):
            required = required and not _fills_itself(label.annotation, label.default)
        parameter = parameter_of(
            tree, class_.module, mapped or label.annotation, name=name, required=required, settings=settings
        )
        sent_as = read_as(tree, class_, name, label) if _is_pydantic(tree, class_) else name
        found.append(parameter if sent_as == name else replace(parameter, sent_as=sent_as))
    return tuple(found)


def _column_type(annotation: ast.expr) -> ast.expr | None:
    """What a mapped attribute holds: `str` of `Mapped[str]`; `None` if it is none."""
    match annotation:
        case ast.Constant(value=str() as text):
            with suppress(SyntaxError):
                return _column_type(ast.parse(text, mode="eval").body)
        case ast.Subscript(value=ast.Name(id="Mapped") | ast.Attribute(attr="Mapped"), slice=inner):
            return inner
    return None


def _is_dataclass(tree: Tree, class_: Class) -> bool:
    """Whether a mapped class is made with all of its arguments, as dataclasses are."""
    decorated = any("dataclass" in ast.unparse(each) for each in class_.node.decorator_list)
    return decorated or _inherits(tree, class_, frozenset({"sqlalchemy.orm.MappedAsDataclass"}))


def _fills_itself(annotation: ast.expr, default: ast.expr | None) -> bool:
    """Whether a column of an ordinary mapped class needs no value: it may be null, or the database makes one."""
    told = ast.unparse(annotation)
    if "None" in told or "Optional" in told:
        return True
    if not isinstance(default, ast.Call):
        return False
    if ast.unparse(default.func).rpartition(".")[2] != "mapped_column":
        return True
    names = {word.arg for word in default.keywords}
    makes = any(isinstance(each, ast.Call) and "Identity" in ast.unparse(each.func) for each in default.args)
    return makes or bool(names & {"insert_default", "primary_key", "server_default"})


def parameter_of(
    tree: Tree,
    module: Module,
    annotation: ast.expr | None,
    *,
    name: str,
    required: bool,
    positional: bool = False,
    settings: frozenset[str] = frozenset(),
) -> Parameter:
    """One argument, with what it is for, and an example where its type has one."""
    bare = unwrapped(annotation)
    called = _called(tree, module, bare)
    made = example_of(tree, module, annotation, name=name)
    has_example = not isinstance(made, NoExample)
    class_ = tree.project.class_(called, near=module) if called else None
    return Parameter(
        name=name,
        kind=_kind(tree, called, name, has_example=has_example, settings=settings, class_=class_),
        annotation="" if annotation is None else ast.unparse(annotation),
        required=required,
        example=made if has_example else None,
        has_example=has_example,
        is_uuid=called == "uuid.UUID",
        owner=class_.name if class_ is not None else "",
        positional=positional,
    )


def _called(tree: Tree, module: Module, bare: ast.expr | None) -> str:
    node = bare.value if isinstance(bare, ast.Subscript) else bare
    if node is None:
        return ""
    return tree.resolve(module, node) or (node.id if isinstance(node, ast.Name) else "")


def _kind(
    tree: Tree, called: str, name: str, *, has_example: bool, settings: frozenset[str], class_: Class | None
) -> Kind:
    if (known := _of_library(tree, called, class_)) is not None:
        return known
    if called in settings:
        return Kind.SETTINGS
    if class_ is not None and not (has_example and is_model(tree, class_)):
        return Kind.EXAMPLE if _inherits(tree, class_, frozenset({"enum.Enum", "enum.StrEnum"})) else Kind.DEPENDENCIES
    if called in {"", "str", "uuid.UUID", "pydantic.PostgresDsn"}:
        return _by_name(name, called, has_example=has_example)
    return Kind.EXAMPLE if has_example else Kind.UNKNOWN


def _of_library(tree: Tree, called: str, class_: Class | None) -> Kind | None:
    if called in SESSIONS or _inherits(tree, class_, SESSIONS):
        return Kind.SESSION
    if called in SESSION_FACTORIES:
        return Kind.SESSIONS
    return Kind.ENGINE if called in _ENGINES else None


def _by_name(name: str, called: str, *, has_example: bool) -> Kind:
    label = name.lower()
    for kind, names in _NAMES.items():
        if label in names and (called != "uuid.UUID" or kind is Kind.CONVERSATION):
            return kind
    if called == "" and any(word in label for word in ("sessionmaker", "session_factory", "session_maker", "sessions")):
        return Kind.SESSIONS
    if called == "" and label in {"session", "db", "db_session"}:
        return Kind.SESSION
    return Kind.EXAMPLE if has_example else Kind.UNKNOWN


def is_model(tree: Tree, class_: Class) -> bool:
    """Whether it is a pydantic model, which JSON can fill."""
    return _inherits(tree, class_, frozenset({"pydantic.BaseModel", "sqlmodel.SQLModel"}))


def _is_pydantic(tree: Tree, class_: Class) -> bool:
    """Whether it is made by pydantic, from names that may be aliases: a model, or settings."""
    return is_model(tree, class_) or _inherits(tree, class_, SETTINGS)


def _inherits(tree: Tree, class_: Class | None, names: frozenset[str]) -> bool:
    if class_ is None:
        return False
    return any((each if isinstance(each, str) else each.name) in names for each in tree.project.ancestors(class_))


def _is_not_given(default: ast.expr | None) -> bool:
    """Whether a dataclass's field is none of its arguments."""
    if not isinstance(default, ast.Call):
        return False
    init = keyword(default, "init")
    return isinstance(init, ast.Constant) and init.value is False


def _is_class_variable(annotation: ast.expr) -> bool:
    return ast.unparse(annotation).partition("[")[0].rpartition(".")[2] == "ClassVar"


def is_static(function: FunctionAt) -> bool:
    """Whether a method has no `self`."""
    names: Sequence[ast.expr] = function.node.decorator_list
    return any(isinstance(each, ast.Name) and each.id == "staticmethod" for each in names)
