"""Where settings come from, and what is said of those that do not fit."""

import re
from pathlib import Path

import pytest

from harness import bundled
from harness.command.child import import_path
from harness.config import Config, resolve
from harness.errors import ConfigurationError
from harness.scenario import ModelTier, PoolState, SessionMode

PYPROJECT = """
[tool.sessionproof]
backend = "shop.adapter:backend"
modes = ["shared", "per_operation"]
turn-timeout = 5
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    return tmp_path


def test_defaults(tmp_path: Path) -> None:
    """Without any source, everything is verified on the reference backend and the best server there is."""
    config = resolve({}, environment={}, directory=tmp_path)

    assert config == Config(backend="fixtures.backend.adapter:backend")
    assert config.admits(scenario="any", mode=SessionMode.LOCKED, pool_state=PoolState.NULL, tier=ModelTier.SCRIPTED)


def test_argument_beats_environment_beats_pyproject(project: Path) -> None:
    """For each setting the first source that names it wins, an explicit argument always."""
    environment = {"SESSIONPROOF_BACKEND": "env:backend", "SESSIONPROOF_TIERS": "wire, scripted", "OTHER": "x"}

    config = resolve({"backend": "arg:backend", "tiers": None}, environment=environment, directory=project)

    assert config.backend == "arg:backend"
    assert config.tiers == (ModelTier.WIRE, ModelTier.SCRIPTED)
    assert config.modes == (SessionMode.SHARED, SessionMode.PER_OPERATION)
    assert config.turn_timeout == 5.0


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        ({"modes": ["share"]}, {}, "argument: setting 'modes' .*did you mean 'shared'"),
        ({}, {"SESSIONPROOF_MODE": "shared"}, "environment: unknown setting 'SESSIONPROOF_MODE'; did you mean 'modes'"),
        ({}, {"SESSIONPROOF_TURN_TIMEOUT": "soon"}, "environment: setting 'turn_timeout' cannot be 'soon'"),
        ({"turn_timeout": "-1"}, {}, "a number of seconds above 0"),
        ({"turn_timeout": "inf"}, {}, "a number of seconds above 0"),
        ({"turn_timeout": "ten"}, {}, "cannot be 'ten': expected a number of seconds above 0"),
        ({"turn_timeout": True}, {}, "cannot be True: expected a number of seconds above 0"),
        ({"full_length": "perhaps"}, {}, "expected true or false"),
        ({"scenarios": 3}, {}, "expected a list of words"),
    ],
)
def test_unfit_value_names_source_and_remedy(
    tmp_path: Path, arguments: dict[str, object], environment: dict[str, str], message: str
) -> None:
    """An unknown key or an unfit value is refused, with its source and what would be right."""
    with pytest.raises(ConfigurationError, match=message):
        resolve(arguments, environment=environment, directory=tmp_path)


def test_broken_pyproject_is_named(tmp_path: Path) -> None:
    """A `pyproject.toml` that is not TOML is refused by its path."""
    (tmp_path / "pyproject.toml").write_text("[tool")

    with pytest.raises(ConfigurationError, match=r"pyproject\.toml is not valid TOML"):
        resolve({}, environment={}, directory=tmp_path)


def test_database_password_is_not_shown(tmp_path: Path) -> None:
    """Neither the `repr` of a configuration nor a message about it shows the database URL."""
    config = resolve({"postgres": "postgresql://me:secret@db/x"}, environment={}, directory=tmp_path)

    assert "secret" not in repr(config)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tool = 3", "tool is a int, and no table"),
        ('[tool]\nsessionproof = "shop:backend"', "tool.sessionproof is a str, and no table"),
        ('[[tool.sessionproof]]\nbackend = "shop:backend"', "tool.sessionproof is a list, and no table"),
        ('[tool.sessionprof]\nbackend = "shop:backend"', r"did you mean \[tool\.sessionproof\]"),
        ('[tool.sessionproof]\nbackends = "shop:backend"', "did you mean 'backend'"),
        ("[tool.sessionproof.modez]\nshared = true", "did you mean 'modes'"),
        ("[tool.sessionproof.backend]\nmodule = 1", "setting 'backend' cannot be .*: expected a text, got a dict"),
        ('[tool.sessionproof]\nimage = ["a"]', "expected a text, got a list"),
        ("[tool.sessionproof]\noutput = 3", "setting 'output' cannot be 3: expected a path as a text, got a int"),
        ("[tool.sessionproof]\nturn_timeout = 3\nturn-timeout = 4", "'turn_timeout' stands there twice"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    """What stands in the wrong place, or twice, is told, and nothing is ignored."""
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=message):
        resolve({}, environment={}, directory=tmp_path)


def test_tables_of_others(tmp_path: Path) -> None:
    """Another tool's settings are its own."""
    (tmp_path / "pyproject.toml").write_text('[tool.session]\nbackends = "x"\n', encoding="utf-8")

    assert resolve({}, environment={}, directory=tmp_path).backend


@pytest.fixture
def below(project: Path) -> Path:
    """A folder in the project's repository, below a package with a `pyproject.toml` of its own."""
    (project / ".git").mkdir()
    folder = project / "packages" / "shop" / "docs"
    folder.mkdir(parents=True)
    (folder.parent / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    return folder


def test_the_nearest_table_upwards_is_read(project: Path, below: Path) -> None:
    """As pytest's suppressions are; the backend is looked for beside the file, and paths are from there."""
    with (project / "pyproject.toml").open("a") as file:
        file.write("output = 'reports'\nscenario-file = '/scenarios/one.json'\n")

    config = resolve({}, environment={}, directory=below)

    assert (config.backend, config.folder) == ("shop.adapter:backend", project)
    assert config.output == project / "reports"
    assert config.scenario_file == Path("/scenarios/one.json")
    assert import_path(config, below)[0] == str(project)


def test_a_backend_that_is_named_elsewhere_is_looked_for_here(below: Path) -> None:
    """An argument or the environment names it from where the command is called."""
    given = resolve({"backend": "a:b"}, environment={}, directory=below)
    named = resolve({}, environment={"SESSIONPROOF_BACKEND": "a:b"}, directory=below)

    assert given == named
    assert (given.turn_timeout, given.folder) == (5.0, None)
    assert import_path(given, below)[0] == str(below)


def test_a_folder_with_the_table_is_its_own(project: Path) -> None:
    """Nothing above it counts, and nothing in it is made absolute where the run starts."""
    (project / "shop").mkdir()
    (project / "shop" / "pyproject.toml").write_text("[tool.sessionproof]\noutput = 'reports'\n")

    config = resolve({}, environment={}, directory=project / "shop")

    assert (config.backend, config.folder) == (bundled.default_backend(), None)
    assert config.turn_timeout == Config().turn_timeout


def test_relative_paths_stay_relative_in_the_current_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are shown as they were written."""
    (project / "pyproject.toml").write_text("[tool.sessionproof]\noutput = 'reports'\n")
    monkeypatch.chdir(project)

    assert resolve({}, environment={}).output == Path("reports")


def test_the_search_ends_with_the_repository(project: Path, below: Path) -> None:
    """What lies above it is of another project."""
    (below / ".git").mkdir()

    assert resolve({}, environment={}, directory=below).backend == bundled.default_backend()
    assert resolve({}, environment={}, directory=project, project=False).backend == bundled.default_backend()


def test_what_is_wrong_above_names_its_file(project: Path, below: Path) -> None:
    """So that one knows where to correct it; what is wrong in the folder itself is told, too."""
    for text, said in (
        ("modes = ['share']", f"{project}/pyproject.toml: setting 'modes' cannot be"),
        ("backends = 'x'", f"{project}/pyproject.toml: unknown setting 'backends'"),
        ("record = 3", f"{project}/pyproject.toml: setting 'record' cannot be 3"),
        ("turn-timeout = 'soon'", f"{project}/pyproject.toml: setting 'turn_timeout' cannot be 'soon'"),
    ):
        (project / "pyproject.toml").write_text(f"[tool.sessionproof]\n{text}\n")
        with pytest.raises(ConfigurationError, match=re.escape(said)):
            resolve({}, environment={}, directory=below)
    (below / "pyproject.toml").write_text("[project")

    with pytest.raises(ConfigurationError, match=re.escape(f"{below}/pyproject.toml is not valid TOML")):
        resolve({}, environment={}, directory=below)


@pytest.mark.parametrize("name", ["CHROMIUM", "REQUIRE_BROWSER", "REQUIRE_DOCKER", "REQUIRE_LOCAL_MODEL", "RUN"])
def test_variables_of_these_tests_are_no_settings(tmp_path: Path, name: str) -> None:
    """Also where a run of pytest with workers looks at the settings before its tests do."""
    assert resolve({}, environment={f"SESSIONPROOF_{name}": "1"}, directory=tmp_path) == resolve(
        {}, environment={}, directory=tmp_path
    )
