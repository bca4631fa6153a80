"""Operations other than `execute` that take their time, and what another task does meanwhile."""

from functools import partial

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs import operations
from tests.sanitizer.racy_programs.consequences import release, shared_session, together
from tests.sanitizer.racy_programs.operations import Desk, Operation, last_line
from tests.sanitizer.world import Note, World

CORPUS = Corpus()


async def refresh_a_collection(desk: Desk) -> None:
    await desk.session.refresh(desk.ada, ["notes"])


async def commit_pending_rows(desk: Desk) -> None:
    await desk.session.commit()


async def begin_a_savepoint(desk: Desk) -> None:
    await desk.session.begin_nested()


async def flush_in_a_function(desk: Desk) -> None:
    await desk.session.run_sync(lambda session: session.flush())


SLOW: tuple[Operation, ...] = (
    operations.scalars, operations.get, operations.get_one, operations.merge, operations.flush,
    operations.stream_scalars, operations.load_lazily, operations.execute, refresh_a_collection, commit_pending_rows,
    begin_a_savepoint, flush_in_a_function,
)  # fmt: skip

WRITING = (operations.merge, operations.flush, commit_pending_rows, begin_a_savepoint, flush_in_a_function)

MEANWHILE: tuple[Operation, ...] = (operations.execute_core, operations.add, operations.commit)


async def meanwhile(world: World, *, slow: Operation, quick: Operation) -> None:
    """The slow operation waits for the table, and the quick one begins."""

    async def other() -> None:
        await locked.in_flight()
        world.steps.reach("begun")
        await quick(desk)

    async with shared_session(world) as session:
        desk = await operations.prepare(session)
        await session.commit()
        session.add(Note(body="pending, too", author_id=2))
        locked = world.lock_notes()
        await together(slow(desk), other(), release(world, locked))


for each in SLOW:
    for other in MEANWHILE:
        CORPUS.add(
            f"{other.__name__} during slow {each.__name__}",
            partial(meanwhile, slow=each, quick=other),
            kinds=("overlap",),
            also=("bleed",) if other is operations.commit and each in WRITING else (),
            lines=frozenset({last_line(each), last_line(other)}),
        )
