"""A proxy between the application and PostgreSQL that carries out `harness.fault.DatabaseFault`s.

`Proxy` listens on a loopback port and passes everything through until a fault strikes; `Owners` tells it on whose
behalf the application uses which connection.
"""

from harness.postgres.proxy.owners import Owners
from harness.postgres.proxy.proxy import Proxy

__all__ = ["Owners", "Proxy"]
