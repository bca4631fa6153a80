"""Why a module could not be imported, in its author's terms.

Problem: between the command and the line that is wrong stand frames of importlib, of the harness, of pytest, and of
libraries, and the one line that says what to do is lost among them.

Mechanism and guarantee: frames of the module's own code, from the first one on, each with its line of text; those of
libraries in between are counted. A cause is told after what it caused. Nothing is longer than a screen.
"""

import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from traceback import FrameSummary

from harness.masking import masker
from harness.stacks import is_application, is_harness

__all__ = ["describe_failure", "own_code", "shown"]

_MOST_FRAMES = 8
_LONGEST = 300
_WIDTH = 120


def own_code(module_name: str) -> Callable[[str], bool]:
    """Whether a file is the application's: no library's, or of the package that the module is in."""
    folders = [Path(folder).resolve() for folder in _folders(module_name.partition(".")[0])]

    def is_own(filename: str) -> bool:
        if filename.startswith("<") or is_harness(filename):
            return False
        return is_application(filename) or any(Path(filename).resolve().is_relative_to(folder) for folder in folders)

    return is_own


def _folders(package: str) -> Sequence[str]:
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return ()
    if spec is None:
        return ()
    return tuple(spec.submodule_search_locations or filter(None, [spec.origin]))


def describe_failure(error: BaseException, is_own: Callable[[str], bool]) -> str:
    """The failure as indented lines: the frames, the error, and what caused it."""
    lines = _whole(error, is_own) + [_caused(cause, is_own) for cause in _causes(error)]
    return "\n".join(f"  {line}" for line in lines)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen = {id(error)}
    while (cause := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        if id(cause) in seen:
            return
        seen.add(id(cause))
        yield cause
        error = cause


def _caused(error: BaseException, is_own: Callable[[str], bool]) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if is_own(frame.filename)]
    place = f" ({shown(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""
    return f"caused by {_said(error)[0]}{place}"


def _whole(error: BaseException, is_own: Callable[[str], bool]) -> list[str]:
    lines = [line for frame in _frames(error, is_own) for line in frame]
    if isinstance(error, SyntaxError) and error.filename:
        lines += _at_syntax(error)
    return [*lines, *_said(error)]


def _frames(error: BaseException, is_own: Callable[[str], bool]) -> Iterator[list[str]]:
    """The lines of each frame of its own, and one for those of libraries in between."""
    frames = list(traceback.extract_tb(error.__traceback__))
    own = [is_own(frame.filename) for frame in frames]
    if True not in own:
        return
    kept = frames[own.index(True) :]
    groups = [(key, list(group)) for key, group in groupby(kept, key=lambda frame: is_own(frame.filename))]
    shown = [part for key, group in groups for part in (map(_own_frame, group) if key else _folded(group))]
    if len(shown) > _MOST_FRAMES:
        left_out = len(shown) - _MOST_FRAMES
        shown[1 : 1 + left_out] = [[f"({left_out} more)"]]
    yield from shown


def _own_frame(frame: FrameSummary) -> list[str]:
    return [f"{shown(frame.filename)}:{frame.lineno} in {frame.name}", f"  {_cut(frame.line or '', _WIDTH)}"]


def _folded(frames: Sequence[FrameSummary]) -> list[list[str]]:
    frames = [frame for frame in frames if "importlib" not in frame.filename and not frame.filename.startswith("<")]
    if not frames:
        return []
    packages = dict.fromkeys(_package(frame.filename) for frame in frames)
    plural = "s" if len(frames) > 1 else ""
    return [[f"({len(frames)} frame{plural} in {', '.join(packages)})"]]


def _package(filename: str) -> str:
    """The library that a file belongs to, by its folder below the others."""
    parts = Path(filename).parts
    for marker in ("site-packages", "dist-packages"):
        if marker in parts:
            return parts[parts.index(marker) + 1].removesuffix(".py")
    return Path(filename).stem


def _at_syntax(error: SyntaxError) -> list[str]:
    text = (error.text or "").rstrip()
    indent = len(text) - len(text.lstrip())
    lines = [f"{shown(error.filename or '')}:{error.lineno}", f"  {_cut(text, _WIDTH)}"]
    if error.offset and 0 < error.offset - indent <= _WIDTH:
        lines.append(" " * (1 + error.offset - indent) + "^")
    return lines


def _said(error: BaseException) -> list[str]:
    """What the error is and says, without what others add to it."""
    if isinstance(error, SyntaxError):
        return [f"{type(error).__name__}: {error.msg}"]
    text = str(error).strip()
    lines = [_cut(line, _LONGEST) for line in text.splitlines() if line.strip()][:_MOST_FRAMES]
    name = type(error).__name__
    return [f"{name}: {lines[0]}", *(f"  {line}" for line in lines[1:])] if lines else [name]


def _cut(text: str, limit: int) -> str:
    text = masker()(" ".join(text.split()))  # half a secret would be none that can be known
    return text if len(text) <= limit else f"{text[:limit]}..."


def shown(filename: str) -> str:
    """A file's name, from the working directory if it is below it."""
    path = Path(filename)
    here = Path(os.getcwd())  # noqa: PTH109  # as it is shown everywhere
    return str(path.relative_to(here)) if path.is_relative_to(here) else filename
