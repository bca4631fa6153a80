"""Looks through a project, once, for everything that an adapter needs.

Guarantee: nothing of the project is imported or run. A file that cannot be read is told, and the rest is looked at.
"""

import ast
from collections.abc import Iterator
from configparser import ConfigParser
from configparser import Error as ConfigurationFileError
from dataclasses import replace
from pathlib import Path

from harness.adoption.agent_sites import sites_of
from harness.adoption.agents import find_agents
from harness.adoption.calls import Calls
from harness.adoption.environment import find_placeholders
from harness.adoption.found import Agent, Dependency, Migrations, Survey, Unreadable
from harness.adoption.parameters import fields_of
from harness.adoption.routes import Ways, find_apps
from harness.adoption.sessions import find_engines, find_sessions, find_synchronous
from harness.adoption.settings import find_settings
from harness.adoption.tables import find_ledgers, find_metadata
from harness.adoption.tree import Tree
from harness.adoption.uses import uses_of
from harness.project.project import Project

__all__ = ["read_tree", "survey_of"]

_FOREIGN = ("fastapi", "pydantic", "pydantic_ai", "pydantic_settings", "sqlalchemy", "sqlmodel", "starlette")
_INI_FOLDERS = 2


def read_tree(root: Path) -> Tree:
    """The project's files below a folder."""
    whole = root.absolute()
    return Tree(project=Project.load([whole], foreign=_FOREIGN), root=whole)


def survey_of(tree: Tree) -> Survey:
    """What the project has."""
    calls = Calls(tree)
    sites = sites_of(tree)
    uses = uses_of(tree)
    settings = find_settings(tree, uses)
    ledgers = find_ledgers(tree)
    known = frozenset(settings)
    ways = Ways(tree=tree, calls=calls, sites=sites, settings=known, ledgers={each.key: each for each in ledgers})
    routes = ways.routes()
    agents = [_with_deps(tree, agent) for agent in find_agents(tree, calls, sites)]
    return Survey(
        root=str(tree.root),
        files=len(tree.project.modules),
        agents=agents,
        dependencies=_dependencies(tree, known),
        engines=find_engines(tree, calls),
        sessions=find_sessions(tree),
        apps=find_apps(tree, known),
        routes=routes,
        entries=ways.entries(routes),
        ledgers=ledgers,
        metadata=find_metadata(tree),
        migrations=_migrations(tree),
        settings=settings,
        placeholders=find_placeholders(tree, uses),
        synchronous=find_synchronous(tree),
        unreadable=[*_problems(tree), *_nameless(tree)],
    )


def _problems(tree: Tree) -> Iterator[Unreadable]:
    for each in tree.project.problems:
        yield Unreadable(place=f"{tree.relative(Path(each.file))}:{each.line}", reason=each.message)


def _nameless(tree: Tree) -> Iterator[Unreadable]:
    """Files that could have something to do with it, but that no adapter can import by name."""
    for module in tree.nameless:
        if "pydantic_ai" in module.text or "sqlalchemy" in module.text:
            yield Unreadable(place=f"{tree.relative(module.path)}:1", reason="its name is none that Python can import")


def _with_deps(tree: Tree, agent: Agent) -> Agent:
    """An agent that does not name its deps_type has that of its tools' contexts."""
    if agent.deps:
        return agent
    places = {tool.place for tool in agent.tools}
    for function in tree.functions:
        if tree.place(function.module, function.node) in places and (first := function.node.args.args[:1]):
            annotation = first[0].annotation
            if isinstance(annotation, ast.Subscript) and "RunContext" in ast.unparse(annotation.value):
                named = tree.resolve(function.module, annotation.slice, function.within)
                return replace(agent, deps=named) if named else agent
    return agent


def _dependencies(tree: Tree, settings: frozenset[str]) -> dict[str, Dependency]:
    """Every class of the project, as something that can be made."""
    return {
        class_.name: Dependency(
            module=tree.import_name(class_.module),
            path=class_.node.name,
            place=tree.place(class_.module, class_.node),
            key=class_.name,
            fields=fields_of(tree, class_, settings=settings),
            abstract=bool({"abc.ABC", "typing.Protocol", "typing_extensions.Protocol"} & set(class_.bases)),
        )
        for class_ in tree.project.classes
        if class_.module in tree.modules
    }


def _migrations(tree: Tree) -> Migrations | None:
    """Where alembic is configured."""
    for path in _ini_files(tree.root):
        parser = ConfigParser(interpolation=None)
        try:
            parser.read(path, encoding="utf-8")
        except (ConfigurationFileError, OSError, UnicodeDecodeError):
            continue
        if parser.has_option("alembic", "script_location"):
            return Migrations(file=tree.relative(path), scripts=parser.get("alembic", "script_location"))
    return None


def _ini_files(root: Path) -> Iterator[Path]:
    yield root / "alembic.ini"
    yield from sorted(root.glob("*/alembic.ini"))[:_INI_FOLDERS]
