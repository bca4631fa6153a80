"""Which files are read, and what becomes of those that cannot be."""

import os
from pathlib import Path

import pytest

from harness.project.files import SKIPPED, find_files
from harness.project.project import Project
from tests.project.conftest import Load


def test_environments_and_hidden_folders_are_left_out(load: Load, tmp_path: Path) -> None:
    """Unless they were named."""
    load(
        {f"{folder}/x.py": "" for folder in [*SKIPPED, ".git", ".venv", "own"]}
        | {"mine/pyvenv.cfg": "", "mine/y.py": ""}
    )

    assert [path.parent.name for path in find_files([tmp_path])[0]] == ["own"]
    assert len(find_files([tmp_path / "site-packages"])[0]) == 1


def test_links_that_lead_in_circles_end(load: Load, tmp_path: Path) -> None:
    """And each file is read once."""
    load({"a/b/x.py": ""})
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "again").symlink_to(tmp_path / "a")

    assert len(find_files([tmp_path, tmp_path / "a", tmp_path / "a" / "b" / "x.py"])[0]) == 1


def test_a_file_is_named_without_a_link_if_it_can_be(load: Load, tmp_path: Path) -> None:
    """Also if the link's name comes first, and by the link if nothing else leads to it."""
    load({"app/ro/a.py": "", "other/b.py": "", "more/inside/c.py": "", "more/d.py": ""})
    (tmp_path / "app" / "again").symlink_to(tmp_path / "app" / "ro")
    (tmp_path / "app" / "beside").symlink_to(tmp_path / "other")
    (tmp_path / "app" / "around").symlink_to(tmp_path / "more" / "inside")
    (tmp_path / "app" / "wide").symlink_to(tmp_path / "more")
    found = find_files([tmp_path / "app"])[0]

    assert [str(path.relative_to(tmp_path)) for path in found] == [
        *("app/ro/a.py", "app/around/c.py", "app/beside/b.py", "app/wide/d.py")
    ]


def test_a_link_to_a_folder_around_what_was_named_is_not_followed(load: Load, tmp_path: Path) -> None:
    """What else is in there was not named; if it was, it is looked at."""
    load({"app/ro/a.py": "", "other/b.py": ""})
    (tmp_path / "app" / "loop").symlink_to(tmp_path)
    (tmp_path / "app" / "ro" / "loop").symlink_to("..")

    assert [path.name for path in find_files([tmp_path / "app"])[0]] == ["a.py"]
    assert [path.name for path in find_files([tmp_path / "app", tmp_path])[0]] == ["a.py", "b.py"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"def f(:\n", "it is no Python: invalid syntax"),
        (b"\n\nx = (\n", "it is no Python: '(' was never closed"),
        (b"x = 1\0", "it is no Python: "),
        (b"x = '\xff'", "it is no Python: invalid or missing encoding"),
        (b"\n\nx = '\xff'", "it is not in utf-8"),
        (b"# coding: klingon\n", "it is no Python: unknown encoding"),
        (b"-" * 100_000 + b"1", "it is nested too deeply to be parsed"),
        (b"print 'x'\n", "it is no Python: "),
    ],
)
def test_a_file_that_cannot_be_read_is_a_problem(load: Load, tmp_path: Path, content: bytes, said: str) -> None:
    """And the others are loaded."""
    (tmp_path / "bad.py").write_bytes(content)
    project = load({"good.py": "x = 1"})

    (problem,) = project.problems
    assert said in problem.message or "too complex" in problem.message
    assert problem.file == str(tmp_path / "bad.py")
    assert [module.name for module in project.modules] == ["good"]


def test_what_is_no_file_is_a_problem(tmp_path: Path) -> None:
    """A folder called so is looked into; a pipe is not waited for, and a link that leads nowhere is told."""
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "nowhere.py").symlink_to(tmp_path / "missing")
    os.mkfifo(tmp_path / "pipe.py")
    project = Project.load([tmp_path])

    assert [Path(each.file).name for each in project.problems] == ["nowhere.py", "pipe.py"]
    assert "it is a link to nothing" in project.problems[0].message


def test_a_hidden_file_is_passed_over(load: Load, tmp_path: Path) -> None:
    """Such as the link by which an editor locks a file."""
    (tmp_path / ".#app.py").symlink_to("somebody@host.1234")
    project = load({".hidden.py": "def f(:", "app.py": ""})

    assert (len(project.modules), project.problems) == (1, [])


def test_other_encodings_and_marks_are_read(tmp_path: Path) -> None:
    """As Python reads them."""
    (tmp_path / "latin.py").write_bytes("# coding: latin-1\nname = 'Zoë'\n".encode("latin-1"))
    (tmp_path / "mark.py").write_bytes(b"\xef\xbb\xbfx = 1\r\ny = 2\r\n")
    project = Project.load([tmp_path])

    assert not project.problems
    assert [sorted(module.bindings) for module in project.modules] == [["name"], ["x", "y"]]
