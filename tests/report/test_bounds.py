"""Numbers and times that no run can have."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.report.bench_document import BenchDocument
from harness.report.document import RunDocument
from harness.report.formats import bench_formats, change_formats, run_formats
from harness.report.reading import read_document
from harness.report.run_change import change_status, compare_runs
from tests.report import bench_documents, documents, racing, two_tools

_Place = tuple[str | int, ...]

RUNS = {
    "racing": racing.run(),
    "two tools": two_tools.run(two_tools.shared(expected=False), two_tools.own_sessions()),
    "faults": documents.with_faults(),
    "costs": documents.paid(reserved="1"),
}
BENCH = bench_documents.everything()
JSON: dict[str, Any] = {name: json.loads(made.model_dump_json()) for name, made in {**RUNS, "bench": BENCH}.items()}


def leaves(value: Any, place: _Place = ()) -> Iterator[tuple[_Place, Any]]:
    """Whatever is no list and no object, by its place."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*place, key))
    else:
        yield place, value


def is_number_or_time(value: object) -> bool:
    if isinstance(value, str):
        return value[:1].isdecimal() and (value.replace(".", "").isdecimal() or value[4:5] == "-")
    return value is None or isinstance(value, int | float)


PLACES = [(name, place) for name, value in JSON.items() for place, leaf in leaves(value) if is_number_or_time(leaf)]


def changed(name: str, place: _Place, value: object) -> str:
    """The document with another value at a place."""
    made = deepcopy(JSON[name])
    inner = made
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return json.dumps(made)


def read(text: str, directory: Path) -> RunDocument | BenchDocument:
    (directory / "document.json").write_text(text, encoding="utf-8")
    document = read_document(directory / "document.json")
    assert isinstance(document, RunDocument | BenchDocument)
    return document


NUMBERS = (
    st.floats()
    | st.floats(-1e10, 1e10)
    | st.integers()
    | st.integers(-(10**15), 10**15)
    | st.sampled_from([10**400, 1e300, -1e305, 5e-324, 0, -1, True])
    | st.sampled_from(["NaN", "-Infinity", "1E+500", "1E-5000", "0E+999999", "0E-99999", "-1", "1E+12"])
    | st.decimals().map(str)
    | st.datetimes().map(lambda moment: f"{moment.isoformat()}Z")
    | st.sampled_from(["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "2030-01-01T00:00:00"])
    | st.sampled_from(["2999-12-31T23:59:59-23:00", "1970-01-01T00:00:00+23:00"])
)


@settings(
    derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(PLACES), NUMBERS)
def test_whatever_number_a_document_has_it_is_refused_or_shown(
    tmp_path: Path, where: tuple[str, _Place], value: object
) -> None:
    """At any place, in one line or in every format."""
    name, place = where
    try:
        document = read(changed(name, place, value), tmp_path)
    except UsageError as error:
        refused = str(error).splitlines()
        assert len(refused) == 1
        return

    if isinstance(document, BenchDocument):
        assert all(made.render(document, "") for made in bench_formats().values())
        return
    assert all(made.render(document, "") for made in run_formats().values())
    for change in (compare_runs(document, RUNS[name]), compare_runs(RUNS[name], document)):
        assert change_status(change) in {0, 1, 3}
        assert all(made.render(change, "") for made in change_formats().values())


_TURN = ("cells", 0, "evidence", "turns", 0)


@pytest.mark.parametrize(
    ("name", "place", "value", "said"),
    [
        ("racing", ("seconds",), 1e300, "at seconds: a number beyond 1e+10"),
        ("racing", ("seconds",), float("nan"), "at seconds: nan is no number"),
        (
            "racing",
            ("started_at",),
            "9999-12-31T23:59:59Z",
            "at started_at: the year 9999 is not between 1970 and 2999",
        ),
        (
            "racing",
            (*_TURN, "interval", "end"),
            1e305,
            "at cells.0.evidence.turns.0.interval.end: a number beyond 1e+10",
        ),
        (
            "racing",
            (*_TURN, "planned_responses"),
            10**400,
            "at cells.0.evidence.turns.0.planned_responses: a number beyond 1e+15",
        ),
        ("costs", ("costs", "spent"), "1E+500", "at costs.spent: a number beyond 1e+12"),
        ("costs", ("costs", "spent"), "1E-500", "at costs.spent: a number of 500 decimals is no price"),
        (
            "bench",
            ("cases", 0, "arms", 0, "parts"),
            {"database": 1e300},
            "at cases.0.arms.0.parts.database: a number beyond 1e+10",
        ),
    ],
)
def test_what_no_run_can_have_is_named_with_its_place(
    name: str, place: _Place, value: object, said: str, tmp_path: Path
) -> None:
    """It follows the schema all the same."""
    with pytest.raises(UsageError) as caught:
        read(changed(name, place, value), tmp_path)

    what = "a benchmark" if name == "bench" else "a run document"
    assert str(caught.value) == f"'{tmp_path}/document.json' is {what} with what no run can have: {said}"


@pytest.mark.parametrize("name", JSON)
def test_what_a_run_has_is_read(name: str, tmp_path: Path) -> None:
    """Every field of it."""
    assert json.loads(read(json.dumps(JSON[name]), tmp_path).model_dump_json()) == JSON[name]


def test_what_the_backend_gave_may_be_anything(tmp_path: Path) -> None:
    """An answer may have an identifier of forty digits, and a ledger times without a zone: nobody counts with them."""
    answered = changed("racing", (*_TURN, "answer", "raw"), {"id": 10**40, "load": [1e300]})
    number = next(number for number, cell in enumerate(JSON["racing"]["cells"]) if cell["evidence"]["ledger"]["items"])
    place = ("cells", number, "evidence", "ledger", "items", 0, "created_at")

    assert isinstance(read(answered, tmp_path), RunDocument)
    assert isinstance(read(changed("racing", place, "2030-01-01T00:00:00"), tmp_path), RunDocument)
