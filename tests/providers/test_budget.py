"""The budget: nothing is sent that could pass it, whoever spends from it."""

import asyncio
import json
import multiprocessing
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from harness.errors import BudgetExceededError, MissingEvidence, UsageError
from harness.providers.budget import ANSWER_TOKENS, Budget, BudgetModel, Costs, Rates, budget_of, check_price

RATES = Rates(prompt=Decimal(1), completion=Decimal(2))


class Asked:
    """A model that counts how often it is asked, and with which settings; a `late` error comes in a streamed answer."""

    def __init__(
        self,
        name: str = "gpt-4o",
        error: BaseException | None = None,
        usage: RequestUsage | None = None,
        *,
        late: bool = False,
    ) -> None:
        self.settings: list[ModelSettings] = []
        self.error = error
        self.late = late
        self.usage = usage or RequestUsage(input_tokens=100, output_tokens=10)
        self.model = FunctionModel(self._answer, stream_function=self._stream, model_name=name)

    async def _answer(self, _: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.settings.append(info.model_settings or {})
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return ModelResponse([TextPart("Hello.")], usage=self.usage)

    async def _stream(self, _: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        self.settings.append(info.model_settings or {})
        if self.error is not None and not self.late:
            raise self.error
        yield "Hello."
        if self.error is not None:
            raise self.error


async def ask(model: BudgetModel, *, stream: bool = False) -> None:
    agent = Agent(model)
    if not stream:
        await agent.run("Hello?")
        return
    async with agent.run_stream("Hello?") as run:
        await run.get_output()


class UnreachableError(Exception):
    """As Pydantic AI's own: there was no connection."""

    phase = "connect"


async def read_and_fail(model: BudgetModel, error: Exception, *, whole: bool) -> None:
    """Read an answer, or the first of it, and then fail."""
    async with model.request_stream([], None, _parameters()) as stream:
        async for _ in stream:
            if not whole:
                break
        raise error


@pytest.fixture(params=[False, True], ids=["plain", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def test_a_request_that_can_pass_the_budget_is_not_sent(tmp_path: Path, stream: bool) -> None:
    """The refusal says what it could cost, and what is left."""
    asked, budget = Asked("none"), Budget(Decimal("0.0001"), tmp_path / "budget.json")

    with pytest.raises(
        BudgetExceededError, match=r"it can cost 0\.01\d+ US dollars, and 0\.0001 of the budget of 0\.0001"
    ):
        await ask(BudgetModel(asked.model, budget, rates=RATES), stream=stream)

    assert asked.settings == []
    assert budget.spent == 0


async def test_what_is_spent_is_what_it_cost(tmp_path: Path) -> None:
    """As the user says; as listed, where it is (`test_live`)."""
    budget = Budget(Decimal(1), tmp_path / "budget.json")

    await ask(BudgetModel(Asked("none").model, budget, rates=RATES))

    assert budget.spent == Decimal("0.00012")


async def test_requests_stop_before_the_budget_is_passed(tmp_path: Path) -> None:
    """However many there are."""
    asked, budget = Asked("none"), Budget(Decimal("0.0115"), tmp_path / "budget.json")
    model = BudgetModel(asked.model, budget, rates=RATES)

    async def ask_on() -> None:
        for _ in range(1000):
            await ask(model)

    with pytest.raises(BudgetExceededError):
        await ask_on()

    assert 0 < len(asked.settings) < 1000
    assert budget.spent <= budget.limit


async def test_requests_at_the_same_time_spend_from_one_purse(tmp_path: Path) -> None:
    """What one may cost is set aside before the next is sent."""
    asked, budget = Asked("none"), Budget(Decimal("0.025"), tmp_path / "budget.json")
    model = BudgetModel(asked.model, budget, rates=RATES)

    results = await asyncio.gather(*[ask(model) for _ in range(5)], return_exceptions=True)

    assert {type(result) for result in results} == {type(None), BudgetExceededError}
    assert budget.spent <= budget.limit


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (ModelHTTPError(401, "none"), False),
        (ModelHTTPError(429, "none"), False),
        (UnreachableError(), False),
        (RuntimeError("the connection broke"), True),
    ],
)
async def test_a_request_that_failed_may_have_cost_the_most(
    tmp_path: Path, error: Exception, kept: bool, stream: bool
) -> None:
    """Unless it was refused."""
    budget = Budget(Decimal(1), tmp_path / "budget.json")

    with pytest.raises(type(error)):
        await ask(BudgetModel(Asked("none", error).model, budget, rates=RATES), stream=stream)

    assert (budget.spent > Decimal("0.01")) is kept


async def test_a_streamed_answer_costs_what_it_tells_at_its_end(tmp_path: Path) -> None:
    """Also if its reader fails then."""
    budget = Budget(Decimal(1), tmp_path / "budget.json")
    model = BudgetModel(Asked("none").model, budget, rates=RATES)

    await ask(model, stream=True)
    once = budget.spent
    with pytest.raises(KeyError):
        await read_and_fail(model, KeyError("of the reader"), whole=True)

    assert 0 < once < budget.spent < Decimal("0.001")


async def test_a_stream_that_is_left_may_have_cost_the_most(tmp_path: Path) -> None:
    """The tokens that it told until then are those of a part."""
    budget = Budget(Decimal(1), tmp_path / "budget.json")
    model = BudgetModel(Asked("none").model, budget, rates=RATES)

    async with model.request_stream([], None, _parameters()) as stream:
        async for _ in stream:
            break

    assert stream.get().usage.total_tokens > 0
    assert budget.spent > Decimal("0.01")


@pytest.mark.parametrize("error", [ModelHTTPError(429, "another"), UnreachableError()])
async def test_what_its_reader_raises_is_no_refusal(tmp_path: Path, error: Exception) -> None:
    """A tool that asks another model may fail as the request itself does, and this answer was served all the same."""
    budget = Budget(Decimal(1), tmp_path / "budget.json")

    with pytest.raises(type(error)):
        await read_and_fail(BudgetModel(Asked("none").model, budget, rates=RATES), error, whole=False)

    assert budget.spent > Decimal("0.01")


async def test_what_is_refused_in_the_middle_of_an_answer_was_served_so_far(tmp_path: Path) -> None:
    """Nobody knows what that cost."""
    budget = Budget(Decimal(1), tmp_path / "budget.json")
    asked = Asked("none", ModelHTTPError(429, "none"), late=True)

    with pytest.raises(ModelHTTPError):
        await ask(BudgetModel(asked.model, budget, rates=RATES), stream=True)

    assert budget.spent > Decimal("0.01")


@pytest.mark.parametrize(
    ("rates", "higher"),
    [
        (Rates(prompt=Decimal(0), completion=Decimal(0)), "listed"),
        (Rates(prompt=Decimal(1000), completion=Decimal(1000)), "given"),
    ],
    ids=["cheap", "dear"],
)
async def test_the_higher_price_is_reserved(tmp_path: Path, rates: Rates, higher: str) -> None:
    """Whichever of the two is wrong, the budget is kept."""
    reserved = {}
    for name, given in (("listed", None), ("given", rates)):
        budget = Budget(Decimal(1000), tmp_path / f"{name}.json")
        model = BudgetModel(_Listed(Asked(error=RuntimeError("broken")).model), budget, rates=given)
        with pytest.raises(RuntimeError):
            await ask(model)
        reserved[name] = budget.spent

    assert reserved["listed"] > 0
    assert (reserved["given"] > reserved["listed"]) is (higher == "given")
    assert (reserved["given"] == reserved["listed"]) is (higher == "listed")


async def test_an_answer_that_does_not_tell_its_tokens_may_have_cost_the_most(tmp_path: Path) -> None:
    """It is not taken for free."""
    budget = Budget(Decimal(1), tmp_path / "budget.json")
    asked = Asked("none", usage=RequestUsage())

    await BudgetModel(_Silent(asked.model), budget, rates=RATES).request([], None, _parameters())

    assert budget.spent > Decimal("0.01")


async def test_answers_are_limited_and_not_asked_for_again(tmp_path: Path, stream: bool) -> None:
    """An application's own limit stands."""
    asked = Asked("none")
    model = BudgetModel(asked.model, Budget(Decimal(1), tmp_path / "budget.json"), rates=RATES)

    await ask(model, stream=stream)
    own: Any = {"max_tokens": 7, "max_retries": 3}
    await Agent(model, model_settings=own).run("Hello?")

    assert [settings.get("max_tokens") for settings in asked.settings] == [ANSWER_TOKENS, 7]
    assert all("max_retries" not in settings for settings in asked.settings)


def test_a_model_without_a_price_needs_rates() -> None:
    """Nobody can keep a budget otherwise; models that are listed without a price are such, too."""
    with pytest.raises(UsageError, match="what the model 'none' of 'function' costs is not known"):
        check_price(Asked("none").model)

    check_price(Asked("none").model, RATES)
    check_price(Asked("none").model, Rates(prompt=Decimal(0), completion=Decimal(0)))


@pytest.mark.parametrize("text", ["0", "-1", "0.00", "", "much", "NaN", "Infinity", "1,5"])
def test_no_budget(text: str) -> None:
    """Nothing can be bought for it."""
    with pytest.raises(UsageError, match="a budget is US dollars above zero"):
        budget_of(text)


def test_budgets_and_rates() -> None:
    """A budget as it is typed, and rates that may be nothing."""
    assert budget_of(" 0.50 ") == Decimal("0.50")
    assert Rates(prompt=Decimal(0), completion=Decimal(0)).cost(10**9, 10**9) == 0


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"a": "1"}', '{"a": {"amount": "much"}}', '{"a": {"amount": "NaN"}}']
)
def test_what_cannot_be_read_is_no_empty_purse(tmp_path: Path, content: str) -> None:
    """Nothing more is spent when it is not known what was."""
    file = tmp_path / "budget.json"
    file.write_text(content, encoding="utf-8")

    with pytest.raises(BudgetExceededError, match="cannot be used"):
        Budget(Decimal(1), file).reserve(Decimal("0.1"))
    with pytest.raises(MissingEvidence, match="cannot be read"):
        Budget(Decimal(1), file).costs()


def test_costs_are_told_from_what_is_reserved(tmp_path: Path) -> None:
    """To the last digit, by any process of the run; before the first request there are none."""
    file = tmp_path / "budget.json"
    budget = Budget(Decimal(1), file)
    before = budget.costs()

    budget.settle(budget.reserve(Decimal("0.5")), Decimal("0.0000012"))
    budget.reserve(Decimal("0.25"))

    assert before == Costs()
    assert Budget(Decimal(1), file).costs() == Costs(spent=Decimal("0.0000012"), reserved=Decimal("0.25"))
    assert budget.spent == Decimal("0.2500012")


def _spend(file: Path, barrier: Any) -> None:
    budget = Budget(Decimal(1), file)
    barrier.wait()
    for _ in range(40):
        try:
            budget.settle(budget.reserve(Decimal("0.02")), Decimal("0.01"))
        except BudgetExceededError:
            return


@pytest.mark.processes
def test_processes_spend_from_one_purse(tmp_path: Path) -> None:
    """Their sum does not pass the budget, and nothing of it is lost."""
    file, context = tmp_path / "budget.json", multiprocessing.get_context("spawn")
    barrier = context.Barrier(3)
    processes = [context.Process(target=_spend, args=(file, barrier)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert Decimal("0.97") <= Budget(Decimal(1), file).spent <= 1
    assert len(json.loads(file.read_text(encoding="utf-8"))) == 99


class _Silent(WrapperModel):
    """A model whose answers do not tell what they used."""

    async def request(self, *_: Any) -> ModelResponse:
        return ModelResponse([TextPart("Hello.")])


class _Listed(WrapperModel):
    """A model of a provider whose prices are listed."""

    @property
    def system(self) -> str:
        return "openai"


def _parameters() -> ModelRequestParameters:
    return ModelRequestParameters()
