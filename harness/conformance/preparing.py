"""`prepare`, called once on an empty database: does it end, does it leave anything open, and is anything there?"""

import difflib
from dataclasses import dataclass

from harness.backend import Backend, Violation
from harness.backend.violation import place_of
from harness.conformance.limits import GUARDED, within
from harness.conformance.outcome import Conformance, Step, StepFailed
from harness.conformance.server_side import connections_of, tables_in, watched_targets
from harness.postgres.clones import Clones
from harness.providers.guard import only_local_models

__all__ = ["prepared"]

_ASKED = "it makes schema and seed data in the empty database of the URL, and ends"
_CLOSING_SECONDS = 1.0


@dataclass(slots=True)
class _Preparation:
    backend: Backend
    seconds: float
    clones: Clones
    found: Conformance
    is_empty: bool = False

    async def __call__(self, url: str) -> None:
        """What the template is made by; raises `StepFailed` if there is none."""
        database = url.rpartition("/")[2].partition("?")[0]
        place = place_of(self.backend.prepare)
        with only_local_models(GUARDED) as refusals, watched_targets(url) as targets:
            await within(
                self.seconds,
                lambda: self.backend.prepare(url),
                part="prepare",
                asked=_ASKED,
                change="repair what raised there",
                place=place,
            )
        if targets.others:
            self._violated(
                f"it connected to {targets.others[0]}",
                "it connects to the database of the URL that it is given, and to no other",
                "make the engine from `database_url`",
                place,
            )
        if refusals.messages:
            self._violated(
                refusals.messages[0], "no model request leaves this machine", "prepare without a model", place
            )
        if left := await connections_of(self.clones, database, seconds=_CLOSING_SECONDS):
            self._violated(
                f"{left} of its connections {'was' if left == 1 else 'were'} open when it had ended",
                "it closes what it opens, because a database that is in use cannot be cloned",
                "dispose of the engine at the end: await engine.dispose()",
                place,
            )
        await self._look_at_tables(url, place)

    async def _look_at_tables(self, url: str, place: str) -> None:
        tables = await tables_in(url)
        self.is_empty = not tables
        if not tables:
            self._violated(
                "the database has no table afterwards",
                "it makes the schema, and commits it",
                "commit what it makes: async with engine.begin() as connection",
                place,
            )
            return
        table = getattr(self.backend, "ledger_table", None)
        if isinstance(table, str) and table not in tables:
            nearest = difflib.get_close_matches(table, tables, n=1)
            change = (
                f"write {nearest[0]!r}"
                if nearest
                else f"name one of {', '.join(sorted(t for t in tables if '.' not in t))}"
            )
            asked = "it is the name of the table with the ledger's rows"
            violation = Violation(part="ledger_table", seen=f"there is no table {table!r}", asked=asked, change=change)
            self.found += Conformance(backend=self.found.backend, violations=(violation,))

    def _violated(self, seen: str, asked: str, change: str, place: str) -> None:
        violation = Violation(part="prepare", seen=seen, asked=asked, change=change, place=place)
        self.found += Conformance(backend=self.found.backend, violations=(violation,))


async def prepared(backend: Backend, clones: Clones, *, seconds: float) -> tuple[str | None, Conformance]:
    """The name of the prepared template, if there is one with anything in it, and what was found in making it."""
    step = Conformance(backend=backend.name, steps=(Step(name="prepare makes a database"),))
    preparation = _Preparation(backend, seconds, clones, step)
    try:
        template = await clones.template(backend.name, preparation)
    except StepFailed as failed:
        return None, preparation.found + Conformance(backend=backend.name, violations=(failed.violation,))
    return None if preparation.is_empty else template, preparation.found
