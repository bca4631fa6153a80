"""How large a program is, and what there is in it."""

import sys

__all__ = ["BARRIERS", "CALLBACKS", "IS_EAGER_POSSIBLE", "LOCKS", "POINTS", "QUEUES", "WIDTH"]

POINTS = 9
"""At most so many access points has a program."""

WIDTH = 3
"""So many futures and events has a program."""

QUEUES = 3
"""It has a queue of any size, one of size one, and one that is last in, first out."""

LOCKS = ("lock", "semaphore of one", "bounded semaphore of one", "semaphore of two")
"""Its locks and semaphores."""

BARRIERS = (2, 3)
"""The parties of its barriers."""

CALLBACKS = ("call_soon", "call_soon_threadsafe", "call_later")
"""How something is called back."""

IS_EAGER_POSSIBLE = sys.version_info >= (3, 12)
"""Whether tasks can begin at once."""
