"""The reference backend, with a tool that tells every secret it knows: in errors, in logs, in SQL, and to the user."""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import text

from fixtures.backend.adapter import ReferenceApplication
from fixtures.backend.app.services import message_service
from fixtures.broken.base import BrokenBackend
from harness.backend import BackendSettings

__all__ = ["HEADER", "OTHER_URL_PASSWORD", "VARIABLE", "backend"]

VARIABLE = "SHOP_API_KEY"
HEADER = "tok.9f8e7d6c5b4a3210"
OTHER_URL_PASSWORD = "correct/horse@battery"
_request_callback = message_service.request_callback
_known: dict[str, str] = {}


async def _request_and_tell(session: Any, *arguments: Any) -> Any:
    told = (
        f"cannot reach {_known['url']} nor postgresql://shop:{OTHER_URL_PASSWORD}@db.internal/shop with "
        f"{{'Authorization': 'Bearer {HEADER}'}} and {os.environ.get(VARIABLE)}"
    )
    logging.getLogger("shop").error("%s", told)
    await session.execute(text(f"SELECT 1 /* {os.environ.get(VARIABLE)} Authorization: Bearer {HEADER} */"))
    await _request_callback(session, *arguments)
    raise ValueError(told)


class _Telling(BrokenBackend):
    @asynccontextmanager
    async def start(self, settings: BackendSettings) -> AsyncIterator[ReferenceApplication]:
        """Start it, and remember its database's URL."""
        _known["url"] = settings.database_url
        async with super().start(settings) as application:
            yield application


backend = _Telling("a loose tongue", [(message_service, "request_callback", _request_and_tell)])
