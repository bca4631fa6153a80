"""Whether a script can be played at all: asked when it is given, not when it is due."""

from harness.errors import UsageError
from harness.fault import WireFault, WireFaultKind
from harness.providers.provider import ScriptedResponse, TurnScript

__all__ = ["check_script"]


def check_script(script: TurnScript) -> None:
    """Raises `UsageError` for a script that no model could follow, and for a fault that could never strike."""
    where = f"the script of turn {script.turn!r}"
    if not script.message.strip():
        raise UsageError(f"{where} has an empty message: nothing would start it")
    if not script.responses:
        raise UsageError(f"{where} has no responses: the agent's first request could not be answered")
    for number, response in enumerate(script.responses, 1):
        _check_response(response, f"response {number} of {where}")
    for fault in script.faults:
        _check_fault(fault, len(script.responses), f"the fault {fault.label!r} of {where}")


def _check_response(response: ScriptedResponse, where: str) -> None:
    usage = response.usage
    if not response.calls and not response.text:
        raise UsageError(f"{where} has neither tool calls nor a text")
    if usage.total_tokens <= 0:
        raise UsageError(f"{where} has no tokens: such a response is never billed")
    for name, part, kind, whole in (
        ("cached", usage.cached_tokens, "prompt", usage.prompt_tokens),
        ("reasoning", usage.reasoning_tokens, "completion", usage.completion_tokens),
    ):
        if not 0 <= part <= whole:
            raise UsageError(
                f"{where} has {part} {name} tokens, which are a part of its {whole} {kind} tokens; "
                f"give it from 0 to {whole} of them"
            )


def _check_fault(fault: WireFault, responses: int, where: str) -> None:
    if not 0 <= fault.response < responses:
        raise UsageError(
            f"{where} can never strike: its responses count from 0 to {responses - 1}; "
            "let it strike one of them, or script the response that it is meant for"
        )
    if fault.times < 1:
        raise UsageError(f"{where} is to strike {fault.times} times; give it at least 1, or leave it out")
    if fault.kind is WireFaultKind.STALL and not fault.seconds > 0:
        raise UsageError(f"{where} is to last {fault.seconds} seconds; say for how long the answer stops (seconds=…)")
