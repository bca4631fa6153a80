"""What model responses cost, by `genai-prices`, exactly.

A price depends on the provider, the model, the tokens, and the time of the request. A provider that
`genai-prices` does not know (the name of a local or scripted tier) says nothing about the model, so that the
model's own name decides; a provider that it knows is final, and a model that it does not know there has no
price.

Tokens that a cache had, or that went into one, are parts of the prompt's, at prices of their own where a model has
them; reasoning tokens are a part of the completion's, mostly at the same price. A provider bills its own count of them
(`Charge`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot

from harness.evidence import Charge

__all__ = ["UNPRICED", "Price", "price_of", "price_of_tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars for prompt and completion, and in all; `None` where there is no price."""

    prompt: Decimal | None
    completion: Decimal | None
    total: Decimal | None

    def __str__(self) -> str:
        prompt, completion, total = (
            "NULL" if part is None else f"{part:f}" for part in (self.prompt, self.completion, self.total)
        )
        return f"{prompt} + {completion} = {total} USD"


UNPRICED = Price(prompt=None, completion=None, total=None)


def price_of(charges: Sequence[Charge]) -> Price:
    """The sum of the prices of what was served; `UNPRICED` if any part has no price, or for nothing."""
    prices = [
        price_of_tokens(charge, charge.prompt_tokens, charge.completion_tokens, at=charge.served_at)
        for charge in charges
    ]
    prompt, completion, total = Decimal(0), Decimal(0), Decimal(0)
    for price in prices:
        if price.prompt is None or price.completion is None or price.total is None:
            return UNPRICED
        prompt, completion, total = prompt + price.prompt, completion + price.completion, total + price.total
    return Price(prompt=prompt, completion=completion, total=total) if prices else UNPRICED


def price_of_tokens(charge: Charge, prompt_tokens: int, completion_tokens: int, *, at: datetime) -> Price:
    """The price of so many tokens of the charge's model in one response; `UNPRICED` if the model has none.

    Of the prompt's tokens as many are cached, and as many written into a cache, as the charge says, and at most all of
    them; so with what of the completion is reasoning. Fewer tokens than none, which a ledger may have, are `UNPRICED`
    too, and so is what was not told.
    """
    if min(prompt_tokens, completion_tokens) < 0 or charge.untold is not None:
        return UNPRICED
    provider = charge.provider if _is_known(charge.provider) else None
    cached_tokens = min(charge.cached_tokens, prompt_tokens)
    usage = Usage(
        input_tokens=prompt_tokens,
        cache_read_tokens=cached_tokens,
        cache_write_tokens=min(charge.cache_write_tokens, prompt_tokens - cached_tokens),
        output_tokens=completion_tokens,
        output_reasoning_tokens=min(charge.reasoning_tokens, completion_tokens),
    )
    try:
        price = calc_price(usage, charge.model, provider_id=provider, genai_request_timestamp=at)
    except LookupError:
        return UNPRICED
    return Price(prompt=price.input_price, completion=price.output_price, total=price.total_price)


def _is_known(provider: str) -> bool:
    try:
        get_snapshot().find_provider(None, provider, None)
    except LookupError:
        return False
    return True
