"""Where the sanitizer takes hold of other people's code: one library, or one part of asyncio, a file.

Each module has `install(patches)`, which replaces what it needs and raises `AttributeError` where a name is missing.
"""
