"""Programs that a generator can write: tasks with scripts of steps, which run for real on asyncio.

Problem: a generated program must use sessions, tasks and primitives as they are, tell what it did, and never hang.

Mechanism: a step does the real thing, and tells a `History` of it: what happened, and which events caused that. A
program that comes to a halt is stopped, and so is one whose next events would have causes that cannot be told, because
a task was woken and cancelled in the same moment, or was still to be cancelled by its group when it began to wait: what
was executed until then counts. A program in which something crashes raises what crashed.

Guarantee: no database, no time and no chance; the history is told in the order in which things happened.
"""

from tests.sanitizer.random_program.bounds import BARRIERS, CALLBACKS, IS_EAGER_POSSIBLE, LOCKS, POINTS, QUEUES, WIDTH
from tests.sanitizer.random_program.primitive_steps import (
    Barriers,
    Conditions,
    Events,
    FutureCallback,
    Futures,
    Locks,
    Queues,
    Signals,
)
from tests.sanitizer.random_program.programs import Act, Program, Script, Step, run
from tests.sanitizer.random_program.sessions import Sessions
from tests.sanitizer.random_program.task_steps import (
    JOINS,
    Callback,
    Cancel,
    CloseGroup,
    DoneCallback,
    Flight,
    Join,
    JoinFirst,
    OpenGroup,
    Pause,
    Poll,
    Spawn,
    Thread,
    Touch,
)

__all__ = [
    "BARRIERS",
    "CALLBACKS",
    "IS_EAGER_POSSIBLE",
    "JOINS",
    "LOCKS",
    "POINTS",
    "QUEUES",
    "WIDTH",
    "Act",
    "Barriers",
    "Callback",
    "Cancel",
    "CloseGroup",
    "Conditions",
    "DoneCallback",
    "Events",
    "Flight",
    "FutureCallback",
    "Futures",
    "Join",
    "JoinFirst",
    "Locks",
    "OpenGroup",
    "Pause",
    "Poll",
    "Program",
    "Queues",
    "Script",
    "Sessions",
    "Signals",
    "Spawn",
    "Step",
    "Thread",
    "Touch",
    "run",
]
