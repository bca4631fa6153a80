"""Run as a process of its own: load the backend where the code of a revision lies, and say what it is.

Problem: what a module does when it is imported is unknown: it can raise, exit, hang, print, or end the process.

Mechanism: `python -m harness.revisions.look SPEC FILE` writes one JSON object to the file when it is done. What it is
called with, and what it leaves, is described by `Look`.

Guarantee: whatever happens to this process, the one that started it has an answer or a reason (`read_look`).
"""

import sys
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.backend import load_backend
from harness.errors import ConfigurationError
from harness.imports import keep_until_the_end, without_plugins
from harness.revisions.witness import imported
from harness.scenario import SessionMode

__all__ = ["Look", "main", "read_look"]

_WORDS = 3


with without_plugins():  # they would be loaded before the backend is, and for this alone

    class Look(BaseModel):
        """What a backend says of itself, and where each imported module came from; or in `failure` why there is none.

        `missing` says that nothing failed: there is no module of that name, or it has no such attribute.
        """

        model_config = ConfigDict(frozen=True)

        name: str = ""
        modes: tuple[SessionMode, ...] = ()
        modules: dict[str, str] = {}
        failure: str = ""
        missing: bool = False

        @classmethod
        def at(cls, spec: str) -> Self:
            """What is at `package.module:attribute`."""
            try:
                backend = load_backend(spec)
                modes = tuple(mode for mode in SessionMode if mode in backend.modes)
                return cls(name=str(backend.name), modes=modes, modules=imported())
            except ConfigurationError as error:
                return cls(failure=str(error), missing=_is_missing(spec, error), modules=imported())
            except BaseException as error:  # noqa: BLE001  # a module may also exit; whatever it does is the answer
                failure = f"backend {spec!r} cannot be loaded: {type(error).__name__}: {error}"
                return cls(failure=failure, modules=imported())


def _is_missing(spec: str, error: BaseException) -> bool:
    """Whether the module, or the attribute, is not there; what a module that is there cannot import is not meant."""
    name, _, attribute = spec.partition(":")
    if name in sys.modules:
        return not hasattr(sys.modules[name], attribute)
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ModuleNotFoundError):
        cause = cause.__cause__
    return cause is not None and bool(cause.name) and f"{name}.".startswith(f"{cause.name}.")


def read_look(path: Path) -> Look | None:
    """What a process has left; `None` if it ended before it was done."""
    try:
        return Look.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def main(arguments: list[str]) -> int:
    """Look, and write what was seen."""
    if len(arguments) != _WORDS:
        sys.stderr.write("usage: python -m harness.revisions.look MODULE:ATTRIBUTE FILE\n")
        return 2
    Path(arguments[2]).write_text(Look.at(arguments[1]).model_dump_json(), encoding="utf-8")
    keep_until_the_end()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
