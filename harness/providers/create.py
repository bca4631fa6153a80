"""The provider of a model tier, by the tier's name."""

from harness.errors import UsageError
from harness.providers.provider import Provider
from harness.providers.scripted import ScriptedProvider
from harness.providers.wire import WireProvider
from harness.scenario import ModelTier

__all__ = ["create_provider"]


def create_provider(tier: ModelTier, *, model_name: str = "gpt-4o") -> Provider:
    """A provider of the tier, not yet started; raises `UsageError` for a tier that does not exist."""
    if tier is ModelTier.SCRIPTED:
        return ScriptedProvider(model_name=model_name)
    if tier is ModelTier.WIRE:
        return WireProvider(model_name=model_name)
    raise UsageError(
        f"the model tier {tier.value!r} is not available in this version; "
        f"use {ModelTier.SCRIPTED.value!r} or {ModelTier.WIRE.value!r}"
    )
