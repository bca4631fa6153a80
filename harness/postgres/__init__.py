"""PostgreSQL servers for runs, one provider a module, and cheap copies of a prepared database.

`choose` gives a `Server`; its `start` gives a `RunningServer`, which `Clones` makes databases on. `probe`
tells what this machine offers. `ReadyClones` keeps a few copies of a template ready for those who ask often.
"""

from harness.postgres.choose import Probe, choose, probe
from harness.postgres.clones import Clones, Database
from harness.postgres.extension import require_extension
from harness.postgres.ready import ReadyClones
from harness.postgres.server import RunningServer, Server, ServerAddress

__all__ = [
    "Clones",
    "Database",
    "Probe",
    "ReadyClones",
    "RunningServer",
    "Server",
    "ServerAddress",
    "choose",
    "probe",
    "require_extension",
]
