"""SQLAlchemy's `Session`, the synchronous core below every `AsyncSession`.

Problem: `AsyncSession`, `run_sync`, lazy loads, streams and scoped sessions all end in methods of `Session`, which
run in a greenlet of the task that called.

Mechanism: the methods of `Session` and of `SessionTransaction` that change anything or may go to the database are
accesses, and so is every change of an attribute of an attached instance. What is staged, flushed or executed as DML is
unfinished work of its task until the transaction ends.

Guarantee: read-only introspection (`in_transaction`, `new`, `dirty`, `in`) is no access. What a method calls on the
same session is part of it.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.orm import state as orm_state
from sqlalchemy.orm.state import InstanceState

from harness.patching import Patches
from harness.sanitizer.hooks.accesses import attached, hooked, new_shadow
from harness.sanitizer.ownership import AccessKind, Shadow
from harness.sanitizer.runtime import runtime
from harness.sql import writes_rows

__all__ = ["install", "is_dml", "session_shadow"]
__tracebackhide__ = True

_STAGING = ("add", "add_all", "enable_relationship_loading", "expire", "expire_all", "expunge", "expunge_all")
_AWAITED = (
    "bulk_insert_mappings",
    "bulk_save_objects",
    "bulk_update_mappings",
    "connection",
    "delete",
    "delete_all",
    "execute",
    "flush",
    "get",
    "get_one",
    "merge",
    "merge_all",
    "refresh",
    "scalar",
    "scalars",
)
_BOUNDARIES = ("begin", "begin_nested", "close", "commit", "invalidate", "prepare", "reset", "rollback")
_NEW_IN_2_1 = frozenset({"delete_all", "merge_all"})
_CLEANS_UP = frozenset({"close", "invalidate", "reset"})
_WRITES = frozenset(
    {
        "add",
        "add_all",
        "bulk_insert_mappings",
        "bulk_save_objects",
        "bulk_update_mappings",
        "delete",
        "delete_all",
        "merge",
        "merge_all",
    }
)


def install(patches: Patches) -> None:
    """Instrument `Session`, `SessionTransaction` and `InstanceState`."""
    kinds = dict.fromkeys(_STAGING, AccessKind.STAGING) | dict.fromkeys(_AWAITED, AccessKind.AWAITED)
    for name, kind in (kinds | dict.fromkeys(_BOUNDARIES, AccessKind.BOUNDARY)).items():
        if name in _NEW_IN_2_1 and not hasattr(Session, name):
            continue
        original = getattr(Session, name)
        method = hooked(
            original,
            kind,
            f"Session.{name}",
            session_shadow,
            writes=_writes(name),
            cleans_up=name in _CLEANS_UP,
        )
        if name == "flush":
            method = _flush(original)
        elif name == "begin_nested":
            method = _begin_nested(method)
        elif name in {"close", "reset"}:
            method = _leaving_home(method)
        patches.replace(Session, name, method)
    patches.replace(Session, "__init__", _made(Session.__init__))
    transaction: Any = SessionTransaction
    for name, end in (("commit", _commit), ("rollback", _rollback), ("close", _close)):
        patches.replace(transaction, name, _boundary(getattr(transaction, name), f"SessionTransaction.{name}", end))
    prepare = hooked(transaction.prepare, AccessKind.BOUNDARY, "SessionTransaction.prepare", _of_transaction)
    patches.replace(transaction, "prepare", prepare)
    patches.replace(InstanceState, "_modified_event", _modified(InstanceState._modified_event))  # noqa: SLF001  # there is no public event of all changes


def _is_asynchronous(session: Any) -> bool:
    """Whether a session belongs to an `AsyncSession`, and so to an event loop."""
    return session is not None and AsyncSession._retrieve_proxy_for_target(session, regenerate=False) is not None  # noqa: SLF001  # SQLAlchemy offers no public way back


session_shadow = attached("Session", _is_asynchronous)


def is_dml(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether the statement that a call executes writes rows."""
    statement = args[0] if args else kwargs.get("statement")
    if getattr(statement, "is_dml", False):
        return True
    text = statement if isinstance(statement, str) else getattr(statement, "text", None)
    return isinstance(text, str) and writes_rows(text)


def _always(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:  # noqa: ARG001  # the signature of such questions
    return True


def _writes(name: str) -> Callable[[tuple[Any, ...], dict[str, Any]], bool] | None:
    if name in _WRITES:
        return _always
    return is_dml if name in {"execute", "scalar", "scalars"} else None


def _made(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def initialise(self: Any, *args: Any, **kwargs: Any) -> None:
        if runtime.active:
            try:
                vars(self)["_sessionproof"] = new_shadow(self, "Session", _is_asynchronous, with_stack=True)
            except Exception as failure:  # noqa: BLE001  # whatever it is, it must not reach the program
                runtime.fail(failure, "the making of a session")
        original(self, *args, **kwargs)

    return initialise


def _flush(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def flush(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not runtime.active:
            return original(self, *args, **kwargs)
        shadow = runtime.shadow(session_shadow, self)
        access = runtime.enter(shadow, AccessKind.AWAITED, "Session.flush") if shadow is not None else None
        if shadow is None or access is None:
            return original(self, *args, **kwargs)
        try:
            if runtime.looked_up(_is_dirty, self, False):
                runtime.wrote(shadow)
            return original(self, *args, **kwargs)
        finally:
            runtime.leave(access)

    return flush


def _is_dirty(session: Any) -> bool:
    """Whether a flush would write."""
    return not session._is_clean()  # noqa: SLF001  # the question that SQLAlchemy's own flush begins with


def _begin_nested(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def begin_nested(self: Any) -> Any:
        moment = runtime.clocks.moment()
        transaction = method(self)
        transaction._sessionproof = moment  # noqa: SLF001  # when the savepoint was made; transactions have a dictionary
        return transaction

    return begin_nested


def _leaving_home(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def close(self: Any) -> None:
        method(self)
        shadow = runtime.shadow(session_shadow, self) if runtime.active else None
        if shadow is not None:
            shadow.leave_home()

    return close


# -- the ends of transactions -----------------------------------------------------------------------------------

_End = Callable[[Any], int | None]


def _of_transaction(transaction: Any) -> Shadow:
    return session_shadow(transaction.session)


def _commit(transaction: Any) -> int | None:
    """A commit decides about everything, unless it only releases a savepoint, or is a flush's."""
    return 0 if transaction.parent is None else None


def _rollback(transaction: Any) -> int | None:
    """A rollback decides about what came after the savepoint, if there is one; that of a failed flush, too."""
    for each in transaction._iterate_self_and_parents():  # noqa: SLF001  # as SQLAlchemy's own rollback does
        if each.nested:
            return int(getattr(each, "_sessionproof", 0))
    return 0


def _close(transaction: Any) -> int | None:
    """Closing a transaction that was not committed discards what is left."""
    return 0 if transaction.parent is None else None


def _boundary(original: Callable[..., Any], operation: str, end: _End) -> Callable[..., Any]:
    cleans_up = operation.endswith("close")

    @wraps(original)
    def boundary(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not runtime.active or self.session is None:
            return original(self, *args, **kwargs)
        shadow = runtime.shadow(session_shadow, self.session)
        if shadow is None:
            return original(self, *args, **kwargs)
        access = runtime.enter(shadow, AccessKind.BOUNDARY, operation, cleans_up=cleans_up)
        try:
            if shadow.written is not None or shadow.work:
                _decide(shadow, runtime.looked_up(end, self, None), cleans_up=cleans_up)
            return original(self, *args, **kwargs)
        finally:
            if access is not None:
                runtime.leave(access)

    return boundary


def _decide(shadow: Shadow, since: int | None, *, cleans_up: bool) -> None:
    error = runtime.decided(shadow, since=since) if since is not None else None
    if error is not None and not cleans_up:
        raise error


# -- attributes -------------------------------------------------------------------------------------------------


def _modified(original: Callable[..., Any]) -> Callable[..., Any]:
    sessions = orm_state._sessions  # noqa: SLF001  # where SQLAlchemy itself looks an instance's session up

    @wraps(original)
    def modified_event(self: Any, *args: Any, **kwargs: Any) -> Any:
        identifier = self.session_id
        session = sessions.get(identifier) if identifier and runtime.active else None
        if session is None:
            return original(self, *args, **kwargs)
        shadow = runtime.shadow(session_shadow, session)
        access = runtime.enter(shadow, AccessKind.STAGING, "attribute change") if shadow is not None else None
        if shadow is None or access is None:
            return original(self, *args, **kwargs)
        try:
            runtime.wrote(shadow)
            return original(self, *args, **kwargs)
        finally:
            runtime.leave(access)

    return modified_event
