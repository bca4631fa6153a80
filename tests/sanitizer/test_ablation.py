"""Every hook is there for a reason: without it the sanitizer goes wrong about some program.

One hook at a time is left out, and the program that the table names is judged as the corpora are: a legal one is then
accused, or a racy one is missed, or reported with another kind or other lines. Of some hooks the only use is that a
finding says what the application called; of those the table has the words that are missing without it.
"""

import pkgutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

import pytest

from harness.evidence import SessionRace
from harness.patching import Patches
from harness.sanitizer import describe, watch_sessions
from harness.sanitizer.hooks.drivers import Drivers
from tests.sanitizer import ablation_programs
from tests.sanitizer.conftest import MakeWorld
from tests.sanitizer.corpus import Program
from tests.sanitizer.test_corpora import LEGAL, RACY, lines_of, marked_lines, names, observe, shown

OWN = [program for module in ablation_programs.MODULES for program in module.CORPUS.programs]
PROGRAMS = {program.name: program for program in (*LEGAL, *RACY, *OWN)}

WITNESSES: dict[str, dict[str, str]] = {
    "asyncio": {"Future": "future_by_its_class_given_before"},
    "asyncio.base_events.BaseEventLoop": {
        "call_at": "call_at_given_before",
        "call_soon": "call_soon_given_before",
        "call_soon_threadsafe": "call_soon_threadsafe_given_before",
        "create_server": "served_over_tcp",
        "create_task": "fetch_after_fetch",
    },
    "asyncio.selector_events.BaseSelectorEventLoop": {"add_reader": "read_after_the_session_was_used"},
    "asyncio.unix_events._UnixSelectorEventLoop": {
        "add_signal_handler": "signal_after_the_session_was_used",
        "create_unix_server": "served_over_a_unix_socket",
    },
    "asyncio.futures": {"Future": "future_of_the_module_given_before"},
    "asyncio.locks.Barrier": {"wait": "barrier_given_before"},
    "asyncio.locks.Condition": {
        "__aenter__": "condition_with_a_loop_given_before",
        "notify": "condition_with_a_loop_given_before",
        "wait": "two_that_notify_one",
        "wait_for": "condition_without_a_block_given_before",
    },
    "asyncio.locks.Event": {
        "is_set": "polled_event_waited_for",
        "set": "event_given_before",
        "wait": "event_given_before",
    },
    "asyncio.locks.Lock": {
        "_wake_up_first": "let_in_by_a_lock",
        "acquire": "lock_by_acquire_and_release_free",
        "release": "let_go_by_a_lock",
    },
    "asyncio.locks.Semaphore": {
        "__init__": "semaphore_given_before",
        "_wake_up_next": "let_in_by_a_semaphore",
        "acquire": "semaphore_given_before",
        "release": "let_go_by_a_semaphore",
    },
    "asyncio.queues.Queue": {
        "_wakeup_next": "woken_by_an_item_that_another_took",
        "get_nowait": "queue_given_before",
        "join": "joined_queue_given_before",
        "put_nowait": "queue_given_before",
        "task_done": "joined_queue_given_before",
    },
    "asyncio.taskgroups.TaskGroup": {
        "__aexit__": "task_group_whose_children_ended_early",
        "_on_task_done": "task_group_whose_children_ended_early",
    },
    "asyncio.tasks._GatheringFuture": {
        "__await__": "gathered_and_awaited_given_before",
        "__iter__": "gathered_and_awaited_by_a_generator_given_before",
        "done": "gathered_and_polled_given_before",
        "result": "gathered_and_read_given_before",
        "set_exception": "gathered_and_failed_given_before",
        "set_result": "gathered_and_awaited_given_before",
    },
    "uvloop.Loop": {
        "add_reader": "read_after_the_session_was_used_on_uvloop",
        "create_server": "served_over_tcp_on_uvloop",
        "create_unix_server": "served_over_a_unix_socket_on_uvloop",
        "call_later": "call_later_given_before_on_uvloop",
        "call_soon": "call_soon_given_before_on_uvloop",
        "call_soon_threadsafe": "call_soon_threadsafe_given_before_on_uvloop",
        "create_future": "future_of_the_loop_given_before_on_uvloop",
        "create_task": "two_children_on_uvloop",
    },
    "anyio.Condition": {
        "acquire": "anyio_condition_given_before",
        "notify": "anyio_notify_given_before",
        "notify_all": "anyio_condition_given_before",
    },
    "anyio._backends._asyncio.AsyncIOBackend": {"run_sync_in_worker_thread": "synchronous_endpoints"},
    "anyio._backends._asyncio.CapacityLimiter": {"_notify_next_waiter": "let_in_by_one_that_gave_up"},
    "anyio._backends._asyncio.Lock": {
        "acquire": "rollback_after_insert_by_core_behind_a_guard",
        "acquire_nowait": "anyio_lock_that_is_asked_for",
        "release": "let_go_by_a_lock_of_anyio",
    },
    "anyio._backends._asyncio.Semaphore": {
        "__init__": "anyio_semaphore_given_before",
        "acquire": "anyio_semaphore_given_before",
        "acquire_nowait": "polled_anyio_semaphore_given_before",
        "release": "let_go_by_a_semaphore_of_anyio",
    },
    "anyio._backends._asyncio.TaskGroup": {"__aexit__": "anyio_task_group", "_spawn": "anyio_task_group"},
    "anyio.streams.memory.MemoryObjectReceiveStream": {"receive_nowait": "anyio_send_nowait_given_before"},
    "anyio.streams.memory.MemoryObjectSendStream": {
        "close": "anyio_close_given_before",
        "send_nowait": "anyio_send_nowait_given_before",
    },
    "concurrent.futures.Future": {
        "done": "job_that_is_polled",
        "exception": "job_that_fails",
        "result": "synchronous_session_of_an_executor",
        "set_exception": "job_that_fails",
        "set_result": "synchronous_session_of_an_executor",
    },
    "concurrent.futures.ThreadPoolExecutor": {"submit": "synchronous_session_of_an_executor"},
    "threading.Thread": {"join": "thread_that_is_started", "start": "thread_that_is_started"},
    "sqlalchemy.orm.Session": {
        "add": "add_during_execute",
        "begin": "add_by_luck_after_begin",
        "begin_nested": "rollback_to_a_savepoint_after_anothers_write",
        "bulk_insert_mappings": "add_during_bulk_insert_mappings",
        "bulk_save_objects": "add_during_bulk_save_objects",
        "bulk_update_mappings": "add_during_bulk_update_mappings",
        "close": "used_in_one_loop_after_another",
        "connection": "connection_after_execute",
        "delete": "delete_after_execute",
        "delete_all": "add_by_luck_after_delete_all",
        "enable_relationship_loading": "load_relationships_of_a_pending_note_by_luck_after_execute",
        "execute": "get_from_the_identity_map_during_execute",
        "expire": "expire_after_execute",
        "expire_all": "expire_all_after_execute",
        "expunge": "expunge_after_execute",
        "expunge_all": "expunge_all_after_execute",
        "flush": "add_during_slow_flush",
        "get": "get_from_the_identity_map_during_execute",
        "invalidate": "invalidate_by_luck_after_expire_all",
        "merge": "add_by_luck_after_merge_what_is_known",
        "merge_all": "add_by_luck_after_merge_all_that_is_known",
        "reset": "reset_by_luck_after_expire_all",
        "rollback": "add_by_luck_after_rollback",
        "scalar": "add_by_luck_after_scalar",
        "scalars": "add_by_luck_after_scalars_in_a_function",
    },
    "sqlalchemy.orm.SessionTransaction": {
        "close": "close_after_insert_by_text_by_luck",
        "commit": "add_during_the_commit_of_a_transaction",
        "prepare": "add_by_luck_after_prepare_the_transaction",
        "rollback": "a_savepoint_rolled_back",
    },
    "sqlalchemy.orm.state.InstanceState": {"_modified_event": "change_an_attribute_during_execute"},
    "sqlalchemy.engine.Connection": {
        "_commit_impl": "a_connection_behind_a_lock",
        "_commit_twophase_impl": "commit_of_two_phases_behind_a_lock",
        "_rollback_impl": "a_connection_rolled_back_behind_a_lock",
        "_rollback_to_savepoint_impl": "anothers_row_in_a_savepoint_that_is_given_up",
        "_rollback_twophase_impl": "rollback_of_two_phases_behind_a_lock",
        "_savepoint_impl": "anothers_row_before_a_savepoint_that_is_given_up",
        "begin": "begin_by_luck_after_execute",
        "begin_twophase": "begin_twophase_by_luck_after_commit",
        "close": "close_by_luck_after_commit",
        "commit": "rollback_by_luck_after_commit",
        "detach": "detach_by_luck_after_commit",
        "exec_driver_sql": "begin_by_luck_after_exec_driver_sql",
        "execute": "begin_by_luck_after_execute",
        "invalidate": "invalidate_by_luck_after_commit",
        "rollback": "rollback_by_luck_after_commit",
        "scalar": "begin_by_luck_after_scalar",
    },
    "sqlalchemy.dialects.postgresql.asyncpg.AsyncAdapt_asyncpg_cursor": {
        "execute": "execute_beside_on_one_connection_for_all",
        "executemany": "execute_many_above_on_one_connection_for_all",
    },
    "sqlalchemy.dialects.postgresql.asyncpg.AsyncAdapt_asyncpg_ss_cursor": {
        "fetchall": "fetch_all_rows_by_luck_after_execute",
        "fetchmany": "fetch_many_rows_by_luck_after_execute",
    },
    "asyncpg.connection.Connection": {
        name: f"asyncpg_{name}_by_luck_after_fetchval"
        for name in (
            "add_listener",
            "close",
            "copy_from_query",
            "copy_from_table",
            "copy_records_to_table",
            "copy_to_table",
            "execute",
            "executemany",
            "fetch",
            "fetchmany",
            "fetchrow",
            "fetchval",
            "prepare",
            "reload_schema_state",
            "remove_listener",
            "reset",
            "reset_type_codec",
            "set_builtin_type_codec",
            "set_type_codec",
        )
    },
    "asyncpg.cursor.BaseCursor": {
        "_bind": "asyncpg_open_a_cursor_by_luck_after_fetchval",
        "_bind_exec": "asyncpg_iterate_by_luck_after_fetchval",
        "_exec": "asyncpg_fetch_by_a_cursor_by_luck_after_fetchval",
    },
    "asyncpg.pool.PoolConnectionHolder": {
        "acquire": "asyncpg_pool_that_one_task_made",
        "release": "asyncpg_pool_that_another_task_closes",
    },
    "asyncpg.prepared_stmt.PreparedStatement": {
        name: f"asyncpg_{name}_prepared_by_luck_after_fetchval"
        for name in ("executemany", "fetch", "fetchmany", "fetchrow", "fetchval")
    },
    "asyncpg.transaction.Transaction": {
        "commit": "asyncpg_commit_behind_a_lock",
        "rollback": "asyncpg_rollback_behind_a_lock",
        "start": "asyncpg_start_again_by_luck_after_fetchval",
    },
    "psycopg.AsyncConnection": {
        "close": "psycopg_close_by_luck_after_execute",
        "commit": "psycopg_commit_during_execute",
        "execute": "psycopg_execute_by_luck_after_close",
        "rollback": "psycopg_rollback_during_execute",
        "set_autocommit": "psycopg_set_autocommit_during_execute",
        "set_deferrable": "psycopg_set_deferrable_during_execute",
        "set_isolation_level": "psycopg_set_isolation_level_during_execute",
        "set_read_only": "psycopg_set_read_only_during_execute",
        "wait": "psycopg_stream_by_luck_after_execute",
    },
    "psycopg.AsyncCursor": {
        "execute": "psycopg_execute_by_a_cursor_during_execute",
        "executemany": "psycopg_executemany_during_execute",
    },
    "psycopg.AsyncServerCursor": {
        "execute": "psycopg_execute_in_the_server_during_execute",
        "fetchall": "psycopg_fetchall_during_execute",
        "fetchmany": "psycopg_fetchmany_during_execute",
        "fetchone": "psycopg_fetchone_during_execute",
        "scroll": "psycopg_scroll_during_execute",
    },
    "psycopg_pool.AsyncConnectionPool": {
        "getconn": "psycopg_pool_that_configures",
        "putconn": "psycopg_pool_that_another_task_closes",
    },
}
"""The program that goes wrong without a hook, by the class or module whose name it replaces."""

WORDS: dict[str, dict[str, tuple[str, str]]] = {
    "sqlalchemy.orm.Session": {
        "__init__": ("add_all_during_execute", "the session was made at"),
        "add_all": ("add_all_during_execute", "second: Session.add_all in"),
        "commit": ("commit_during_execute", "second: Session.commit in"),
        "get_one": ("get_one_during_execute", "second: Session.get_one in"),
        "prepare": ("add_by_luck_after_prepare_to_commit", "first: Session.prepare in"),
        "refresh": ("refresh_during_execute", "second: Session.refresh in"),
    },
    "sqlalchemy.engine.Connection": {
        "_release_savepoint_impl": ("a_savepoint_released_by_luck", "second: Connection.release_savepoint in"),
        "begin_nested": ("begin_nested_by_luck_after_execute", "second: Connection.begin_nested in"),
        "scalars": ("begin_by_luck_after_scalars", "first: Connection.scalars in"),
    },
    "sqlalchemy.dialects.postgresql.asyncpg.AsyncAdapt_asyncpg_connection": {
        "commit": ("commit_below_by_luck_after_execute", "second: asyncpg connection.commit in"),
        "ping": ("ping_on_one_connection_for_all", "second: asyncpg connection.ping in"),
        "rollback": ("rollback_below_by_luck_after_execute", "second: asyncpg connection.rollback in"),
    },
    "asyncpg.prepared_stmt.PreparedStatement": {
        "explain": ("asyncpg_explain_prepared_by_luck_after_fetchval", "second: asyncpg.PreparedStatement.explain in"),
    },
    "pydantic_ai.toolsets.FunctionToolset": {"call_tool": ("two_tools_execute_at_once", ", tool '")},
}
"""The program of which a finding says less without a hook, and what it does not say then."""

COVERED: dict[str, dict[str, str]] = {
    "asyncio.base_events.BaseEventLoop": {"create_future": "it makes an `asyncio.futures.Future`, which is replaced"},
    "uvloop.Loop": {
        "add_signal_handler": "signals are the main thread's, in which the programs do not run uvloop",
        "call_at": "it calls `call_later`",
    },
    "anyio.Condition": {"wait": "it calls `acquire` at its end"},
    "anyio._backends._asyncio.CapacityLimiter": {"release_on_behalf_of": "it calls `_notify_next_waiter`"},
    "anyio.streams.memory.MemoryObjectSendStream": {"send": "it calls `send_nowait` first"},
    "sqlalchemy.engine.Connection": {"_begin_impl": "whoever calls it is an access already"},
    "sqlalchemy.dialects.postgresql.asyncpg.AsyncAdapt_asyncpg_ss_cursor": {
        "_buffer_rows": "`fetchmany` and asyncpg's cursor are accesses already"
    },
}
"""Hooks for which others stand in, and why."""


@cache
def owner_of(path: str) -> Any:
    """The class or module of a table."""
    return pkgutil.resolve_name(path)


def hooks(table: dict[str, dict[str, Any]]) -> list[tuple[str, str]]:
    """The hooks of a table, without the names that an older SQLAlchemy does not have."""
    return [(path, name) for path, named in table.items() for name in named if hasattr(owner_of(path), name)]


@contextmanager
def without(path: str, name: str) -> Iterator[None]:
    """Leave one hook out of what is installed meanwhile."""
    left_out = []

    def replace(patches: Patches, owner: type | ModuleType, what: str, replacement: Any) -> None:
        if owner is owner_of(path) and what == name:
            left_out.append(what)
        else:
            original(patches, owner, what, replacement)

    original = Patches.replace
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Patches, "replace", replace)
        yield
    assert left_out == [name]


def wrong(program: Program, findings: tuple[SessionRace, ...]) -> str:
    """What is wrong with a verdict; empty if it is right."""
    kinds = {str(finding.kind) for finding in findings}
    if not program.kinds <= kinds <= program.kinds | program.also:
        return f"found {sorted(kinds)} and not {sorted(program.kinds)}: {shown(findings)}"
    for kind in program.kinds:
        if not any(each.kind == kind and lines_of(each) == marked_lines(program) for each in findings):
            return f"found {kind} on other lines than {sorted(marked_lines(program))}: {shown(findings)}"
    return ""


@pytest.fixture(scope="module")
def replaced() -> set[tuple[Any, str]]:
    """All that is replaced on this machine; before that, the self-test of the first watch is through."""
    with watch_sessions():
        pass
    found = set()

    def replace(patches: Patches, owner: type | ModuleType, name: str, replacement: Any) -> None:
        found.add((owner, name))
        original(patches, owner, name, replacement)

    original = Patches.replace
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Patches, "replace", replace)
        with watch_sessions():
            pass
    return found


@pytest.fixture(scope="module")
def complete() -> dict[str, tuple[SessionRace, ...]]:
    """What all hooks together say of the programs that were asked for so far."""
    return {}


async def observe_once(
    program: Program, make_world: MakeWorld, complete: dict[str, tuple[SessionRace, ...]]
) -> tuple[SessionRace, ...]:
    """What all hooks together say of a program."""
    if program.name not in complete:
        complete[program.name] = await observe(program, make_world)
    return complete[program.name]


@pytest.mark.searching
@pytest.mark.parametrize(("path", "name"), hooks(WITNESSES))
async def test_without_a_hook_a_program_goes_wrong(
    path: str,
    name: str,
    make_world: MakeWorld,
    replaced: set[tuple[Any, str]],
    complete: dict[str, tuple[SessionRace, ...]],
) -> None:
    """With it the verdict is right."""
    program = PROGRAMS[WITNESSES[path][name]]

    assert wrong(program, await observe_once(program, make_world, complete)) == ""
    with without(path, name):
        assert wrong(program, await observe(program, make_world))


@pytest.mark.searching
@pytest.mark.parametrize(("path", "name"), hooks(WORDS))
async def test_without_a_hook_a_finding_says_less(
    path: str,
    name: str,
    make_world: MakeWorld,
    replaced: set[tuple[Any, str]],
    complete: dict[str, tuple[SessionRace, ...]],
) -> None:
    """It names the operation that the application called, and where the session was made."""
    program, words = PROGRAMS[WORDS[path][name][0]], WORDS[path][name][1]

    findings = await observe_once(program, make_world, complete)
    assert wrong(program, findings) == ""
    assert words in "\n".join(map(describe, findings))
    with without(path, name):
        assert words not in "\n".join(map(describe, await observe(program, make_world)))


async def test_without_the_pool_s_event_a_legal_program_is_accused(
    make_world: MakeWorld, replaced: set[tuple[Any, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tasks have one connection one after the other, because it goes back to the pool in between."""
    program = PROGRAMS["pool_of_one"]

    assert wrong(program, await observe(program, make_world)) == ""
    monkeypatch.setattr(Drivers, "_checked_in", lambda *_: None)
    assert wrong(program, await observe(program, make_world))


def test_every_hook_is_in_a_table(replaced: set[tuple[Any, str]]) -> None:
    """All that is replaced, and nothing else."""
    tabled = [(owner_of(path), name) for table in (WITNESSES, WORDS, COVERED) for path, name in hooks(table)]

    assert len(set(tabled)) == len(tabled)
    assert set(tabled) == replaced


def test_every_program_of_the_ablation_is_a_witness() -> None:
    """None is there for nothing, and their names are their own."""
    witnesses = {WITNESSES[path][name] for path, name in hooks(WITNESSES)}
    witnesses |= {WORDS[path][name][0] for path, name in hooks(WORDS)}

    assert len(PROGRAMS) == len(LEGAL) + len(RACY) + len(OWN)
    assert sorted(set(names(OWN)) - witnesses) == []
    assert all(PROGRAMS[each].min_python <= sys.version_info for each in witnesses)
