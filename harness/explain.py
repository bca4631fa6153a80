"""Why each kind of finding happens, and what repairs it, in plain words for reports."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.verdict import FindingKind

__all__ = ["EXPLANATIONS", "Explanation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One or two sentences each: what leads to it, and what to do."""

    cause: str
    repair: str


_OWN_SESSION = "Open a session per operation from the session factory, and keep no session in the agent's deps."

EXPLANATIONS: Mapping[FindingKind, Explanation] = MappingProxyType(
    {
        FindingKind.CONCURRENT_OPERATION: Explanation(
            cause="Two tasks used one session at the same moment, and SQLAlchemy noticed, because the "
            "session was just getting its connection. On a warm pool the same code may raise nothing.",
            repair=_OWN_SESSION,
        ),
        FindingKind.ILLEGAL_STATE: Explanation(
            cause="One task committed, closed or flushed a session while another was using it, so that the "
            "session was in a state in which the operation is not allowed.",
            repair=_OWN_SESSION,
        ),
        FindingKind.DRIVER_BUSY: Explanation(
            cause="Two tasks used one driver connection at the same moment, as streaming from a shared session does.",
            repair=f"{_OWN_SESSION} Read a stream to its end before the connection is used for anything else.",
        ),
        FindingKind.FOREIGN_LOOP: Explanation(
            cause="An engine, or a connection of its pool, was made in one event loop and used in another.",
            repair="Make the engine in the loop that uses it, and dispose of it before that loop ends.",
        ),
        FindingKind.FOREIGN_REQUEST: Explanation(
            cause="The application built a model of its own, or called another service, and did not use the "
            "model that it was given.",
            repair="Pass the given model on to every agent, and make no client at import time.",
        ),
        FindingKind.UNRECORDED_REQUEST: Explanation(
            cause="A recorded model was asked something that is not in its recording: the application's prompts, tools "
            "or settings have changed since, or a tool returned something else.",
            repair="If that is meant, record the cell again with --record; if not, the message says where it differs.",
        ),
        FindingKind.ABORTED_TRANSACTION: Explanation(
            cause="An earlier statement of the same transaction had failed, often one of another tool that "
            "shares the session, and the transaction was not rolled back.",
            repair=f"{_OWN_SESSION} Within one tool, roll back or use a savepoint before going on after an error.",
        ),
        FindingKind.POOL_EXHAUSTED: Explanation(
            cause="More connections were needed at once than the pool may give; often a task holds one "
            "session while it opens another, so that turns wait for each other.",
            repair="End the outer session before opening another, or make the pool larger than the number "
            "of turns times the sessions that each holds at once.",
        ),
        FindingKind.POISONED_CONNECTION: Explanation(
            cause="A commit overlapped a statement on a shared session, and the connection went back to "
            "the pool inside a transaction; whoever gets it next fails, without any fault of its own.",
            repair=f"{_OWN_SESSION} Restart processes that have run the old code, because their pools may be poisoned.",
        ),
        FindingKind.FOREIGN_ERROR: Explanation(
            cause="One tool left a row in a shared session that the database refuses, and another tool, or the "
            "cost tracker, sent it with its own next statement, and got the refusal.",
            repair=_OWN_SESSION,
        ),
        FindingKind.UNEXPECTED_ERROR: Explanation(
            cause="Something failed that is no known sign of shared sessions; it may still be a consequence of one.",
            repair="Read the error and its stack; look first at other findings of the same turn.",
        ),
        FindingKind.TURN_FAILED: Explanation(
            cause="An error reached the user instead of an answer.",
            repair="Repair the errors found in the same turn; let the agent tell the model about a failed tool.",
        ),
        FindingKind.TURN_TIMED_OUT: Explanation(
            cause="Some task never ended: it waits for a connection, a lock, or a task that waits for it.",
            repair="Look at the innermost frames of the tasks that were still running; do not open a "
            "session while another one is held.",
        ),
        FindingKind.MISSING_ROW: Explanation(
            cause="The provider served a response, and its cost row was never written, or was rolled back "
            "together with another tool's work.",
            repair="Let the cost tracker write and commit in a session of its own.",
        ),
        FindingKind.DUPLICATE_ROW: Explanation(
            cause="The same response was billed more than once, as a retry around the tracker does.",
            repair="Write each response's row once; make a repeated write find the first one by its key.",
        ),
        FindingKind.FOREIGN_ROW: Explanation(
            cause="A row carries another tenant, agent or session than the turn that caused it: state of "
            "one turn was visible in another.",
            repair="Pass tenant and session id with the turn, never through module or application state.",
        ),
        FindingKind.WRONG_TOKENS: Explanation(
            cause="The row's tokens are not the provider's: a response was left out, counted twice, or estimated.",
            repair="Take the usage from the provider's responses, and add it up once per turn or once per response.",
        ),
        FindingKind.WRONG_MODEL: Explanation(
            cause="The row's provider, model or completion status was taken from a setting or a default, and not "
            "from the response that it bills.",
            repair="Store what the response names, and set the status when the turn has ended.",
        ),
        FindingKind.WRONG_COST: Explanation(
            cause="The cost was computed with other prices, in binary floating point, rounded, or without the "
            "discount for cached tokens; or, where the row has NULL, none was written, though the model has a price.",
            repair="Compute costs in Decimal with genai-prices, by the model that answered, and store them as NUMERIC.",
        ),
        FindingKind.ZERO_COST: Explanation(
            cause="The price was not looked up, or the look-up failed and its error became 0.",
            repair="Look the price up by the model that answered, and store NULL, not 0, if that fails.",
        ),
        FindingKind.NULL_PRICED_AS_ZERO: Explanation(
            cause="A model without a known price was given the price 0, as by `or 0` or a column default.",
            repair="Store NULL for a cost that is not known, so that it can be found and filled in later.",
        ),
        FindingKind.BROKEN_TOTAL: Explanation(
            cause="Total and parts of a row were computed or rounded separately.",
            repair="Store the sum of the parts that are stored.",
        ),
        FindingKind.UNBILLED_RESPONSE: Explanation(
            cause="The cost tracker failed, its error was logged, and the user got the answer without a ledger row.",
            repair="Let the cost tracker write and commit in a session of its own, and treat its failure "
            "as an incident.",
        ),
        FindingKind.NIL_IDENTIFIER: Explanation(
            cause="The identifier was set to a default (`UUID(int=0)`) and never chosen; the second such row collides.",
            repair="Choose a random identifier for each row before the request is made.",
        ),
        FindingKind.UNSEEN_RESPONSE: Explanation(
            cause="A response was served and not received (a broken connection, a hidden retry), or came "
            "from elsewhere.",
            repair="Look at timeouts and retries of the provider's client: what was served has to be paid.",
        ),
        FindingKind.SERIALISED: Explanation(
            cause="Tools that the model called together went through one connection or one lock, one after "
            "the other; on a warm pool this is all that a shared session shows.",
            repair=f"{_OWN_SESSION} A lock around a shared session hides the errors, and keeps the waiting.",
        ),
        FindingKind.NO_SPEEDUP: Explanation(
            cause="Calling the tools together saved no time, because something lets only one of them run.",
            repair=f"{_OWN_SESSION} Then look for locks, a pool that is too small, and blocked event loops.",
        ),
        FindingKind.LOOP_BLOCKED: Explanation(
            cause="A tool computed or waited without awaiting, so that no other task could run.",
            repair="Await the operation, or move it to a thread with asyncio.to_thread.",
        ),
        FindingKind.SESSION_OVERLAP: Explanation(
            cause="Two tasks used one session, or the connection below it, at the same moment. On a warm pool nothing "
            "is raised: the driver lets one wait for the other.",
            repair=_OWN_SESSION,
        ),
        FindingKind.SESSION_UNORDERED: Explanation(
            cause="Two tasks used one session one after the other by chance only: neither awaits the other, and no "
            "lock keeps them apart, so that in another run they meet.",
            repair=f"{_OWN_SESSION} Where one task is meant to go first, let the other await it.",
        ),
        FindingKind.SESSION_FOREIGN_THREAD: Explanation(
            cause="A session that belongs to an event loop was handed to a worker thread, where it can be in use while "
            "the loop uses it too.",
            repair="Use the session in its event loop only, and give the thread plain data, or a synchronous session "
            "of its own.",
        ),
        FindingKind.SESSION_FOREIGN_LOOP: Explanation(
            cause="A session, or a connection that came from its pool, was used in one event loop and then in another.",
            repair="Make an engine and its sessions in each event loop, and dispose of each before its loop ends.",
        ),
        FindingKind.BLEED: Explanation(
            cause="Two tools share a session, and one ended the transaction while the other was in the "
            "middle of its writes; a lock around each operation does not prevent it.",
            repair=_OWN_SESSION,
        ),
        FindingKind.LOST_WRITE: Explanation(
            cause="A tool flushed rows and reported success, and the transaction was rolled back or closed "
            "without a commit afterwards.",
            repair="Let each tool commit its own session before it returns.",
        ),
        FindingKind.CONNECTION_LEAK: Explanation(
            cause="A session or connection was opened and not closed, often because a task was cancelled "
            "outside a context manager.",
            repair="Use sessions and connections as async context managers only.",
        ),
        FindingKind.IDLE_IN_TRANSACTION: Explanation(
            cause="A transaction was begun, by a read too, and neither committed nor rolled back before "
            "the code waited for something else.",
            repair="End the transaction before a model call or the answer: close the session as soon as it is read.",
        ),
    }
)
