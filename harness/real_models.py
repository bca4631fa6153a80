"""Which provider answers a cell, and what keeps a cell with a real model from being verified.

The models that decide by themselves need something that not every machine has: weights, a key and a budget, or a
recording. Where it is missing, nothing is started and nothing is sent: the cell is *not verified*, with the reason.

Each of these tiers is loaded where a cell of it is planned or run: their clients take seconds, and most runs have none.
"""

import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from harness.bundled import default_backend
from harness.config import Config
from harness.errors import ConfigurationError, EnvironmentMissing, UsageError
from harness.observe.attribution import current_turn
from harness.providers.create import create_provider
from harness.providers.provider import Provider
from harness.providers.weights import find_weights
from harness.scenario import Cell, ModelTier

if TYPE_CHECKING:
    from harness.providers.budget import Rates
    from harness.providers.recording import Recording
    from harness.providers.replay import Replay

__all__ = ["missing_for", "provider_for", "replay_of"]

FALLBACK_MODEL = "gpt-4o-mini"
"""The second model of a scenario that asks for one."""


def provider_for(cell: Cell, config: Config, *, purse: Path | None = None) -> Provider:
    """The provider of a cell, not yet started; `purse` is the file in which all processes of the run count its costs.

    Raises:
        UsageError: the tier cannot do what the scenario or the configuration asks for, or costs and has no purse.
        EnvironmentMissing: what the tier needs is not there.
    """
    match cell.tier:
        case ModelTier.RECORDED:
            from harness.providers.recorded import RecordedProvider

            return RecordedProvider.of(
                cell, turn_of=current_turn.get, folder=config.cassettes, timed=config.recorded_timing
            )
        case ModelTier.LOCAL:
            from harness.providers.local import LocalProvider

            return LocalProvider(current_turn.get, _recording(cell, config))
        case ModelTier.LIVE:
            if config.model is None or config.budget is None:
                raise EnvironmentMissing(missing_for(cell, config))
            if purse is None:
                raise UsageError(
                    f"nobody counts what the requests of the tier {cell.tier.value!r} cost: give the run a purse, "
                    "a file of its own that all its processes use"
                )
            from harness.providers.budget import Budget
            from harness.providers.live import LiveProvider

            return LiveProvider(
                current_turn.get,
                model=config.model,
                budget=Budget(config.budget, purse),
                environment=os.environ,
                base_url=config.base_url,
                rates=_rates(config),
                recording=_recording(cell, config, model=config.model),
            )
    return create_provider(
        cell.tier,
        fallback_model_name=FALLBACK_MODEL if cell.scenario.fallback else None,
        max_retries=cell.scenario.client_retries,
        client_seconds=cell.scenario.client_seconds,
    )


def missing_for(cell: Cell, config: Config) -> str:
    """What a cell's model tier lacks, in a sentence; empty if nothing.

    Raises:
        UsageError: what was asked for cannot be, such as a recording of a model that could not be played back.
        ConfigurationError: the cell's recording cannot be read, or the folder for recordings not be written to.
    """
    if cell.tier.chooses != cell.scenario.chosen:
        who = "decides by itself what it calls" if cell.tier.chooses else "does what its script says"
        has = "scripts" if cell.tier.chooses else "no script"
        return f"the model of the tier {cell.tier.value!r} {who}, and the scenario has {has} for it"
    try:
        return _missing_for(cell, config)
    except EnvironmentMissing as error:
        return str(error)


def replay_of(provider: Provider) -> "Replay | None":
    """What a provider plays, if it plays a recording."""
    if provider.tier is not ModelTier.RECORDED:
        return None
    from harness.providers.recorded import RecordedProvider

    return provider.replay if isinstance(provider, RecordedProvider) else None


def _missing_for(cell: Cell, config: Config) -> str:
    match cell.tier:
        case ModelTier.RECORDED:
            if config.cassettes is None and config.backend != default_backend():
                return (
                    f"the recordings that come with the scenarios are of the reference backend, and not of "
                    f"{config.backend!r}: record that one in the tier {ModelTier.LOCAL.value!r} or "
                    f"{ModelTier.LIVE.value!r} (--record), and replay it (--cassettes)"
                )
            from harness.providers.cassette import read_cassette
            from harness.providers.recorded import cassette_of

            read_cassette(cassette_of(cell, folder=config.cassettes))
        case ModelTier.LOCAL:
            find_weights()
            _recording(cell, config)
        case ModelTier.LIVE:
            from harness.providers.live import not_verified

            budget = None if config.budget is None else f"{config.budget:f}"
            rates = _rates(config)
            reason = not_verified(config.model, budget, os.environ, base_url=config.base_url, rates=rates)
            if reason is None and config.model is not None:
                _recording(cell, config, model=config.model)
            return reason or ""
    return ""


def _recording(cell: Cell, config: Config, *, model: str | None = None) -> "Recording | None":
    """What records a cell, if anything does; whether that can be written is tried before anything is asked or paid."""
    if config.record is None:
        return None
    try:
        config.record.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=config.record):
            pass
    except OSError as error:
        raise ConfigurationError(
            f"recordings cannot be written to {str(config.record)!r}: {error.strerror}; name another folder (--record)"
        ) from error
    from harness.providers.recorded import recording_of

    if model is None:
        return recording_of(cell, config.record)
    return recording_of(cell, config.record, model=model)


def _rates(config: Config) -> "Rates | None":
    if config.price is None:
        return None
    from harness.providers.budget import Rates

    prompt, completion = config.price
    return Rates(prompt=prompt, completion=completion)
