"""The tier `recorded`: a real model, as it once answered, without a network, a key, or a model.

Problem: what a real model decides is worth running in CI, where there is no key, and where the same change must get the
same verdict twice.

Mechanism: the cassette of a cell is played (`harness.providers.replay`) below the client that recorded it, so that the
application meets the same library, the same parsing, the same streams. The invoice is what the provider said then, read
from the played answers on their way to the client (`harness.providers.metered_transport`).

Guarantee: nothing is sent anywhere; the model's address is on the loopback interface, and nobody listens there. What
was asked other than it was recorded, and what was not asked, is in `replay.differences`. Where sessions are shared,
what a tool returns is decided by a race: in a cell that is to show that it may be something else, and is only noted.
"""

from collections.abc import Callable
from pathlib import Path

import httpx2
from openai import AsyncOpenAI
from pydantic_ai.models import Model
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

from harness.bundled import cassettes_directory
from harness.errors import EnvironmentMissing, UsageError
from harness.evidence import Charge, FaultSeen
from harness.providers.cassette import Cassette, ModelKind, cassette_path, read_cassette
from harness.providers.grammar_model import grammar_model
from harness.providers.local_price import MODEL, PROVIDER, install
from harness.providers.metered_transport import Meter
from harness.providers.provider import TurnScript
from harness.providers.recording import Recording
from harness.providers.replay import Replay
from harness.scenario import Cell, ModelTier

__all__ = ["RecordedProvider", "cassette_of", "recording_of"]

_KEY = "recorded"
"""What a client says that must have a key: nobody asks for it."""

_KINDS = {
    "openai-chat": ModelKind.OPENAI_CHAT,
    "openai": ModelKind.OPENAI,
    "openai-responses": ModelKind.OPENAI,
    "anthropic": ModelKind.ANTHROPIC,
    PROVIDER: ModelKind.LOCAL,
}
_ENDS = {
    ModelKind.OPENAI_CHAT: "/chat/completions",
    ModelKind.LOCAL: "/chat/completions",
    ModelKind.OPENAI: "/responses",
    ModelKind.ANTHROPIC: "/v1/messages",
}
"""How the paths end by which these models are asked; what comes before belongs to the server's address."""

_LOCAL_MODEL = f"{PROVIDER}:{MODEL}"


def cassette_of(cell: Cell, *, folder: Path | None = None) -> Path:
    """The file of a cell's cassette: in `folder`, or among those that come with the scenarios.

    Raises:
        EnvironmentMissing: there is none.
        UsageError: the scenario has a name that no folder can have.
    """
    shipped = folder is None
    place = cassettes_directory() if folder is None else folder
    path = cassette_path(place, cell.scenario.name, cell.mode, cell.pool_state)
    if not path.is_file():
        whose = "come with the scenarios" if shipped else f"are in {str(place)!r}"
        raise EnvironmentMissing(
            f"the recordings that {whose} have none of {cell.scenario.name!r}, {cell.mode.value} and "
            f"{cell.pool_state.value}: looked for {str(path)!r}; record one in the tier "
            f"{ModelTier.LOCAL.value!r} or {ModelTier.LIVE.value!r} with --record"
        )
    return path


def recording_of(cell: Cell, folder: Path, *, model: str = _LOCAL_MODEL) -> Recording:
    """What records a cell into its place below `folder`; `model` is who answers, as Pydantic AI names it.

    Raises:
        UsageError: what this model says cannot be played back, or the scenario has a name that no folder can have.
    """
    provider, _, name = model.partition(":")
    kind = _KINDS.get(provider)
    if kind is None or not name:
        known = ", ".join(f"{word}:…" for word in sorted(_KINDS))
        raise UsageError(
            f"the model {model!r} cannot be recorded: nobody here could ask it again; those that can are {known} "
            "(a server that speaks OpenAI's protocol is openai-chat:…, with its address)"
        )
    path = cassette_path(folder, cell.scenario.name, cell.mode, cell.pool_state)
    return Recording(path, kind=kind, provider=provider.partition("-")[0], model=name)


class RecordedProvider:
    """Plays the cassette in `path`, once.

    `turn_of` names the turn of the task that asks. With `timed`, answers take the time that they took. Tools must
    return what they returned, unless `results` is false.
    """

    tier: ModelTier = ModelTier.RECORDED

    def __init__(
        self, path: Path, *, turn_of: Callable[[], str | None], timed: bool = False, results: bool = True
    ) -> None:
        self._path = path
        self._turn_of = turn_of
        self._timed = timed
        self._results = results
        self._meter: Meter | None = None
        self._replay: Replay | None = None
        self._client: httpx2.AsyncClient | None = None
        self._model: Model | None = None

    @classmethod
    def of(
        cls, cell: Cell, *, turn_of: Callable[[], str | None], folder: Path | None = None, timed: bool = False
    ) -> "RecordedProvider":
        """The provider of a cell; raises what `cassette_of` raises."""
        results = cell.expectation.clean
        return cls(cassette_of(cell, folder=folder), turn_of=turn_of, timed=timed, results=results)

    async def start(self) -> None:
        """Read the cassette; raises `ConfigurationError` if it cannot be played."""
        cassette = read_cassette(self._path)
        if cassette.kind is ModelKind.LOCAL:
            install()
        self._replay = Replay(
            cassette, name=self._name, timed=self._timed, results=self._results, turn_of=self._turn_of
        )
        # The server of this machine stops its model as soon as its client has gone, and counts nothing then.
        self._meter = Meter(
            self._turn_of, provider=cassette.provider, charges_abandoned=cassette.kind is not ModelKind.LOCAL
        )
        transport = self._meter.transport(self._replay.transport())
        self._client = httpx2.AsyncClient(transport=transport, trust_env=False)
        self._model = _model(cassette, self._client)

    async def stop(self) -> None:
        """Close the client; harmless when called twice."""
        if self._client is not None:
            await self._client.aclose()

    @property
    def model(self) -> Model:
        """The model to give to the application; raises `UsageError` before `start`."""
        if self._model is None:
            raise UsageError("the recorded provider has no model before it is started: its recording is not read yet")
        return self._model

    @property
    def replay(self) -> Replay:
        """What was played, and what was not; raises `UsageError` before `start`."""
        if self._replay is None:
            raise UsageError("the recorded provider plays nothing before it is started")
        return self._replay

    @property
    def fallback_model(self) -> Model | None:
        """There is none."""
        return None

    def expect(self, script: TurnScript) -> None:
        """Raises `UsageError`: what the model does is in its recording."""
        raise UsageError(
            f"the turn {script.turn!r} has a script, and the model of the tier {self.tier.value!r} does what it did "
            "when it was recorded; let the plan be chosen, or use the tier 'scripted' or 'wire'"
        )

    def invoice(self) -> tuple[Charge, ...]:
        """What the provider said that it served, of what was played, in the order of playing."""
        return self._meter.invoice() if self._meter is not None else ()

    def faults(self) -> tuple[FaultSeen, ...]:
        """None are carried out."""
        return ()

    @property
    def _name(self) -> str:
        return repr(str(Path(self._path.parent.name) / self._path.name))


def _model(cassette: Cassette, client: httpx2.AsyncClient) -> Model:
    """The model that sends what was recorded, to an address on this machine."""
    address = f"http://127.0.0.1{_prefix(cassette)}"
    if cassette.kind is ModelKind.ANTHROPIC:
        return _anthropic_model(cassette.model, address, client)
    openai = AsyncOpenAI(api_key=_KEY, base_url=address, max_retries=0, http_client=client)
    if cassette.kind is ModelKind.LOCAL:
        return grammar_model(openai)
    if cassette.kind is ModelKind.OPENAI:
        return OpenAIResponsesModel(cassette.model, provider=OpenAIProvider(openai_client=openai))
    if cassette.provider == "openai":
        return OpenAIChatModel(cassette.model, provider=OpenAIProvider(openai_client=openai))
    return OpenAIChatModel(cassette.model, provider=OpenAICompatibleProvider(cassette.provider, openai_client=openai))


def _anthropic_model(name: str, address: str, client: httpx2.AsyncClient) -> Model:
    from anthropic import AsyncAnthropic  # noqa: PLC0415  # slow, and for these recordings only
    from pydantic_ai.models.anthropic import AnthropicModel  # noqa: PLC0415  # the same
    from pydantic_ai.providers.anthropic import AnthropicProvider  # noqa: PLC0415  # the same

    asking = AsyncAnthropic(api_key=_KEY, base_url=address, max_retries=0, http_client=client)
    return AnthropicModel(name, provider=AnthropicProvider(anthropic_client=asking))


def _prefix(cassette: Cassette) -> str:
    """What the recorded paths have before that by which the model is asked."""
    end = _ENDS[cassette.kind]
    paths = (exchange.path for exchange in cassette.exchanges if exchange.path.endswith(end))
    return next(paths, end).removesuffix(end)
