"""One access of an actor to an object, from its beginning to its end."""

from harness.sanitizer.clocks import Actor
from harness.sanitizer.ownership import Conflict, Shadow, Use


def enter(shadow: Shadow, actor: Actor, use: Use) -> list[Conflict]:
    """As the runtime does: the owner who holds nothing needs no comparison."""
    if shadow.owner is actor and actor.loop is shadow.loop and not actor.holdings and not actor.inherited:
        shadow.pending = use
        return []
    return shadow.begin(actor, use)[1]


def leave(shadow: Shadow, actor: Actor) -> None:
    if shadow.owner is actor:
        shadow.end_alone(actor)
    else:
        access = shadow.flying_of(actor)
        assert access is not None
        shadow.end(access)
