"""Suppressions in `pyproject.toml`: which findings they name, and what is said of those that make no sense."""

import re
from dataclasses import fields, replace
from datetime import date
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from harness.config import Config, resolve
from harness.errors import ConfigurationError
from harness.evidence import AccessSeen, PlaceSeen, RaceKind, SessionRace
from harness.project_table import SETTINGS, misplaced, nearest_table
from harness.suppressions import Place, Suppressions, read_suppressions

ROOT = Path("/srv/shop")
WHY = 'reason = "moves to the new reports in spring"\nexpires = 2027-03-01\n'
DAY = date(2027, 3, 1)


def _access(*frames: str) -> AccessSeen:
    """An access with a stack, innermost last, of frames as `file:function`."""
    places = [frame.rpartition(":") for frame in frames]
    stack = tuple(PlaceSeen(file=f"{ROOT}/{file}", line=7, function=function) for file, _, function in places)
    return AccessSeen(operation="Session.execute", task="Task-1", stack=stack)


RACE = SessionRace(
    kind=RaceKind.OVERLAP,
    subject="Session 1",
    first=_access("tests/test_totals.py:test_totals", "shop/legacy.py:Reports.totals"),
    second=_access("tests/test_totals.py:test_totals", "shop/db.py:query.<locals>.run"),
    subject_created=(PlaceSeen(file=f"{ROOT}/tests/conftest.py", line=3, function="session"),),
    at=0.0,
)


def _read(folder: Path, text: str) -> Suppressions:
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return read_suppressions(folder)


def _entry(keys: str) -> str:
    return f"[[tool.sessionproof.suppress]]\n{keys}\n{WHY}"


def _names(tmp_path: Path, keys: str, race: SessionRace = RACE, *, on: date = DAY) -> bool:
    entries = _read(tmp_path, _entry(keys)).entries
    return bool(Suppressions(root=ROOT, entries=entries).naming(race, on=on))


@pytest.mark.parametrize(
    "keys",
    [
        'at = "shop/legacy.py"',
        'at = "./shop/legacy.py"',
        'at = "shop/*.py"',
        'at = "**/legacy.py"',
        'at = "shop/**"',
        'at = "/srv/shop/shop/legacy.py"',
        'at = "shop/legacy.py:Reports.totals"',
        'at = "shop/legacy.py:Reports.*"',
        'at = "shop/db.py:query.<locals>.run"',
        'at = "shop/db.py:query.run"',
        'at = ["shop/other.py", "shop/db.py"]',
        'at = "shop/legacy.py"\nbeside = "shop/db.py"',
        'at = "shop/db.py"\nbeside = "shop/legacy.py:Reports.totals"',
        'at = "shop/legacy.py"\nfinding = "overlap"',
        'at = "shop/legacy.py"\nfinding = ["unordered", "overlap"]',
        'through = "tests/test_totals.py:test_totals"',
        'made_at = "tests/conftest.py:session"',
        'made_at = "tests/conftest.py"\nthrough = "**/test_totals.py"\nat = "shop/db.py"',
    ],
)
def test_what_an_entry_names(tmp_path: Path, keys: str) -> None:
    """Either access, by file or by file and function, whatever the line; the other one; a caller; the session."""
    assert _names(tmp_path, keys)


@pytest.mark.parametrize(
    "keys",
    [
        'at = "legacy.py"',
        'at = "shop/legacy"',
        'at = "*/shop/legacy.py"',
        'at = "*.py"',
        'at = "shop/legacy.py:totals"',
        'at = "shop/legacy.py:Reports"',
        'at = "shop/db.py:run"',
        'at = "tests/test_totals.py"',
        'at = "shop/legacy.py"\nbeside = "shop/legacy.py"',
        'at = "shop/legacy.py"\nfinding = "bleed"',
        'at = "shop/legacy.py"\nmade_at = "shop/legacy.py"',
        'at = "shop/legacy.py"\nthrough = "tests/test_other.py"',
        'made_at = "tests/conftest.py:engine"',
    ],
)
def test_what_it_does_not_name(tmp_path: Path, keys: str) -> None:
    """A file of another folder, a part of a name, a caller where the access is meant, another kind; all have to fit."""
    assert not _names(tmp_path, keys)


def test_an_access_without_a_stack(tmp_path: Path) -> None:
    """Is at no place, so that no entry names it by one; where the session was made names it, if that is known."""
    nowhere = replace(RACE, first=_access(), second=_access())

    assert not _names(tmp_path, 'at = "shop/**"', nowhere)
    assert not _names(tmp_path, 'through = "**/test_totals.py"', nowhere)
    assert _names(tmp_path, 'made_at = "tests/conftest.py:session"', nowhere)
    assert not _names(tmp_path, 'made_at = "tests/**"', replace(nowhere, subject_created=()))


EVERYWHERE = (
    "**",
    "*",
    "**/*",
    "**/**",
    "*/**",
    "./**",
    "/**",
    ".",
    "..",
    "./",
    "**/*.py",
    "**.py",
    "*.*",
    "**/?*.p?",
    "**:*",
    "**:**",
    "*:*",
    ":",
    "**/*.py:*",
)


@pytest.mark.parametrize("key", ["at", "through", "made_at", "beside"])
@pytest.mark.parametrize("pattern", EVERYWHERE)
def test_a_place_that_is_everywhere(tmp_path: Path, pattern: str, key: str) -> None:
    """Is refused: it would hide whatever comes later. So is one in a list."""
    for value in (f'"{pattern}"', f'["shop/legacy.py", "{pattern}"]'):
        entry = f'{key} = {value}\n{"" if key == "at" else """at = "shop/legacy.py" """}'

        assert _complaint(tmp_path, _entry(entry)) == (
            f"entry 1 of [[tool.sessionproof.suppress]]: {key!r} cannot be {pattern!r}, which names no mistake, but "
            "all of them: name the file and the function, as in 'shop/legacy.py:totals', or a folder, as in 'shop/**'"
        )


def test_the_whole_project_by_its_folder(tmp_path: Path) -> None:
    """Is everywhere, too; a folder in it, a function in any file, and a name in any folder are not."""
    (tmp_path / "shop").mkdir()

    assert "names no mistake, but all of them" in _complaint(tmp_path, _entry(f'at = "{tmp_path}/**"'))
    for place in ("shop/**", f"{tmp_path}/shop/**", "**:Reports.totals", "**/legacy.py", "**/legacy/**", "*.py", "a/*"):
        assert len(_read(tmp_path, _entry(f'at = "{place}"')).entries) == 1


def test_the_last_day(tmp_path: Path) -> None:
    """Counts; the day after does not."""
    assert _names(tmp_path, 'at = "shop/legacy.py"', on=date(2027, 3, 1))
    assert not _names(tmp_path, 'at = "shop/legacy.py"', on=date(2027, 3, 2))


def test_a_folder_that_is_reached_by_a_link(tmp_path: Path) -> None:
    """Is the same folder: Python may name a file by either path."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    place = Place.parse("app.py:main")

    for seen in ("real", "link"):
        frame = PlaceSeen(file=str(tmp_path / seen / "app.py"), line=1, function="main")
        assert place.fits(frame, tmp_path / "link")
    assert not place.fits(PlaceSeen(file=str(tmp_path / "app.py"), line=1, function="main"), tmp_path / "link")


def test_all_entries_that_name_a_finding(tmp_path: Path) -> None:
    """Are told, the first one first, so that none of them is called unused."""
    entries = _read(
        tmp_path, _entry('at = "shop/db.py"') + _entry('at = "x.py"') + _entry('through = "shop/**"')
    ).entries

    assert [each.number for each in Suppressions(root=ROOT, entries=entries).naming(RACE, on=DAY)] == [1, 3]


def test_no_file_and_no_entries(tmp_path: Path) -> None:
    """Are no suppressions, and no error."""
    assert read_suppressions(tmp_path).entries == ()
    assert read_suppressions(tmp_path / "nowhere").entries == ()
    for text in ("", "[tool]", "[tool.sessionproof]\nturn-timeout = 3"):
        assert _read(tmp_path, text).entries == ()


def _complaint(folder: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        _read(folder, text)
    with pytest.raises(ConfigurationError, match=re.escape(str(caught.value))):
        resolve({}, environment={}, directory=folder)
    return str(caught.value).removeprefix(f"{folder}/pyproject.toml: ")


def test_what_is_said_of_wrong_entries(tmp_path: Path) -> None:
    """One line, with the file and the number of the entry; the commands' configuration says the same."""
    place = 'at = "shop/legacy.py"\n'
    reason, expires = WHY.splitlines()

    where = "entry 2 of [[tool.sessionproof.suppress]]: "
    said = [
        _complaint(tmp_path, _entry('at = "a.py"') + f"[[tool.sessionproof.suppress]]\n{entry}")
        for entry in (
            f"{place}{expires}",
            f"{place}{reason}",
            f'{place}reason = "  "\n{expires}',
            f"{place}reason = 3\n{expires}",
            f'{place}{reason}\nexpires = "2027-03-01"',
            f"{place}{reason}\nexpires = 2027-03-01T12:00:00",
            f"{place}{reason}\nexpires = 2027",
            f'{place}{WHY}resaon = "twice"',
            f"{place}{WHY}lines = 7",
            f'{place}{WHY}finding = "overlapp"',
            f'{place}{WHY}finding = "everything"',
            f'{place}{WHY}finding = "session_overlap"',
            f"{place}{WHY}finding = []",
            f"{place}{WHY}finding = 3",
            f'at = "shop/legacy.py:31"\n{WHY}',
            f'at = "shop/legacy.py:no function"\n{WHY}',
            f'at = "shop/"\n{WHY}',
            f'at = ""\n{WHY}',
            f'at = ":totals"\n{WHY}',
            f"at = [3]\n{WHY}",
            f'beside = "shop/legacy.py"\n{WHY}',
            f'finding = "overlap"\n{WHY}',
        )
    ]

    assert all(each.startswith(where) for each in said)
    assert [each.removeprefix(where) for each in said] == snapshot(
        [
            'it has no reason: add reason = "…", for whoever asks why this is not repaired',
            "it has no date: add expires = 2027-03-01, the last day on which it counts",
            "'reason' cannot be '  ': expected some words",
            "'reason' cannot be 3: expected some words",
            "'expires' cannot be '2027-03-01': expected a date without quotation marks, as in expires = 2027-03-01",
            "'expires' cannot be 2027-03-01 12:00:00: expected a date, as in expires = 2027-03-01",
            "'expires' cannot be 2027: expected a date, as in expires = 2027-03-01",
            "unknown key 'resaon'; did you mean 'reason'?",
            "unknown key 'lines'; known are at, beside, expires, finding, made_at, reason, through",
            "there is no finding 'overlapp'; did you mean 'overlap'?",
            "there is no finding 'everything'; known are overlap, unordered, bleed, foreign_thread, foreign_loop",
            "there is no finding 'session_overlap'; did you mean 'overlap'?",
            "'finding' cannot be []: expected a kind of finding, or a list of them",
            "'finding' cannot be 3: expected a kind of finding, or a list of them",
            "'shop/legacy.py:31' ends with a line, and lines shift: name the function, as in 'shop/legacy.py:function'",
            "'shop/legacy.py:no function' is no place: expected 'file' or 'file:function'",
            "'shop/' names a folder: for every file below it, write 'shop/**'",
            "'' names no file: expected 'file' or 'file:function', such as 'shop/legacy.py'",
            "':totals' names no file: expected 'file' or 'file:function', such as 'shop/legacy.py'",
            "'at' cannot be [3]: expected a place, such as 'shop/legacy.py:totals', or a list of them",
            "'beside' is the access beside the one 'at': name that, too",
            "it names no place, and would suppress everything: add 'at', 'through' or 'made_at'",
        ]
    )


def test_what_is_no_array_of_tables(tmp_path: Path) -> None:
    """Is said as that."""
    for text in (
        f"[tool.sessionproof.suppress]\n{WHY}",
        '[tool.sessionproof]\nsuppress = "shop/legacy.py"',
        '[tool.sessionproof]\nsuppress = ["shop/legacy.py"]',
    ):
        assert _complaint(tmp_path, text) == snapshot(
            "the suppressions are no array of tables: write each as [[tool.sessionproof.suppress]]"
        )


def test_settings_beside_them(tmp_path: Path) -> None:
    """Are read as without them, and a table that is nearly called so is told what it should be."""
    entry = _entry('at = "a.py"')
    (tmp_path / "pyproject.toml").write_text(f"[tool.sessionproof]\nturn-timeout = 3\n{entry}")
    assert resolve({}, environment={}, directory=tmp_path).turn_timeout == 3

    (tmp_path / "pyproject.toml").write_text(entry.replace(".suppress", ".supress"))
    with pytest.raises(ConfigurationError, match="unknown setting 'supress'; did you mean 'suppress'"):
        resolve({}, environment={}, directory=tmp_path)


def test_what_is_wrong_around_them(tmp_path: Path) -> None:
    """A name that was mistyped would suppress nothing, in silence: it is told, to the commands too."""
    entry = _entry('at = "a.py"')

    assert [
        _complaint(tmp_path, text)
        for text in (
            entry.replace(".suppress", ".supress"),
            entry.replace(".sessionproof.", ".sessionprof."),
            f"[tool.sessionproof]\n{entry}{entry.replace('.sessionproof.', '.sesionproof.')}",
            '[tool.sessionproof]\nbacknd = "x"',
            "tool = 3",
            "[tool]\nsessionproof = 3",
        )
    ] == snapshot(
        [
            "unknown setting 'supress'; did you mean 'suppress'?",
            "there is a table [tool.sessionprof]; did you mean [tool.sessionproof]?",
            "there is a table [tool.sesionproof]; did you mean [tool.sessionproof]?",
            "unknown setting 'backnd'; did you mean 'backend'?",
            "tool is a int, and no table; write it as [tool.sessionproof]",
            "tool.sessionproof is a int, and no table; write it as [tool.sessionproof]",
        ]
    )


def test_a_setting_of_pytest_in_the_wrong_table(tmp_path: Path) -> None:
    """Is found where nothing is watched, too; nothing else is said there, whatever the file is."""
    (tmp_path / "pyproject.toml").write_text('[tool.sessionproof]\nsessions = "raise"', encoding="utf-8")

    assert misplaced(tmp_path).removeprefix(f"{tmp_path}/pyproject.toml: ") == snapshot(
        "'sessions' stands in [tool.sessionproof], where nobody reads it: it belongs to pytest's own settings, "
        "in [tool.pytest.ini_options] or [tool.pytest]"
    )
    for key in ("sessions", "sessions-report"):
        assert f"{key!r} stands in [tool.sessionproof]" in _complaint(tmp_path, f'[tool.sessionproof]\n{key} = "x"')
    for text in ("", "[tool.sessionproof", '[tool.sessionproof]\nbacknd = "x"', '[tool.pytest]\nsessions = "raise"'):
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        assert not misplaced(tmp_path)
    assert not misplaced(tmp_path / "nowhere")


def test_every_setting_is_known() -> None:
    """The names that the table may have are the fields of a configuration, but for where the table was found."""
    assert (*SETTINGS, "folder") == tuple(field.name for field in fields(Config))


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    """Is named, with the line."""
    (tmp_path / "pyproject.toml").write_bytes(b"[project]\nname = '\xff'\n")
    with pytest.raises(ConfigurationError) as caught:
        read_suppressions(tmp_path)
    said = [str(caught.value)]
    for text in ("[[tool.sessionproof.suppress]", "[tool]\n[tool.sessionproof\n", "a = 1\nb = ["):
        with pytest.raises(ConfigurationError) as caught:
            _read(tmp_path, text)
        said.append(str(caught.value))

    assert [each.removeprefix(f"{tmp_path}/pyproject.toml is not valid TOML: ") for each in said] == snapshot(
        [
            "what stands there is not UTF-8 (at line 2, column 9); correct it there",
            "Expected ']]' at the end of an array declaration (at line 1, column 29); correct it there",
            "Expected ']' at the end of a table declaration (at line 2, column 19); correct it there",
            "Invalid value (at line 2, column 6, the end of the file); correct it there",
        ]
    )
    (tmp_path / "pyproject.toml").unlink()
    (tmp_path / "pyproject.toml").mkdir()
    with pytest.raises(ConfigurationError, match=r"pyproject.toml cannot be read"):
        read_suppressions(tmp_path)


TABLE = "[tool.sessionproof]\nturn-timeout = 3\n"


def _project(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")


def test_the_nearest_table_upwards(tmp_path: Path) -> None:
    """Is the one: of two the nearer; not a file without the table; the folder itself, if there is none."""
    package = tmp_path / "packages" / "shop"
    (tmp_path / ".git").mkdir()
    _project(package, "[project]\nname = 'shop'\n[tool.pytest.ini_options]\n")
    assert nearest_table(package) == package

    _project(tmp_path, TABLE)
    assert nearest_table(package / "tests") == nearest_table(package) == tmp_path
    _project(package, TABLE)
    assert nearest_table(package / "tests") == package


@pytest.mark.parametrize("is_work_tree", [False, True])
def test_a_table_above_the_repository(tmp_path: Path, is_work_tree: bool) -> None:
    """Is another project's; one in its root counts, whether that has a folder `.git` or, as a work tree, a file."""
    repository = tmp_path / "shop"
    _project(tmp_path, TABLE)
    (repository / "tests").mkdir(parents=True)
    assert nearest_table(repository / "tests") == tmp_path

    git = repository / ".git"
    git.write_text("gitdir: elsewhere", encoding="utf-8") if is_work_tree else git.mkdir()
    assert nearest_table(repository / "tests") == repository / "tests"
    _project(repository, TABLE)
    assert nearest_table(repository / "tests") == repository


def test_a_table_that_cannot_be_used(tmp_path: Path) -> None:
    """Hides no table above it: it is taken, and told of. What is no TOML and has nothing of ours is passed over."""
    (tmp_path / ".git").mkdir()
    _project(tmp_path, TABLE)
    tests = tmp_path / "shop" / "tests"
    for text in ("[tool.sesionproof]\n", "[tool.sessionproof\n", "[tool]\nsessionproof = 3\n"):
        _project(tmp_path / "shop", text)
        assert nearest_table(tests) == tmp_path / "shop"
    _project(tmp_path / "shop", "[project\n")
    assert nearest_table(tests) == tmp_path
    assert nearest_table(tmp_path / "shop") == tmp_path


def test_a_misplaced_setting_above(tmp_path: Path) -> None:
    """Is found from pytest's root below it."""
    _project(tmp_path, '[tool.sessionproof]\nsessions = "raise"')

    assert f"{tmp_path}/pyproject.toml: 'sessions' stands in [tool.sessionproof]" in misplaced(tmp_path / "tests")
