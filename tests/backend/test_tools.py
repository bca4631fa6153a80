"""What the tools do, one at a time."""

import json
from datetime import datetime

import pytest
from sqlalchemy import event

from fixtures.backend.app.services.directory_service import PAGE
from fixtures.backend.app.settings import SessionMode
from tests.backend.conftest import Start
from tests.backend.product import LEAVE_MESSAGE, REQUEST_CALLBACK, script


async def test_directory_filters_narrow_the_search(start: Start) -> None:
    """Dates are given as text and read by the database."""
    filters = {"department": "cardiology", "hired_after": "January 1, 2010", "hired_before": "2020-01-01"}
    product = await start(script(("search_directory", {"query": "", "schema_name": "people", "filters": filters})))

    answer = await product.ask()
    rows = await product.rows("directory_entries")
    expected = {
        row["name"]
        for row in rows
        if row["department"] == "Cardiology" and row["hired_on"] and 2010 <= row["hired_on"].year < 2020
    }

    assert expected
    assert all(name in answer["text"] for name in expected)


async def test_the_directory_is_read_page_by_page(start: Start) -> None:
    """Every entry is on one page; those beyond the end are empty."""
    product = await start(script(("browse_directory", {"schema_name": "departments", "pages": 9})))
    entries = [row for row in await product.rows("directory_entries") if row["schema_name"] == "departments"]

    told = json.loads((await product.ask())["text"])

    assert PAGE < len(entries) < 9 * PAGE
    assert sorted(entry["name"] for entry in told) == sorted(entry["name"] for entry in entries)


async def test_the_first_pages_are_a_part_of_the_directory(start: Start) -> None:
    """So many entries as are on so many pages, and none twice."""
    product = await start(script(("browse_directory", {"schema_name": "people", "pages": 3})))

    told = json.loads((await product.ask())["text"])

    assert len({entry["email"] for entry in told}) == len(told) == 3 * PAGE


@pytest.mark.parametrize(
    ("mode", "connections"), [(SessionMode.PER_OPERATION, 4), (SessionMode.DEFERRED, 4), (SessionMode.SHARED, 1)]
)
async def test_each_page_is_an_operation_of_its_own(start: Start, mode: SessionMode, connections: int) -> None:
    """With a session per operation a connection is taken for each page, and for the bill; else once for the turn."""
    product = await start(script(("browse_directory", {"schema_name": "people", "pages": 3})), session_mode=mode)
    taken: list[object] = []
    event.listen(product.engine.pool, "checkout", lambda connection, *_: taken.append(connection))

    await product.ask()

    assert len(taken) == connections


async def test_documents_are_found_by_meaning(start: Start) -> None:
    """The document about the subject comes first, and `limit` is kept."""
    product = await start(script(("search_documents", {"query": "discharge papers maternity", "limit": 1})))

    answer = await product.ask()

    assert "Maternity: discharge" in answer["text"]
    assert answer["text"].count("title") == 1


async def test_a_message_goes_to_whoever_is_on_call(start: Start) -> None:
    """The user gets a reference; the row names the person."""
    product = await start(script(LEAVE_MESSAGE))

    answer = await product.ask()
    [message] = await product.rows("messages")
    on_call = [
        row["name"]
        for row in await product.rows("directory_entries")
        if row["on_call"] and row["department"] == "Cardiology"
    ]

    assert [message["recipient"]] == on_call
    assert answer["text"] == f"Message MSG-{message['id']:06} is left for {message['recipient']}."


async def test_a_callback_is_stored(start: Start) -> None:
    """With the name and number that the user gave."""
    product = await start(script(REQUEST_CALLBACK))

    answer = await product.ask()
    [callback] = await product.rows("callbacks")

    assert answer["text"] == "Jordan Example will be called back at 555-0199."
    assert (callback["name"], callback["phone"]) == ("Jordan Example", "555-0199")


async def test_a_free_slot_is_reserved_once(start: Start) -> None:
    """The second time it is taken, which is an answer and not a failure."""
    product = await start(script(("reserve_appointment", {"slot": "2026-03-02T10:00"})))

    first, second = await product.ask(), await product.ask()
    slots = [row["slot"] for row in await product.rows("appointments")]

    assert first["text"] == "The slot 2026-03-02 10:00 is reserved."
    assert second["text"] == "The slot 2026-03-02 10:00 is already taken."
    assert slots.count(datetime(2026, 3, 2, 10)) == 1  # noqa: DTZ001  # the hospital's own time
