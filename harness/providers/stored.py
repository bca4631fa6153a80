"""Completions that a provider keeps, so that a client can ask later what it was served, and for how many tokens.

OpenAI keeps a completion whose request says `"store": true`, under its identifier and the metadata that the request
gave it, and lists what was kept. A client that lost an answer on the way finds it there with its usage, if it marked
the request. Source: https://platform.openai.com/docs/api-reference/chat (list, retrieve).

The list belongs to the event loop of the server that answers by it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.providers.asked import Listing

__all__ = ["StoredCompletions"]

_Completion = Mapping[str, Any]


class StoredCompletions:
    """What is kept, in the order of keeping."""

    def __init__(self) -> None:
        self._kept: dict[str, _Completion] = {}

    def keep(self, completion: _Completion, metadata: Mapping[str, str]) -> None:
        """Keep a whole completion object under its `id`."""
        self._kept[completion["id"]] = {**completion, "metadata": dict(metadata)}

    def get(self, completion_id: str) -> _Completion | None:
        """The completion of that identifier; `None` if it is not kept."""
        return self._kept.get(completion_id)

    def page(self, listing: Listing) -> dict[str, Any]:
        """A page of what is kept; raises `KeyError` if it is to begin after a completion that is not listed."""
        found = [completion for completion in self._kept.values() if _fits(completion, listing)]
        if listing.order == "desc":
            found.reverse()
        rest = found if listing.after is None else _after(found, listing.after)
        page = rest[: listing.limit]
        return {
            "object": "list",
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": len(rest) > len(page),
        }


def _fits(completion: _Completion, listing: Listing) -> bool:
    marks = completion["metadata"].items()
    return listing.model in {None, completion["model"]} and listing.metadata.items() <= marks


def _after(found: Sequence[_Completion], completion_id: str) -> Sequence[_Completion]:
    for position, completion in enumerate(found, 1):
        if completion["id"] == completion_id:
            return found[position:]
    raise KeyError(completion_id)
