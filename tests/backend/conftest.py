"""Starts the reference backend for a test, on a database of the test's own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from logfire.testing import CaptureLogfire
from pydantic_ai.models import Model

from fixtures.backend.app.services.usage_lookup import UsageLookup
from fixtures.backend.app.settings import Settings
from tests.backend.product import Product, running

Start = Callable[..., Awaitable[Product]]


@pytest.fixture(autouse=True)
def logs(capfire: CaptureLogfire) -> CaptureLogfire:
    """What the application logs."""
    return capfire


@pytest.fixture
async def start(clone_url: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts the application with a model and settings; it stops at the end of the test."""
    async with AsyncExitStack() as stack:

        async def start(model: Model, *, lookup: UsageLookup | None = None, **settings: Any) -> Product:
            usual = {"database_url": clone_url, "state_directory": tmp_path, "model": model, "settle_seconds": 0}
            settings = {**usual, **settings}
            return await stack.enter_async_context(running(Settings(**settings), usage_lookup=lookup))

        yield start
