"""A tree of Python files, read and not run: its modules, its names, its classes."""
