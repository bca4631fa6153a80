"""What the model requests of a run may cost, and that they do not cost more.

Problem: a real model decides by itself how often it is asked, and each request costs money. What one has cost is known
when it has been answered, and then it is spent; several processes spend at the same time.

Mechanism: before a request, the most that its text can cost is reserved: each byte of what is sent taken for a token (a
token is at least one), an allowance for what the provider adds, and as many tokens of an answer as it may have, which
is limited if the application does not do that itself. When the answer is there, what it has cost takes that place.
The sum is kept in one file of the run, under a lock, so that all processes spend from one purse: shared out among them
beforehand, it would be spent in one process while it is left in another, and nobody knows how many there will be.

Pydantic AI has limits of its own (`UsageLimits`), but they are the application's to give, are of one run of an agent,
and look at the cost of a request when it has been paid.

Guarantee: a request whose text could pass the budget is not sent; `BudgetExceededError` says so. A request of which it
is not known what it cost (nobody waited for the answer, it was not read to its end, or it does not tell) is taken to
have cost what was reserved, and so is one of a process that died.

Not guaranteed: what is not in the bytes that are sent can cost more than was reserved, and is counted afterwards only.
That are images and files that are sent by a URL or an identifier, a conversation that the provider keeps
(`previous_response_id`), and what a provider's own tools read.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock, Timeout
from genai_prices import Usage
from genai_prices.data_snapshot import get_snapshot
from pydantic import TypeAdapter
from pydantic_ai import RunContext
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage
from pydantic_core import to_json

from harness.errors import BudgetExceededError, MissingEvidence, UsageError
from harness.providers.guard import counted

__all__ = ["Budget", "BudgetModel", "Costs", "Rates", "budget_of", "check_price"]

ANSWER_TOKENS = 4096
"""How many tokens an answer may have, if the application does not say."""

_ADDED_TOKENS = 2048
"""What a provider may add to a request: the words around messages and tools, and a system prompt for these."""

_LOCK_SECONDS = 10.0
_MILLION = 1_000_000
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What a user says that a model costs: US dollars for a million tokens."""

    prompt: Decimal
    completion: Decimal

    def cost(self, prompt_tokens: int, completion_tokens: int) -> Decimal:
        """US dollars."""
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / _MILLION


def budget_of(text: str) -> Decimal:
    """US dollars from what a user typed; raises `UsageError` unless that is a number above zero."""
    amount = _amount(text)
    if amount is None or not amount > 0:
        raise UsageError(f"a budget is US dollars above zero, such as 0.50, and not {text!r}: no request may be sent")
    return amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """US dollars of a run: what its answers have cost, and the most that its other requests can have cost."""

    spent: Decimal = _NOTHING
    reserved: Decimal = _NOTHING

    @property
    def total(self) -> Decimal:
        """What is gone from the budget."""
        return self.spent + self.reserved


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One request: what is reserved for it, or what it has cost."""

    amount: Decimal
    settled: bool = False


_ENTRIES = TypeAdapter(dict[str, _Entry])


class Budget:
    """US dollars that a run may spend on model requests; `file` is where all its processes write down what they spend.

    The file is made when it is first needed. Each run has one of its own.
    """

    def __init__(self, limit: Decimal, file: Path) -> None:
        self.limit = limit
        self._file = file
        self._lock = FileLock(f"{file}.lock", timeout=_LOCK_SECONDS)

    @property
    def spent(self) -> Decimal:
        """So far, with what is reserved."""
        return self.costs().total

    def costs(self) -> Costs:
        """So far.

        Raises:
            MissingEvidence: that cannot be known.
        """
        try:
            with self._lock:
                return _costs(self._read())
        except (Timeout, OSError, ValueError) as error:
            raise MissingEvidence(
                f"what the run's model requests have cost stands in {str(self._file)!r}, which cannot be read "
                f"({type(error).__name__}: {error}); the provider's invoice has it"
            ) from error

    def reserve(self, amount: Decimal) -> str:
        """Set so much aside, and return by which name it is settled.

        Raises:
            BudgetExceededError: more would be spent than there is, or what was spent cannot be known.
        """
        name = uuid4().hex
        try:
            with self._lock:
                entries = self._read()
                left = self.limit - _costs(entries).total
                if amount > left:
                    raise BudgetExceededError(
                        f"a model request was not sent: it can cost {amount:f} US dollars, and {left:f} of the budget "
                        f"of {self.limit:f} are left; give more (--budget), or run fewer turns"
                    )
                self._write({**entries, name: _Entry(amount=amount)})
        except (Timeout, OSError, ValueError) as error:
            raise BudgetExceededError(
                f"a model request was not sent: what the run has spent stands in {str(self._file)!r}, which cannot be "
                f"used ({type(error).__name__}: {error}); see that it can be written, and start a new run"
            ) from error
        return name

    def settle(self, name: str, cost: Decimal) -> None:
        """So much was spent of what was reserved under this name; more, if it cost more."""
        with self._lock:
            self._write({**self._read(), name: _Entry(amount=cost, settled=True)})

    def _read(self) -> dict[str, _Entry]:
        try:
            return _ENTRIES.validate_json(self._file.read_bytes())
        except FileNotFoundError:
            return {}

    def _write(self, entries: dict[str, _Entry]) -> None:
        """Whole or not at all: whoever is killed here leaves what was there before."""
        new = self._file.with_name(f"{self._file.name}.new")
        new.write_bytes(_ENTRIES.dump_json(entries))
        new.replace(self._file)


def check_price(model: Model, rates: Rates | None = None) -> None:
    """Raises `UsageError` if the model has no listed price, and no `rates` are given for it."""
    _Prices(model, rates)


class BudgetModel(WrapperModel):
    """The wrapped model, within a budget; `rates` are what it costs, whatever is listed.

    Without them it costs what is listed. What is reserved for a request is the higher of the two.

    Raises:
        UsageError: the model has no listed price, and no `rates` are given.
    """

    def __init__(self, wrapped: Model, budget: Budget, *, rates: Rates | None = None) -> None:
        super().__init__(wrapped)
        self._budget = budget
        self._prices = _Prices(wrapped, rates)

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """The wrapped model's response; raises `BudgetExceededError` if it is not asked."""
        settings = self._limited(model_settings)
        name = self._reserve(messages, settings, model_request_parameters)
        try:
            with counted():
                response = await self.wrapped.request(messages, settings, model_request_parameters)
        except BaseException as error:
            self._settle_failed(name, error)
            raise
        self._settle(name, response)
        return response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """The wrapped model's stream; raises `BudgetExceededError` if it is not asked."""
        settings = self._limited(model_settings)
        name = self._reserve(messages, settings, model_request_parameters)
        async with AsyncExitStack() as stack:
            try:
                with counted():
                    stream = await stack.enter_async_context(
                        self.wrapped.request_stream(messages, settings, model_request_parameters, run_context)
                    )
            except BaseException as error:
                self._settle_failed(name, error)
                raise
            try:  # what is raised from here on may be the reader's, and says nothing of what the provider has served
                yield stream
            finally:
                response = stream.get()
                if response.state == "complete":  # what a part tells that it used is the part's
                    self._settle(name, response)

    async def count_tokens(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> RequestUsage:
        """As the wrapped model: providers charge nothing for counting."""
        with counted():
            return await self.wrapped.count_tokens(messages, model_settings, model_request_parameters)

    def prepare_request(
        self, model_settings: ModelSettings | None, model_request_parameters: ModelRequestParameters
    ) -> tuple[ModelSettings | None, ModelRequestParameters]:
        """As the wrapped model; nothing is sent by that."""
        with counted():
            return self.wrapped.prepare_request(model_settings, model_request_parameters)

    def _limited(self, settings: ModelSettings | None) -> ModelSettings:
        """With a limit for the answer, and without repetitions, each of which would be another request."""
        limited = ModelSettings() if settings is None else settings.copy()
        limited.pop("max_retries", None)
        if self._answer_tokens(limited) is None:
            limited["max_tokens"] = ANSWER_TOKENS
        return limited

    def _answer_tokens(self, settings: ModelSettings) -> int | None:
        return settings.get("max_tokens") or (self.wrapped.settings or {}).get("max_tokens")

    def _reserve(
        self, messages: Sequence[ModelMessage], settings: ModelSettings, parameters: ModelRequestParameters
    ) -> str:
        sent = len(ModelMessagesTypeAdapter.dump_json(list(messages))) + len(
            to_json(parameters, serialize_unknown=True)
        )
        most = self._prices.most(sent + _ADDED_TOKENS, self._answer_tokens(settings) or ANSWER_TOKENS)
        return self._budget.reserve(most)

    def _settle(self, name: str, response: ModelResponse) -> None:
        """What it has cost, if it tells; what is not known stays what was reserved."""
        cost = self._prices.of(response)
        if cost is not None:
            self._budget.settle(name, cost)

    def _settle_failed(self, name: str, error: BaseException) -> None:
        """Nothing, if the provider never had the request, or refused it."""
        refused = isinstance(error, ModelHTTPError) and not getattr(error, "in_stream", False)
        if refused or getattr(error, "phase", None) in {"pool", "connect"}:
            self._budget.settle(name, _NOTHING)


class _Prices:
    """What one model costs: as the user says, or else as listed."""

    def __init__(self, model: Model, rates: Rates | None) -> None:
        self._model = model
        self._rates = rates
        self.most(1, 1)

    def most(self, prompt_tokens: int, completion_tokens: int) -> Decimal:
        """What so many tokens cost at most, where all of the prompt may go into a cache, for long or not.

        By the list or by the user's rates, whichever is more: the budget is kept if either is wrong.
        """
        kept: list[dict[str, int]] = [
            {},
            {"cache_write_tokens": prompt_tokens},
            {"cache_write_tokens": prompt_tokens, "cache_write_1h_tokens": prompt_tokens},
        ]
        usages = [Usage(input_tokens=prompt_tokens, output_tokens=completion_tokens, **written) for written in kept]
        costs = [cost for usage in usages if (cost := self._listed(usage)) is not None]
        if self._rates is not None:
            costs.append(self._rates.cost(prompt_tokens, completion_tokens))
        if not costs:
            raise UsageError(
                f"what the model {self._model.model_name!r} of {self._model.system!r} costs is not known, so that no "
                "budget can be kept; say it (--price: US dollars for a million tokens of prompts, and of answers, "
                "such as 0.15,0.60, or 0,0 for a server of your own)"
            )
        return max(costs)

    def _listed(self, usage: Usage) -> Decimal | None:
        """What the usage costs by the public list; nothing in it does not tell what is free from what is not known."""
        name, now = self._model.model_name, datetime.now(UTC)
        for url, provider in ((self._model.base_url, None), (None, self._model.system)):
            if url or provider:
                with suppress(LookupError):
                    return get_snapshot().calc(usage, name, provider, url, now).total_price or None
        return None

    def of(self, response: ModelResponse) -> Decimal | None:
        """What a response has cost; `None` if it does not tell."""
        usage = response.usage
        if not usage.total_tokens:
            return None
        if self._rates is not None:
            return self._rates.cost(usage.input_tokens, usage.output_tokens)
        try:
            return response.cost().total_price or None
        except (LookupError, ValueError, AssertionError):
            return None


def _amount(text: str) -> Decimal | None:
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def _costs(entries: Mapping[str, _Entry]) -> Costs:
    settled = [entry.amount for entry in entries.values() if entry.settled]
    reserved = [entry.amount for entry in entries.values() if not entry.settled]
    return Costs(spent=sum(settled, _NOTHING), reserved=sum(reserved, _NOTHING))
