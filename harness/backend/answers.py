"""What `send` returned, looked at before anything is concluded from it."""

from collections.abc import Mapping
from uuid import UUID

from harness.evidence import Answer

__all__ = ["answer_problem"]


def answer_problem(answer: object) -> str:
    """What keeps it from being an answer, as the end of a sentence; empty if nothing does."""
    if not isinstance(answer, Answer):
        return f"returned {'None' if answer is None else f'a {type(answer).__name__}'}, and no Answer"
    wanted: Mapping[str, tuple[object, type | tuple[type, ...], str]] = {
        "text": (answer.text, str, "a str"),
        "llm_request_id": (answer.llm_request_id, (UUID, type(None)), "a uuid.UUID, or None"),
        "session_id": (answer.session_id, (str, type(None)), "a str, or None"),
    }
    for name, (value, kinds, words) in wanted.items():
        if not isinstance(value, kinds):
            return f"returned an Answer whose {name} is a {type(value).__name__}; it must be {words}"
    return ""
