"""A text that is cut was masked before: nothing knows half a secret again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.backend import load_backend
from harness.errors import UsageError
from harness.masking import masker

SECRET = " postgresql://me:hunter22hunter22@db.example/shop is down"
MODULES: dict[str, Callable[[str], str]] = {
    "what it raised": lambda before: f"raise ValueError({before + SECRET!r})",
    "the line that raised": lambda before: f"address = {before + SECRET!r}; 1 / 0",
    "a line that is no Python": lambda before: f"address = {before + SECRET!r} 1",
}


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_a_module_that_cannot_be_imported(
    module: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever its secret stands."""
    monkeypatch.syspath_prepend(tmp_path)
    for number in range(0, 320, 5):
        name = f"cut_{tmp_path.name}_{number}"
        (tmp_path / f"{name}.py").write_text(module("x" * number), encoding="utf-8")

        with pytest.raises(UsageError) as caught:
            load_backend(f"{name}:backend")

        assert "hunter" not in masker()(str(caught.value))
