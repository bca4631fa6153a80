"""What the local model costs: nothing, and a price by which a bill for it can be checked all the same.

Problem: a ledger with nothing but zeros says nothing of how costs are computed and stored.

Mechanism: a price of its own in the list of `genai-prices`, which the application, Pydantic AI and the checks read. The
prices are invented, in the proportions of a small hosted model: US dollars 0.10 for a million tokens of the prompt,
0.025 for those of them that the server had read already, and 0.40 for a million tokens of the answer.

Guarantee: the list's other prices are what they were. The price is found by the provider's name alone: no address
leads to it, so that what else listens on this machine has no price of ours. It stays until the process ends, because
ledgers are checked when the provider has stopped; whoever sets another list (`genai_prices.UpdatePrices` does) removes
it, and the next `install` puts it back.
"""

from decimal import Decimal

from genai_prices import types
from genai_prices.data_snapshot import DataSnapshot, get_snapshot, set_custom_snapshot

__all__ = ["MODEL", "PROVIDER", "install"]

PROVIDER = "local"
"""Who serves the model, as bills name it."""

MODEL = "smollm2-135m"
"""The model, as bills name it."""

_NO_ADDRESS = r"(?!)"
_PRICES = {
    "input_mtok": Decimal("0.10"),
    "cache_read_mtok": Decimal("0.025"),
    "output_mtok": Decimal("0.40"),
}


def install() -> None:
    """Let this process know the price; harmless when called again."""
    known = get_snapshot()
    if any(provider.id == PROVIDER for provider in known.providers):
        return
    model = types.ModelInfo(id=MODEL, match=types.ClauseEquals(MODEL), prices=types.ModelPrice(**_PRICES))
    provider = types.Provider(id=PROVIDER, name=PROVIDER, api_pattern=_NO_ADDRESS, models=[model])
    set_custom_snapshot(
        DataSnapshot(
            providers=[*known.providers, provider],
            from_auto_update=known.from_auto_update,
            timestamp=known.timestamp,
        )
    )
