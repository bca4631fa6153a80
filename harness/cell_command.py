"""The command that runs one cell again, as every finding ends with it.

Guarantee: pure, and of one line that a shell reads as it was meant.
"""

import shlex

from harness.bundled import default_backend
from harness.config import Config
from harness.scenario import Cell, ModelTier

__all__ = ["cell_command"]


def cell_command(cell: Cell, config: Config) -> str:
    """What to type for this cell alone, with all that the run was told about it."""
    file = config.scenario_file
    which = ["--scenario", cell.scenario.name] if file is None else ["--scenario-file", str(file)]
    words = ["sessionproof", "verify", *which, "--mode", cell.mode.value]
    words += ["--pool-state", cell.pool_state.value, "--tier", cell.tier.value]
    words += _model_words(cell, config)
    if config.backend != default_backend():
        words += ["--backend", config.backend]
    if config.full_length:
        words.append("--full-length")
    if config.turn_timeout != Config().turn_timeout:
        words += ["--turn-timeout", f"{config.turn_timeout:g}"]
    return shlex.join(words)


def _model_words(cell: Cell, config: Config) -> list[str]:
    """What the command is told about a cell's real model."""
    given: dict[str, object] = {}
    if cell.tier is ModelTier.LIVE:
        prices = None if config.price is None else ",".join(f"{each:f}" for each in config.price)
        budget = None if config.budget is None else f"{config.budget:f}"
        given = {"--model": config.model, "--base-url": config.base_url, "--budget": budget, "--price": prices}
    elif cell.tier is ModelTier.RECORDED:
        given = {"--cassettes": config.cassettes}
    return [word for option, value in given.items() if value is not None for word in (option, str(value))]
