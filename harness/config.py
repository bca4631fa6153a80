"""One frozen configuration, and the only place where its sources are merged.

For each setting the first source that names it wins: an explicit argument (which is what the command line gives),
then the environment (`SESSIONPROOF_BACKEND`), then `[tool.sessionproof]` in `pyproject.toml`, then the default.
The file is that of the folder, or the nearest one above it in its repository that has the table; paths in it are
relative to where it lies. Lists are comma-separated in the environment. An unknown key or a value that does not fit is
an error that names the source, the value and what would be right. Suppressions (`harness.suppressions`) stand in the
same table of `pyproject.toml`; they are no setting of a run, and what is wrong with them is said here, too.
"""

import difflib
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from harness import bundled
from harness.errors import ConfigurationError
from harness.project_table import FILE, SETTINGS, nearest_table, read_table, unknown_setting
from harness.scenario import ModelTier, PoolState, SessionMode
from harness.suppressions import TABLE, parse_suppressions

__all__ = ["USUAL_TIERS", "Config", "no_scenario", "resolve"]

USUAL_TIERS = (ModelTier.SCRIPTED, ModelTier.WIRE, ModelTier.RECORDED)
"""The tiers of a run that names none: what needs no weights, no key and no money."""

_PREFIX = "SESSIONPROOF_"
_WILDCARDS = frozenset("*?[")
_NEAREST = 3
_MANY = 10
_OF_TIERS: Mapping[str, tuple[ModelTier, ...]] = {
    "model": (ModelTier.LIVE,),
    "base_url": (ModelTier.LIVE,),
    "budget": (ModelTier.LIVE,),
    "price": (ModelTier.LIVE,),
    "record": (ModelTier.LOCAL, ModelTier.LIVE),
    "cassettes": (ModelTier.RECORDED,),
    "recorded_timing": (ModelTier.RECORDED,),
}
"""The settings that mean something in these tiers alone."""

_PATHS = ("scenario_file", "output", "record", "cassettes")
_OF_THE_TESTS = frozenset(
    {"chromium", "run"} | {f"require_{what}" for what in ("browser", "docker", "embeddings", "local_model")}
)
"""Variables that the tests of this repository read: no settings."""
E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that a run can be told.

    Empty tuples mean "all". `turn_timeout` is in seconds. `full_length` runs tools of 2.4 s instead of 0.24 s.
    `postgres` is `auto`, `container`, `embedded` or a URL. It may hold a password, and so may `base_url`: they are not
    shown in the `repr`.
    `scenario_file` is a scenario of the user's own, which is then the only one.

    The tiers in which a real model works on this machine, or is paid for, are for those who ask for them: `model` is
    the one of the tier `live`, by the name that Pydantic AI has for it, at `base_url` if it is not at its provider's;
    `budget` is how many US dollars all requests of the run may cost, `price` what a million tokens of prompts and of
    answers cost, in place of a public price. `record` is a folder into which such a run is recorded,
    `cassettes` one from which the tier `recorded` replays, instead of those that the scenarios have; with
    `recorded_timing` its answers take as long as they took.

    `folder` is no setting: it is where the `pyproject.toml` lies that names the backend, if that is not the folder that
    the run was started in. The backend's modules are looked for there.
    """

    backend: str = ""
    postgres: str = field(default="auto", repr=False)
    image: str | None = None
    modes: tuple[SessionMode, ...] = ()
    pool_states: tuple[PoolState, ...] = ()
    tiers: tuple[ModelTier, ...] = ()
    scenarios: tuple[str, ...] = ()
    scenario_file: Path | None = None
    full_length: bool = False
    turn_timeout: float = 30.0
    output: Path | None = None
    model: str | None = None
    base_url: str | None = field(default=None, repr=False)
    budget: Decimal | None = None
    record: Path | None = None
    cassettes: Path | None = None
    price: tuple[Decimal, Decimal] | None = None
    recorded_timing: bool = False
    folder: Path | None = None

    def admits(self, *, scenario: str, mode: SessionMode, pool_state: PoolState, tier: ModelTier) -> bool:
        """Whether a cell is asked for."""
        return (
            self.admits_scenario(scenario)
            and _in(mode, self.modes)
            and _in(pool_state, self.pool_states)
            and tier in self._tiers
        )

    def admits_scenario(self, name: str) -> bool:
        """Whether a scenario is asked for, by its name or by a pattern such as `ledger*`."""
        return not self.scenarios or any(fnmatchcase(name, pattern) for pattern in self.scenarios)

    def has_use_for(self, setting: str) -> bool:
        """Whether a setting means something in any of the tiers that are asked for."""
        return not {*_OF_TIERS.get(setting, self._tiers)}.isdisjoint(self._tiers)

    @property
    def _tiers(self) -> tuple[ModelTier, ...]:
        return self.tiers or USUAL_TIERS

    @property
    def most_cells(self) -> int | None:
        """How many cells can be asked for at most; `None` where a pattern may stand for any number of scenarios."""
        names = ("",) if self.scenario_file is not None else self.scenarios
        if not names or any(set(name) & _WILDCARDS for name in names):
            return None
        axes = (self.modes or SessionMode, self.pool_states or PoolState, self._tiers)
        return len(set(names)) * math.prod(len(set(axis)) for axis in axes)

    def unmatched(self, names: Iterable[str]) -> list[str]:
        """The scenarios asked for that none of `names` is."""
        known = list(names)
        return sorted(pattern for pattern in self.scenarios if not any(fnmatchcase(name, pattern) for name in known))


def no_scenario(unknown: Sequence[str], known: Iterable[str]) -> str:
    """What is said of scenarios that are not there: those that are nearest by name, or all."""
    names = sorted(set(known))
    near = [each for name in unknown for each in difflib.get_close_matches(name.strip("*"), names, n=_NEAREST)]
    told = [repr(name) for name in dict.fromkeys(near)]
    advice = f"did you mean {' or '.join(told)}?" if told else f"there are {', '.join(_listed(names))}"
    return f"there is no scenario {', '.join(map(repr, unknown))}; {advice}"


def _listed(names: Sequence[str]) -> Iterator[str]:
    """All names; many that begin with one word are told by it."""
    for first, group in groupby(names, key=lambda name: name.partition("_")[0]):
        alike = list(group)
        yield from alike if len(alike) < _MANY else [f"{len(alike)} of the pattern '{first}_*'"]


def resolve(
    arguments: Mapping[str, object],
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    project: bool = True,
) -> Config:
    """The configuration from explicit `arguments` (absent or `None`: not given), environment and `pyproject.toml`.

    The last is looked for from `directory` upwards, or from the current folder; not at all without `project`.

    Raises `ConfigurationError` for an unknown key or an unfit value, naming its source, and for an argument that has no
    use in the model tiers that are asked for.
    """
    here = directory or Path.cwd()
    folder, table = _from_project(here) if project else (here, {})
    given = os.environ if environment is None else environment
    values: dict[str, object] = {"backend": bundled.default_backend()}
    values |= _converted(str(folder / FILE), table)
    if folder != here and "backend" in table:
        values["folder"] = folder
    for source, settings in (("environment", _from_environment(given)), ("argument", arguments)):
        values |= (named := _converted(source, settings))
        if "backend" in named:
            values.pop("folder", None)
    config = Config(**values)  # type: ignore[arg-type]  # each value was converted for its own field
    for key, value in arguments.items():
        if value is not None and not config.has_use_for(key):
            raise ConfigurationError(_useless(key))
    return config


def _converted(source: str, given: Mapping[str, object]) -> dict[str, object]:
    """The settings that a source gives, without those that it leaves open."""
    values: dict[str, object] = {}
    for key, value in given.items():
        if key not in SETTINGS:
            raise ConfigurationError(_unknown_key(source, key))
        if value is not None and value != ():
            values[key] = _convert(source, key, value)
    return values


def _in(value: str, chosen: tuple[str, ...]) -> bool:
    return not chosen or value in chosen


def _from_environment(environment: Mapping[str, str]) -> dict[str, object]:
    given = {key.removeprefix(_PREFIX).lower(): value for key, value in environment.items() if key.startswith(_PREFIX)}
    return {key: value for key, value in given.items() if key not in _OF_THE_TESTS}


def _from_project(directory: Path) -> tuple[Path, dict[str, object]]:
    """The folder of the nearest table, and its settings; what is wrong in the folder itself is told, too."""
    read_table(directory)
    folder = nearest_table(directory)
    table = read_table(folder)
    # whoever uses them reads them; here they are only looked at
    parse_suppressions(folder / FILE, table.pop(TABLE, []))
    if folder.resolve() != Path.cwd().resolve():
        table |= {key: str(folder / path) for key in _PATHS if isinstance(path := table.get(key), str)}
    return folder, table


def _useless(key: str) -> str:
    tiers = " or ".join(repr(tier.value) for tier in _OF_TIERS[key])
    return (
        f"argument: setting {key!r} is for the model tier {tiers}, which is not asked for, so that nothing would come "
        f"of it: add --tier {_OF_TIERS[key][0].value}, or leave it out"
    )


def _unknown_key(source: str, key: str) -> str:
    shown = f"{_PREFIX}{key.upper()}" if source == "environment" else None
    return unknown_setting(source, key, SETTINGS, shown=shown)


def _convert(source: str, key: str, value: object) -> object:
    convert = _CONVERTERS.get(key, _text)
    try:
        return convert(value)  # type: ignore[operator]  # converters take any object
    except (ValueError, TypeError) as error:
        shown = "" if key == "postgres" else f" {value!r}"
        raise ConfigurationError(f"{source}: setting {key!r} cannot be{shown}: {error}") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, got a {type(value).__name__}")
    return value


def _words(value: object) -> Iterable[str]:
    if isinstance(value, str):
        return (word.strip() for word in value.split(",") if word.strip())
    if isinstance(value, list | tuple):
        return (str(word) for word in value)
    raise TypeError(f"expected a list of words, got a {type(value).__name__}")


def _members(kind: type[E]) -> object:
    def convert(value: object) -> tuple[E, ...]:
        known = {member.value: member for member in kind}
        words = list(_words(value))
        for word in words:
            if word not in known:
                nearest = difflib.get_close_matches(word, known, n=1)
                advice = f"; did you mean {nearest[0]!r}?" if nearest else ""
                raise ValueError(f"{word!r} is not one of {', '.join(known)}{advice}")
        return tuple(known[word] for word in words)

    return convert


def _seconds(value: object) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError("expected a number of seconds above 0")
    return seconds


def _path(value: object) -> Path:
    if not isinstance(value, str | Path):
        raise TypeError(f"expected a path as a text, got a {type(value).__name__}")
    return Path(value)


def _dollars(value: object) -> Decimal:
    try:
        dollars = Decimal(str(value))
    except InvalidOperation:
        raise ValueError("expected a number of US dollars, such as 0.50") from None
    if not dollars.is_finite() or dollars < 0:
        raise ValueError("expected a number of US dollars from 0")
    return dollars


def _price(value: object) -> tuple[Decimal, Decimal]:
    parts = list(_words(value))
    if len(parts) != 2:  # noqa: PLR2004  # of prompts, and of answers
        raise ValueError("expected the US dollars for a million tokens of prompts, and of answers, such as 0.15,0.60")
    prompt, completion = map(_dollars, parts)
    return prompt, completion


def _switch(value: object) -> bool:
    switches = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    try:
        return switches[str(value).lower()]
    except KeyError:
        raise ValueError("expected true or false") from None


_CONVERTERS: Mapping[str, object] = {
    "modes": _members(SessionMode),
    "pool_states": _members(PoolState),
    "tiers": _members(ModelTier),
    "scenarios": lambda value: tuple(_words(value)),
    "turn_timeout": _seconds,
    "full_length": _switch,
    "budget": _dollars,
    "price": _price,
    "recorded_timing": _switch,
    "record": _path,
    "cassettes": _path,
    "scenario_file": _path,
    "output": _path,
}
