"""Whether the client received what the provider served: the invoice and the client's responses of one turn.

A response is found by its identifier where both sides have one, and by its tokens where the client has none. What the
provider knows not to have been delivered need not be there; nor need anything in a turn that the harness interrupted. A
client that was told no tokens (0+0) was not told wrong ones.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from harness.checks.ledger_account import listed, quoted, tokens_of, tokens_text
from harness.evidence import Charge, ModelResponseSeen

__all__ = ["Received", "receive"]

_NOT_TOLD = (0, 0)
_Pair = tuple[Charge, ModelResponseSeen]


@dataclass(slots=True, kw_only=True)
class Received:
    """What differs between invoice and client, and how many of the responses came without their tokens."""

    unseen: list[Charge] = field(default_factory=list)
    unserved: list[ModelResponseSeen] = field(default_factory=list)
    differing: list[_Pair] = field(default_factory=list)
    not_told: int = 0

    def sentences(self) -> Iterator[str]:
        """One for each way in which they differ, to be joined."""
        if self.unseen:
            yield f"the client did not receive {listed([tokens_text(tokens_of(charge)) for charge in self.unseen])}"
        if self.unserved:
            yield f"the provider did not serve {listed([_shown(response) for response in self.unserved])}"
        if self.differing:
            told = listed([_told(*pair) for pair in self.differing])
            yield f"the client was told other tokens than the provider counted, {told}"


def receive(
    charges: Iterable[Charge], responses: Sequence[ModelResponseSeen], *, interrupted: bool, answered: bool
) -> Received:
    """Compare the two sides of one turn.

    `interrupted`: the client may lack anything, or have a part of it. Unless the turn was `answered`, a stream whose
    tokens were not told was not received.
    """
    received = Received()
    named = [response for response in responses if response.response_id is not None]
    unnamed = [response for response in responses if response.response_id is None]
    pairs, left, unserved = _pair(charges, named, lambda item: item.response_id)
    alike, left, unlike = _pair(left, unnamed, tokens_of)
    untold, left, unlike = _pair(left, unlike, _is_any_or_untold)
    for charge, response in pairs + alike + untold:
        if tokens_of(response) == _NOT_TOLD:
            received.not_told += 1
        elif not _agrees(charge, response, cut=interrupted or not charge.delivered):
            received.differing.append((charge, response))
    received.unseen = [charge for charge in left if charge.delivered and not interrupted]
    received.unserved = [each for each in unserved + unlike if answered or not _is_nothing(each)]
    return received


def _is_nothing(response: ModelResponseSeen) -> bool:
    """A stream that was refused, or broke before its tokens were told: what the client has is a beginning at most."""
    return tokens_of(response) == _NOT_TOLD


def _pair(
    charges: Iterable[Charge],
    responses: Iterable[ModelResponseSeen],
    key: Callable[[Charge | ModelResponseSeen], Hashable],
) -> tuple[list[_Pair], list[Charge], list[ModelResponseSeen]]:
    """Charges and responses of the same key, and the rest of both; what was delivered comes first."""
    waiting: defaultdict[Hashable, deque[Charge]] = defaultdict(deque)
    for charge in sorted(charges, key=lambda charge: not charge.delivered):
        waiting[key(charge)].append(charge)
    pairs: list[_Pair] = []
    rest: list[ModelResponseSeen] = []
    for response in responses:
        queue = waiting[key(response)]
        if queue:
            pairs.append((queue.popleft(), response))
        else:
            rest.append(response)
    return pairs, [charge for queue in waiting.values() for charge in queue], rest


def _is_any_or_untold(item: Charge | ModelResponseSeen) -> bool:
    """One key for every charge, and for the responses that came without their tokens."""
    return isinstance(item, Charge) or tokens_of(item) == _NOT_TOLD


def _agrees(charge: Charge, response: ModelResponseSeen, *, cut: bool) -> bool:
    """Whether the client was told what was served; of an answer that was cut it may have been told less."""
    if cut:
        return response.prompt_tokens <= charge.prompt_tokens and response.completion_tokens <= charge.completion_tokens
    return tokens_of(response) == tokens_of(charge)


def _shown(response: ModelResponseSeen) -> str:
    return f"{tokens_text(tokens_of(response))} of response {quoted(response.response_id)}"


def _told(charge: Charge, response: ModelResponseSeen) -> str:
    return f"{tokens_text(tokens_of(response))} for {tokens_text(tokens_of(charge))}"
