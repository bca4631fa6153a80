"""Whether a ledger row, or a response, names the provider and the model that served it.

A name may differ and still say the same: a provider answers a request for `gpt-4o` with `gpt-4o-2024-08-06`, which
is the snapshot that it runs, and some write the provider before the model. `gpt-4o-mini` is another model. A row
without such a column (`None`) says nothing wrong. Checks and reports both go by this: a report
marks no name that a check lets pass.
"""

import re
from collections.abc import Sequence

from harness.evidence import Charge, LedgerRow

__all__ = ["COMPLETE", "names_its_model", "names_its_source"]

COMPLETE = "complete"
"""The `completion_status` of what was answered."""

_SNAPSHOT = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4}|\d{3}|latest)$")


def names_its_source(row: LedgerRow, bill: Sequence[Charge]) -> bool:
    """Whether one line of the bill was served by the provider and the model that the row names."""
    return any(_is_provider(row.provider, charge) and names_its_model(row.model, charge) for charge in bill)


def _is_provider(name: str | None, charge: Charge) -> bool:
    return name is None or name.casefold() == charge.provider.casefold()


def names_its_model(name: str | None, charge: Charge) -> bool:
    """Whether this can be a name of the model that served the charge."""
    if name is None:
        return True
    bare = re.sub(rf"^{re.escape(charge.provider)}[:/]", "", name, flags=re.IGNORECASE)
    if bare == charge.model:
        return True
    return bare == _SNAPSHOT.sub("", charge.model) or _SNAPSHOT.sub("", bare) == charge.model
