"""The command `sessionproof`: options in, text and an exit status out.

What the options mean is in `harness.config`, what is done in `harness.command`; here is one command a file, and what
they have in common. Every error that a user can cause or that a machine can have ends in one message on standard error,
without a traceback unless `--debug` is given.

A module of this package imports what is slow in the function that needs it, so that `--help` needs none of it.

Exit statuses: 0 as expected; 1 findings, or an expected finding not seen; 2 wrong usage or configuration; 3
evidence is missing; 128 and the signal's number if interrupted.
"""

__all__ = ["main"]

try:
    from harness.cli.group import main
except KeyboardInterrupt:  # nobody else is there yet who could answer it
    raise SystemExit(130) from None
