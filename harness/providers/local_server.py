"""The process that serves the local model: `python -m harness.providers.local_server`.

Problem: the server holds the interpreter for a second when it starts, cannot be stopped while it answers, and would
bring whatever happens to it upon the run.

Mechanism: a process of its own. It reads one line from its standard input, JSON with `weights` (a path), `key`, `model`
and `context` (tokens), serves the OpenAI protocol on a free port of the loopback interface, and writes one line,
`{"address": …}`. When its input ends, it ends.

Guarantee: it dies with whoever started it, because then its input ends. The key is on no command line, and in no
environment. One thread computes, at temperature 0 and with a fixed seed.
"""

import json
import os
import signal
import sys
from typing import Any

__all__ = ["main"]

HOST = "127.0.0.1"
SEED = 1


def main() -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which ends its processes in order
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the server has to say is no answer
    server = _serve(json.loads(sys.stdin.readline()))
    print(json.dumps({"address": server.listening_address}), file=answers, flush=True)
    sys.stdin.read()
    os._exit(0)  # to delete the server waits for requests in flight, and may wait for ever


def _serve(order: dict[str, Any]) -> Any:
    import xllamacpp  # noqa: PLC0415  # an optional package, which only this process needs

    parameters = xllamacpp.CommonParams()
    parameters.model.path = order["weights"]
    parameters.model_alias = {order["model"]}
    parameters.hostnames = [HOST]
    parameters.port = 0
    parameters.api_keys = [order["key"]]
    parameters.n_ctx = order["context"]
    parameters.n_parallel = 1
    parameters.cache_prompt = True  # what it has read before it need not read again: most of a turn's time
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    parameters.sampling.temp = 0.0
    parameters.sampling.seed = SEED
    parameters.ui = False
    parameters.offline = True
    parameters.verbosity = -1
    return xllamacpp.Server(parameters)


if __name__ == "__main__":
    main()
