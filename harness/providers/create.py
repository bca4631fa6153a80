"""The provider of a model tier, by the tier's name."""

from harness.errors import UsageError
from harness.providers.provider import Provider
from harness.providers.scripted import ScriptedProvider
from harness.scenario import ModelTier

__all__ = ["create_provider"]


def create_provider(
    tier: ModelTier,
    *,
    model_name: str = "gpt-4o",
    fallback_model_name: str | None = None,
    max_retries: int = 0,
    client_seconds: float | None = None,
) -> Provider:
    """A provider of the tier, not yet started.

    `client_seconds` is the client's default if it is `None`, and has no meaning in the tier `scripted`, which has no
    client. Raises `UsageError` for a tier that does not exist, and for what it cannot do.
    """
    if tier is ModelTier.WIRE:
        from harness.providers.wire import CLIENT_SECONDS, WireProvider  # noqa: PLC0415  # a client and a server

        return WireProvider(
            model_name=model_name,
            fallback_model_name=fallback_model_name,
            max_retries=max_retries,
            client_seconds=CLIENT_SECONDS if client_seconds is None else client_seconds,
        )
    if tier is not ModelTier.SCRIPTED:
        raise UsageError(
            f"the model of the tier {tier.value!r} follows no script; "
            f"use {ModelTier.SCRIPTED.value!r} or {ModelTier.WIRE.value!r}"
        )
    if fallback_model_name is not None or max_retries:
        raise UsageError(
            f"the model tier {tier.value!r} has no fallback model and no client that retries: nothing fails in it; "
            f"use {ModelTier.WIRE.value!r}, or leave both out"
        )
    return ScriptedProvider(model_name=model_name)
