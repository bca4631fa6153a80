"""Finds a backend by its name, `package.module:attribute`.

Guarantee: whatever keeps it from being one ends in one `ConfigurationError`, which says what is wrong, where in the
author's code, and what to write instead; also what is no `Exception`, such as `sys.exit()` in the module.
"""

import difflib
import importlib
import inspect
import pkgutil
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.backend.contract import examine
from harness.backend.import_failure import describe_failure, own_code
from harness.backend.protocol import Backend
from harness.backend.violation import place_of
from harness.errors import ConfigurationError
from harness.imports import uncollected

__all__ = ["find_candidate", "load_backend"]

_PARTS = ("name", "modes", "capabilities", "tenants", "prepare", "start", "read_ledger")
_MOST_NAMES = 12
_POINTER = "`sessionproof check-backend MODULE:ATTRIBUTE` says, step by step, whether an adapter is as it has to be"


def load_backend(spec: str) -> Backend:
    """The backend at `package.module:attribute`.

    Raises:
        ConfigurationError: the module cannot be imported, it has no such attribute, or the object violates the protocol
            in a way that can be told without starting it. Then there is a line for each violation.
    """
    try:
        candidate = find_candidate(spec)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error}\n{_POINTER}") from error
    if violations := examine(candidate):
        lines = "\n".join(f"  {violation}" for violation in violations)
        raise ConfigurationError(
            f"backend {spec!r} is not what harness.backend.Backend asks for:\n{lines}\n"
            f"`sessionproof check-backend {shlex.quote(spec)}` says what else it violates, when it runs"
        )
    backend: Backend = candidate  # type: ignore[assignment]  # that was examined
    return backend


def find_candidate(spec: str) -> object:
    """The object at `package.module:attribute`, which may still violate the protocol.

    Raises:
        ConfigurationError: there is no such object, or it is a class, a function or a module.
    """
    module_name, separator, attribute = spec.partition(":")
    if not (separator and module_name and attribute):
        raise ConfigurationError(_misspelt(spec))
    module = _import(spec, module_name)
    try:
        candidate: object = getattr(module, attribute)
    except AttributeError as error:
        raise ConfigurationError(_without_attribute(spec, module, attribute)) from error
    if advice := _no_instance(candidate, spec, module):
        raise ConfigurationError(f"backend {spec!r} is {advice}")
    return candidate


def _misspelt(spec: str) -> str:
    asked = f"backend {spec!r} is not of the form 'package.module:attribute', "
    place, _, attribute = spec.partition(":")
    if place.endswith(".py") or "/" in place or "\\" in place:
        parts = [part for part in Path(place.removesuffix(".py")).parts if part not in {".", "/", "\\"}]
        return f"{asked}but a file: did you mean {'.'.join(parts)}:{attribute or 'backend'}?"
    if place and not attribute:
        return f"{asked}did you mean '{place}:backend'? For example 'fixtures.backend.adapter:backend'"
    return f"{asked}for example 'fixtures.backend.adapter:backend'"


def _import(spec: str, module_name: str) -> ModuleType:
    if "/" in module_name or module_name.endswith(".py"):
        raise ConfigurationError(_misspelt(spec))
    try:
        with uncollected():
            return importlib.import_module(module_name)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise ConfigurationError(_no_module(spec, error.name)) from error
        raise ConfigurationError(_failed(spec, module_name, error)) from error
    except BaseException as error:
        raise ConfigurationError(_failed(spec, module_name, error)) from error


def _no_module(spec: str, name: str) -> str:
    parent, _, last = name.rpartition(".")
    there = list(_modules_in(parent))
    nearest = difflib.get_close_matches(last, there, n=1)
    if nearest:
        return f"backend {spec!r}: there is no module {name!r}; did you mean {f'{parent}.{nearest[0]}'.lstrip('.')!r}?"
    inside = f"; {parent!r} has {_listed(there)}" if parent and there else ""
    return (
        f"backend {spec!r}: there is no module {name!r}{inside}; "
        "run the command where it can be imported, or put its folder on PYTHONPATH"
    )


def _modules_in(package: str) -> Iterator[str]:
    """The modules of a package that has been imported; those of the import path for the empty name."""
    places = None if not package else list(getattr(sys.modules.get(package), "__path__", []))
    yield from (module.name for module in pkgutil.iter_modules(places) if not module.name.startswith("_"))


def _failed(spec: str, module_name: str, error: BaseException) -> str:
    told = describe_failure(error, own_code(module_name))
    return f"backend {spec!r} cannot be imported: {_advice(error)}\n{told}"


def _advice(error: BaseException) -> str:
    """In a few words, the kind of failure, and what to do about it."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        package, _, inside = error.name.partition(".")
        if inside and package in sys.modules:
            parent, _, last = error.name.rpartition(".")
            nearest = difflib.get_close_matches(last, _modules_in(parent), n=1)
            meant = f"; did you mean {f'{parent}.{nearest[0]}'!r}?" if nearest else ""
            return f"{package!r} has no module {error.name!r}{meant}"
        return f"it needs the package {package!r}, which is not installed for {sys.executable}"
    if isinstance(error, SyntaxError):
        return "it is not valid Python"
    if isinstance(error, SystemExit):
        return "it ends the program; what is to run only as a script stands under `if __name__ == '__main__':`"
    if isinstance(error, ImportError):
        return "an import in it fails"
    return f"it raises {type(error).__name__}"


def _without_attribute(spec: str, module: ModuleType, attribute: str) -> str:
    names = [name for name in vars(module) if not name.startswith("_")]
    backends = [name for name in names if _is_candidate(vars(module)[name])]
    own = [name for name in names if getattr(vars(module)[name], "__module__", None) == module.__name__]
    said = f"backend {spec!r}: module {module.__name__!r} has no attribute {attribute!r}"
    if nearest := difflib.get_close_matches(attribute, backends or own or names, n=1):
        return f"{said}; did you mean {f'{module.__name__}:{nearest[0]}'!r}?"
    if backends:
        return f"{said}; of what it has, {_listed(backends)} may be meant: there is all that a backend has"
    return f"{said}; it has {_listed(own or names) or 'no names at all'}"


def _is_candidate(thing: object) -> bool:
    return not isinstance(thing, type | ModuleType) and all(hasattr(thing, name) for name in _PARTS)


def _no_instance(candidate: object, spec: str, module: ModuleType) -> str:
    """What it is in place of an instance, and what to write; empty if it may be one."""
    name = spec.partition(":")[2]
    if isinstance(candidate, ModuleType):
        there = [each for each in vars(candidate) if _is_candidate(vars(candidate)[each])]
        return f"a module; name what is in it: '{candidate.__name__}:{there[0] if there else 'backend'}'"
    if isinstance(candidate, type):
        made = [key for key, value in vars(module).items() if type(value) is candidate]
        if made:
            return f"a class{_written(candidate)}; the module has an instance of it: '{module.__name__}:{made[0]}'"
        return f"a class{_written(candidate)}, and not an instance; write `backend = {name}()`, and name that"
    if inspect.isroutine(candidate):
        return f"a function{_written(candidate)}, which nobody is going to call; {_made_by(name, candidate)}"
    return ""


def _written(thing: Callable[..., Any] | type) -> str:
    """Where it is written, in brackets; nothing for what is no part of the application."""
    place = place_of(thing)
    return f" ({place})" if place else ""


def _made_by(name: str, factory: Callable[..., Any]) -> str:
    if inspect.iscoroutinefunction(factory):
        return "make the backend without awaiting, when the module is imported, and await the rest in `start`"
    return f"write `backend = {name}(...)` in the module, and name that"


def _listed(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - _MOST_NAMES} more" if len(listed) > _MOST_NAMES else ""
    return ", ".join(map(repr, listed[:_MOST_NAMES])) + more
