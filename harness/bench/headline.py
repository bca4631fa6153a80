"""The headline: a turn with two tools that work side by side, against each way in which they do not."""

from collections.abc import Mapping
from dataclasses import replace

from harness.backend import Backend
from harness.bench.arm import Setting
from harness.bench.messages import Latency, message
from harness.bench.yardstick import NAME as YARDSTICK
from harness.scenario import ModelTier, SessionMode

__all__ = ["FULL_SECONDS", "ONE_BY_ONE", "QUICK_SECONDS", "REFERENCE", "headline", "yardstick"]

REFERENCE = "per_operation"
"""The arm that the others are compared with: a session for each operation, and tools side by side."""

ONE_BY_ONE = "one by one"
"""The reference with its tools one by one: what running them side by side gains."""

QUICK_SECONDS = 0.24
FULL_SECONDS = 2.4


def headline(
    backend: Backend, *, tool_seconds: float = QUICK_SECONDS, latency: Latency = Latency.DATABASE
) -> Mapping[str, Setting]:
    """The arms by name, the reference first; only those whose session mode the backend has.

    `tool_seconds` is how long each of the two tools takes. Where they wait for a provider, that is one behind HTTP.
    """
    reference = Setting(
        name=REFERENCE,
        mode=SessionMode.PER_OPERATION,
        messages=(message(2, seconds=tool_seconds, latency=latency),),
        tier=ModelTier.SCRIPTED if latency is Latency.DATABASE else ModelTier.WIRE,
    )
    one_by_one = replace(reference, name=ONE_BY_ONE, parallel=False)
    others = (replace(reference, name=mode.value, mode=mode) for mode in SessionMode if mode is not reference.mode)
    return {each.name: each for each in (reference, one_by_one, *others) if each.mode in backend.modes}


def yardstick(*, tool_seconds: float = QUICK_SECONDS, tier: ModelTier = ModelTier.SCRIPTED) -> Mapping[str, Setting]:
    """The arm of the harness's own application, which does the same turn: by it machines are told apart.

    Its tools work in the database. `tier` must be that of the arms that it runs beside: while a model is scripted, all
    others are refused (`harness.providers.guard`).
    """
    messages = (message(2, seconds=tool_seconds),)
    setting = Setting(name=YARDSTICK, mode=SessionMode.PER_OPERATION, messages=messages, tier=tier, yardstick=True)
    return {YARDSTICK: setting}
