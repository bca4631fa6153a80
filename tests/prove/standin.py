"""Stands in for pytest in the tests of `prove` and `reproduce`: leaves a document, and where modules came from.

It is run by its path as a process of its own, in a folder with the sources, and imports nothing but the standard
library. Its first argument is a folder with what to do in `behaviour.json`, by the name of the folder of the report.
"""

import json
import os
import sys
import time
from pathlib import Path

NOTES, ARGUMENTS = Path(sys.argv[1]), sys.argv[2:]


def option(name: str) -> Path:
    """The value of an option."""
    (value,) = [word.partition("=")[2] for word in ARGUMENTS if word.startswith(f"--sessionproof-{name}=")]
    return Path(value)


def top() -> Path:
    """The top of the work tree that this runs in."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)


def main() -> int:
    """Behave."""
    output = option("output")
    behaviour = json.loads((NOTES / "behaviour.json").read_text(encoding="utf-8"))
    wanted = behaviour.get(output.name, behaviour.get("any", {}))
    told = {"arguments": ARGUMENTS, "environment": dict(os.environ), "directory": str(Path.cwd())}
    (NOTES / f"{output.name}.told.json").write_text(json.dumps(told), encoding="utf-8")
    if "problem" in wanted:
        category, message = wanted["problem"]
        with option("events").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"event": "problem", "category": category, "message": message}) + "\n")
        return 1
    if "waits" in wanted:
        (NOTES / "waiting").write_text(str(os.getpid()), encoding="utf-8")
        time.sleep(300)
    if "document" in wanted:
        text = Path(wanted["document"]).read_text(encoding="utf-8").replace("%(top)s", str(top()))
        (output / "run.json").write_text(text, encoding="utf-8")
    origins = wanted.get("origins", {"shop.agent": str(Path.cwd() / "shop" / "agent.py")})
    (option("origins") / "1.json").write_text(json.dumps(origins), encoding="utf-8")
    return int(wanted.get("status", 0))


if __name__ == "__main__":
    sys.exit(main())
