"""`python -m harness.cli` is the command, where no script is installed."""

from harness.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
