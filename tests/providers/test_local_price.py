"""The local model's price: found by name, beside all others, as often as it is asked for."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import DataSnapshot, get_snapshot, set_custom_snapshot
from pydantic_ai.messages import ModelResponse
from pydantic_ai.usage import RequestUsage

from harness.checks.prices import price_of
from harness.evidence import Charge
from harness.providers.local_price import MODEL, PROVIDER, install


@pytest.fixture(autouse=True)
def bundled() -> Iterator[None]:
    """The list as it comes, before and after."""
    set_custom_snapshot(None)
    yield
    set_custom_snapshot(None)


def test_application_and_checks_agree_on_it() -> None:
    """Cached tokens have a price of their own."""
    install()
    usage = RequestUsage(input_tokens=1000, cache_read_tokens=600, output_tokens=50)
    response = ModelResponse(
        [], usage=usage, model_name=MODEL, provider_name=PROVIDER, provider_url="http://127.0.0.1:1/v1"
    )
    charge = Charge(
        response_id="r",
        turn="t",
        provider=PROVIDER,
        model=MODEL,
        prompt_tokens=1000,
        cached_tokens=600,
        completion_tokens=50,
        served_at=datetime.now(UTC),
    )

    expected = Decimal("0.000075")  # 400 at 0.10, 600 at 0.025 and 50 at 0.40 dollars a million
    assert response.cost().total_price == expected
    assert price_of([charge]).total == expected


def test_it_is_installed_once() -> None:
    """And again when somebody has set another list."""
    install()
    first = get_snapshot()
    install()

    assert get_snapshot() is first

    set_custom_snapshot(DataSnapshot(providers=first.providers[:-1], from_auto_update=True))
    install()

    assert get_snapshot().providers[-1].id == PROVIDER
    assert get_snapshot().from_auto_update


def test_other_prices_are_what_they_were() -> None:
    """Nor has anything a price by an address on this machine."""
    usage = Usage(input_tokens=10, output_tokens=10)
    before = calc_price(usage, "gpt-4o", provider_id="openai").total_price
    install()

    assert calc_price(usage, "gpt-4o", provider_id="openai").total_price == before
    for address in ("http://127.0.0.1:1/v1", "http://localhost"):
        with pytest.raises(LookupError):
            calc_price(usage, MODEL, provider_api_url=address)
