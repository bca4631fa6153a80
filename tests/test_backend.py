"""Finding the backend under test by name, and what is said if it cannot be."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill

import pytest
from inline_snapshot import snapshot

from harness.backend import PoolSettings, find_candidate, load_backend
from harness.errors import ConfigurationError
from harness.scenario import PoolState


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a package that can be imported, and is forgotten afterwards."""
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield package
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "shop":
            del sys.modules[name]


def refusal(spec: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        find_candidate(spec)
    return wrapped(str(caught.value))


def wrapped(text: str) -> str:
    """The text in lines that fit here; what goes on is indented by more than anything that begins."""
    return "\n".join(fill(line, 100, subsequent_indent=" " * 10, break_on_hyphens=False) for line in text.splitlines())


def of_module(shop: Path, text: str, *, spec: str = "shop.adapter:backend") -> str:
    """What is said of a backend in a module with this text."""
    (shop / "adapter.py").write_text(text)
    sys.modules.pop("shop.adapter", None)
    importlib.invalidate_caches()
    return refusal(spec)


@pytest.mark.parametrize(
    "spec",
    [
        "fixtures.backend.adapter:backend",
        "fixtures.minimal:backend",
        "fixtures.injected.adapter:backend",
        "fixtures.broken.hangs:backend",
    ],
)
def test_backend_is_found(spec: str) -> None:
    """A backend is what `package.module:attribute` names."""
    assert load_backend(spec).tenants


@pytest.mark.parametrize("spec", ["", "module", "module:", ":attribute"])
def test_spec_of_another_form(spec: str) -> None:
    """A spec of another form is refused, with an example of the right one."""
    with pytest.raises(ConfigurationError, match=r"not of the form 'package\.module:attribute'.*fixtures\.backend"):
        load_backend(spec)


@pytest.mark.parametrize("spec", ["shop/adapter.py:backend", "./shop/adapter.py:backend", "shop/adapter.py"])
def test_file_in_place_of_a_module(spec: str) -> None:
    """A file's name is answered by the module's."""
    assert "but a file: did you mean shop.adapter:backend?" in " ".join(refusal(spec).split())


@pytest.mark.parametrize("spec", ["no_such_package.adapter:backend", "fixtures.no_such_module:backend"])
def test_missing_module(spec: str) -> None:
    """A module that does not exist is named, with what to do."""
    with pytest.raises(ConfigurationError, match=r"there is no module '(no_such_package|fixtures\.no_such_module)'"):
        load_backend(spec)


def test_misspelt_module() -> None:
    """The nearest module of the package is named."""
    assert refusal("fixtures.minimall:backend") == snapshot("""\
backend 'fixtures.minimall:backend': there is no module 'fixtures.minimall'; did you mean
          'fixtures.minimal'?\
""")


def test_a_load_that_fails_points_to_the_check() -> None:
    """Whoever meets the failure elsewhere is told where to look closer."""
    with pytest.raises(ConfigurationError) as caught:
        load_backend("fixtures.minimall:backend")

    assert str(caught.value).splitlines()[-1] == snapshot(
        "`sessionproof check-backend MODULE:ATTRIBUTE` says, step by step, whether an adapter is as it has to be"
    )


def test_module_that_raises(shop: Path) -> None:
    """The frames are the author's own, from the first to the last, with the cause of the error."""
    (shop / "settings.py").write_text(
        "def load(text):\n    return {}[text]\n\n\ntry:\n    load('url')\n"
        "except KeyError as error:\n    raise RuntimeError('no settings:\\n  set SHOP_URL') from error\n"
    )

    assert of_module(shop, "import shop.settings\n") == snapshot("""\
backend 'shop.adapter:backend' cannot be imported: it raises RuntimeError
  shop/adapter.py:1 in <module>
    import shop.settings
  shop/settings.py:8 in <module>
    raise RuntimeError('no settings:\\n set SHOP_URL') from error
  RuntimeError: no settings:
    set SHOP_URL
  caused by KeyError: 'url' (shop/settings.py:2)\
""")


def test_frames_of_libraries_are_counted(shop: Path) -> None:
    """What a library does between the author's line and the error is one line."""
    said = of_module(shop, "from sqlalchemy import create_engine\n\ncreate_engine('nonsense')\n")

    assert said.splitlines()[:3] == snapshot(
        [
            "backend 'shop.adapter:backend' cannot be imported: it raises ArgumentError",
            "  shop/adapter.py:3 in <module>",
            "    create_engine('nonsense')",
        ]
    )
    assert said.splitlines()[3].endswith("in sqlalchemy)")


def test_many_frames_are_cut(shop: Path) -> None:
    """A recursion does not fill the screen; the first frame and the last ones stay."""
    said = of_module(shop, "def again(n):\n    return again(n + 1)\n\n\nagain(0)\n")

    assert len(said.splitlines()) < 22
    assert "shop/adapter.py:5 in <module>" in said
    assert "RecursionError" in said


def test_module_that_is_no_python(shop: Path) -> None:
    """File, line, text and column, without frames of the import."""
    assert of_module(shop, "x = 1\n\n\ndef start(self, x:\n    pass\n") == snapshot("""\
backend 'shop.adapter:backend' cannot be imported: it is not valid Python
  shop/adapter.py:4
    def start(self, x:
             ^
  SyntaxError: '(' was never closed\
""")


def test_module_that_imports_what_is_no_python(shop: Path) -> None:
    """The way to the file is shown too."""
    (shop / "app.py").write_text("return 1\n")

    assert of_module(shop, "import shop.app\n") == snapshot("""\
backend 'shop.adapter:backend' cannot be imported: it is not valid Python
  shop/adapter.py:1 in <module>
    import shop.app
  shop/app.py:1
    return 1
    ^
  SyntaxError: 'return' outside function\
""")


def test_module_that_is_no_text(shop: Path) -> None:
    """Bytes that no source can have are told as such."""
    (shop / "adapter.py").write_bytes(b"x = '\xff'\n")

    assert "it is not valid Python" in refusal("shop.adapter:backend")


@pytest.mark.parametrize("end", ["raise SystemExit", "import sys; sys.exit(3)", "raise SystemExit('usage: shop')"])
def test_module_that_ends_the_program(shop: Path, end: str) -> None:
    """It does not end the command."""
    said = of_module(shop, f"{end}\n")

    assert "it ends the program" in said
    assert "shop/adapter.py:1 in <module>" in said


def test_interruption_while_importing_goes_on(shop: Path) -> None:
    """Ctrl-C is nobody's mistake."""
    (shop / "adapter.py").write_text("raise KeyboardInterrupt\n")

    with pytest.raises(KeyboardInterrupt):
        find_candidate("shop.adapter:backend")


def test_missing_dependency(shop: Path) -> None:
    """The package is named, and the Python that lacks it, also where a module of it was asked for."""
    assert of_module(shop, "import no_such_dependency.part\n").replace(sys.executable, "python") == snapshot("""\
backend 'shop.adapter:backend' cannot be imported: it needs the package 'no_such_dependency', which
          is not installed for python
  shop/adapter.py:1 in <module>
    import no_such_dependency.part
  ModuleNotFoundError: No module named 'no_such_dependency'\
""")


def test_misspelt_import_of_its_own(shop: Path) -> None:
    """A module that is missing in its own package is no missing dependency."""
    (shop / "settings.py").touch()

    assert of_module(shop, "import shop.setings\n") == snapshot("""\
backend 'shop.adapter:backend' cannot be imported: 'shop' has no module 'shop.setings'; did you mean
          'shop.settings'?
  shop/adapter.py:1 in <module>
    import shop.setings
  ModuleNotFoundError: No module named 'shop.setings'\
""")


def test_name_that_a_module_does_not_have(shop: Path) -> None:
    """An import of a name is told as Python tells it, by the line that asks."""
    said = of_module(shop, "from shop import nothing\n")

    assert "an import in it fails" in said
    assert "cannot import name 'nothing' from 'shop'" in said


def test_misspelt_attribute() -> None:
    """The nearest name that can be a backend."""
    assert refusal("fixtures.minimal:backen") == snapshot("""\
backend 'fixtures.minimal:backen': module 'fixtures.minimal' has no attribute 'backen'; did you mean
          'fixtures.minimal:backend'?\
""")


def test_other_attribute(shop: Path) -> None:
    """Without a near name, the backends that there are; without any, what the module itself defines."""
    assert of_module(shop, "from fixtures.minimal import backend as one\n", spec="shop.adapter:zz") == snapshot("""\
backend 'shop.adapter:zz': module 'shop.adapter' has no attribute 'zz'; of what it has, 'one' may be
          meant: there is all that a backend has\
""")
    assert of_module(shop, "", spec="shop.adapter:zz") == snapshot(
        "backend 'shop.adapter:zz': module 'shop.adapter' has no attribute 'zz'; it has no names at all"
    )


def test_class_in_place_of_an_instance(shop: Path) -> None:
    """An instance that is there is named; else, how to make one."""
    assert "the module has an instance of it: 'fixtures.minimal:backend'" in " ".join(
        refusal("fixtures.minimal:MinimalBackend").split()
    )
    assert of_module(shop, "class Shop:\n    pass\n", spec="shop.adapter:Shop") == snapshot("""\
backend 'shop.adapter:Shop' is a class (shop/adapter.py:1), and not an instance; write `backend =
          Shop()`, and name that\
""")


def test_function_in_place_of_a_backend(shop: Path) -> None:
    """Nobody calls a factory, and nobody could await one."""
    text = "def make():\n    return 1\n\n\nasync def amake():\n    return 1\n"

    assert of_module(shop, text, spec="shop.adapter:make") == snapshot("""\
backend 'shop.adapter:make' is a function (shop/adapter.py:1), which nobody is going to call; write
          `backend = make(...)` in the module, and name that\
""")
    assert of_module(shop, text, spec="shop.adapter:amake") == snapshot("""\
backend 'shop.adapter:amake' is a function (shop/adapter.py:5), which nobody is going to call; make
          the backend without awaiting, when the module is imported, and await the rest in `start`\
""")


@pytest.mark.parametrize(("spec", "kind"), [("os.path:join", "function"), ("pathlib:Path", "class")])
def test_what_is_not_of_the_application_has_no_place(spec: str, kind: str) -> None:
    """There are no brackets with nothing in them."""
    assert refusal(spec).startswith(f"backend {spec!r} is a {kind}, ")


def test_module_in_place_of_a_backend(shop: Path) -> None:
    """What is in it is named."""
    assert of_module(shop, "import fixtures.minimal as backend\n") == snapshot(
        "backend 'shop.adapter:backend' is a module; name what is in it: 'fixtures.minimal:backend'"
    )


def test_object_that_is_no_backend(shop: Path) -> None:
    """One line for each part that is missing, with what it must be."""
    (shop / "adapter.py").write_text("class Shop:\n    name = 'shop'\n\n\nbackend = Shop()\n")

    with pytest.raises(ConfigurationError) as caught:
        load_backend("shop.adapter:backend")

    assert wrapped(str(caught.value)) == snapshot("""\
backend 'shop.adapter:backend' is not what harness.backend.Backend asks for:
  modes (shop/adapter.py:1): Shop has no such attribute; it is a frozenset of
          harness.scenario.SessionMode, those it can be started in: give it `modes`
  capabilities (shop/adapter.py:1): Shop has no such attribute; it is a frozenset of
          harness.backend.Capability, what else it can do; it may be empty: give it `capabilities`
  tenants (shop/adapter.py:1): Shop has no such attribute; it is a sequence of
          harness.backend.Tenant, one at least: give it `tenants`
  prepare (shop/adapter.py:1): Shop has no such method; it makes schema and seed data in the empty
          database of a URL: write async def prepare(self, database_url: str) -> None
  start (shop/adapter.py:1): Shop has no such method; it gives an async context manager, in which
          the application runs: write @asynccontextmanager, async def start(self, settings:
          BackendSettings), with one yield
  read_ledger (shop/adapter.py:1): Shop has no such method; it reads every ledger row through a
          connection, as LedgerRow: write async def read_ledger(self, connection: AsyncConnection)
          -> Sequence[LedgerRow]
`sessionproof check-backend shop.adapter:backend` says what else it violates, when it runs\
""")


@pytest.mark.parametrize("state", list(PoolState))
def test_pool_settings_of_a_state(state: PoolState) -> None:
    """Only the states that are named so ask for `pre_ping` and `NullPool`."""
    settings = PoolSettings.for_state(state)

    assert settings.pre_ping is (state is PoolState.PRE_PING)
    assert settings.null is (state is PoolState.NULL)
