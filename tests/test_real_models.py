"""What keeps a cell of a real model from being verified: said before anything is started, and never a failure."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from harness import real_models
from harness.backend import load_backend
from harness.bundled import default_backend
from harness.command.child import arguments, environment
from harness.config import Config, resolve
from harness.engine import Engine, NotVerified
from harness.errors import ConfigurationError, EnvironmentMissing, UsageError
from harness.providers.cassette import cassette_path
from harness.providers.live import LiveProvider
from harness.providers.recorded import RecordedProvider
from harness.scenario import Cell, Message, ModelTier, PoolState, Scenario, SessionMode, TokenUsage, ToolPlan

KEY = "sk-0123456789abcdef0123"
CHOSEN = Scenario(
    name="free",
    question="?",
    messages=(Message(plan=ToolPlan(rounds=(), usages=(), chosen=True)),),
    pool_states={SessionMode.PER_OPERATION: (PoolState.WARM,)},
    tiers=(ModelTier.RECORDED, ModelTier.LOCAL, ModelTier.LIVE),
)
SCRIPTED = replace(
    CHOSEN,
    messages=(Message(plan=ToolPlan(rounds=(), usages=(TokenUsage(prompt_tokens=1, completion_tokens=1),))),),
)
LIVE = Config(
    backend=default_backend(), tiers=(ModelTier.LIVE,), model="openai-chat:gpt-4o-mini", budget=Decimal("0.50")
)


def cell(tier: ModelTier, scenario: Scenario = CHOSEN) -> Cell:
    """One cell."""
    return Cell(scenario=scenario, mode=SessionMode.PER_OPERATION, pool_state=PoolState.WARM, tier=tier)


def planned(config: Config, scenario: Scenario = CHOSEN) -> dict[str, str]:
    """Why each cell cannot be verified, by tier; empty if it can be."""
    engine = Engine(backend=load_backend(default_backend()), config=config)
    return {
        name.rpartition("-")[2]: each.document.reason if isinstance(each, NotVerified) else ""
        for name, each in engine.plan(scenario)
    }


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"model": None}, "needs the name of a model (--model)"),
        ({"budget": None}, "no budget is given for the model 'openai-chat:gpt-4o-mini'"),
        ({"budget": Decimal(0)}, "a budget is US dollars above zero"),
        ({}, "no key for the provider 'openai-chat': set OPENAI_API_KEY"),
        ({"model": "openai-chat:mine"}, "no key for the provider"),
    ],
)
def test_without_model_budget_or_key_nothing_is_verified(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, object], reason: str
) -> None:
    """It says what is missing."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    assert reason in planned(replace(LIVE, **changed))["live"]  # type: ignore[arg-type]  # one type for each


def test_with_all_three_it_can_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And its provider is of that model, with the costs in the file of the run."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    assert planned(LIVE)["live"] == ""
    assert isinstance(real_models.provider_for(cell(ModelTier.LIVE), LIVE, purse=tmp_path / "costs"), LiveProvider)


def test_nothing_is_paid_that_nobody_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that another run may have used is no purse either, so there is no usual one."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    with pytest.raises(UsageError, match="nobody counts what the requests of the tier 'live' cost"):
        real_models.provider_for(cell(ModelTier.LIVE), LIVE)


def test_a_model_without_a_public_price_needs_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of one's own costs nothing, and says so."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    own = replace(LIVE, model="openai-chat:mine", base_url="http://127.0.0.1:9/v1")

    assert "costs is not known" in planned(own)["live"]
    assert planned(replace(own, price=(Decimal(0), Decimal(0))))["live"] == ""


def test_what_is_not_asked_for_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor told."""
    monkeypatch.setattr(real_models, "missing_for", None)

    assert set(planned(Config(backend=default_backend(), tiers=(ModelTier.WIRE,))).values()) == {""}


def test_without_its_packages_the_local_model_is_not_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason says how to get them."""

    def find_weights() -> Path:
        raise EnvironmentMissing("its server, the package 'xllamacpp', is not installed: pip install it")

    monkeypatch.setattr(real_models, "find_weights", find_weights)

    assert "pip install it" in planned(Config(backend=default_backend(), tiers=(ModelTier.LOCAL,)))["local"]


def test_recordings_are_of_one_backend(tmp_path: Path) -> None:
    """Those that come with the scenarios are of the reference backend; one's own are in a folder."""
    config = Config(backend="shop.verification:backend", tiers=(ModelTier.RECORDED,))

    assert "are of the reference backend, and not of 'shop.verification:backend'" in planned(config)["recorded"]
    own = planned(replace(config, cassettes=tmp_path))["recorded"]
    assert f"the recordings that are in {str(tmp_path)!r} have none of 'free', per_operation and warm" in own


def test_a_recording_that_cannot_be_read_is_wrong_usage(tmp_path: Path) -> None:
    """Before anything runs."""
    path = cassette_path(tmp_path, "free", SessionMode.PER_OPERATION, PoolState.WARM)
    path.parent.mkdir(parents=True)
    path.write_text("{", encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"per_operation-warm\.json"):
        planned(Config(backend=default_backend(), tiers=(ModelTier.RECORDED,), cassettes=tmp_path))


def test_what_cannot_be_played_back_is_not_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is said before the model is asked."""
    monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)

    with pytest.raises(UsageError, match="the model 'deepseek:deepseek-chat' cannot be recorded"):
        planned(replace(LIVE, model="deepseek:deepseek-chat", record=tmp_path))


@pytest.mark.parametrize(
    ("tier", "scenario", "reason"),
    [
        (ModelTier.WIRE, CHOSEN, "the model of the tier 'wire' does what its script says, and the scenario has no"),
        (ModelTier.LOCAL, SCRIPTED, "the model of the tier 'local' decides by itself what it calls, and the scenario"),
    ],
)
def test_a_script_is_for_models_that_follow_one(tier: ModelTier, scenario: Scenario, reason: str) -> None:
    """A scenario from a file can say anything."""
    assert reason in real_models.missing_for(cell(tier, scenario), Config(backend=default_backend()))


def test_recorded_cells_are_played_as_the_configuration_says(tmp_path: Path) -> None:
    """From its folder; there is none without a recording."""
    config = Config(backend=default_backend(), cassettes=tmp_path)

    with pytest.raises(EnvironmentMissing):
        real_models.provider_for(cell(ModelTier.RECORDED), config, purse=tmp_path / "costs")
    path = cassette_path(tmp_path, "free", SessionMode.PER_OPERATION, PoolState.WARM)
    path.parent.mkdir(parents=True)
    path.touch()
    provider = real_models.provider_for(cell(ModelTier.RECORDED), config, purse=tmp_path / "costs")
    assert isinstance(provider, RecordedProvider)


def test_settings_of_real_models_reach_the_process(tmp_path: Path) -> None:
    """Each is in its arguments as it was given."""
    given = {
        "model": "openai-chat:mine",
        "base_url": "http://127.0.0.1:9/v1",
        "budget": "0.50",
        "price": "0.15,0.60",
        "record": str(tmp_path / "new"),
        "cassettes": str(tmp_path / "old"),
        "recorded_timing": "true",
        "tiers": "recorded,live",
    }
    config = resolve(given, environment={}, directory=tmp_path)

    told = arguments(config, output=tmp_path, events=tmp_path / "events", workers=0)

    assert {
        "--sessionproof-model=openai-chat:mine",
        "--sessionproof-budget=0.50",
        "--sessionproof-price=0.15,0.60",
        f"--sessionproof-record={tmp_path / 'new'}",
        f"--sessionproof-cassettes={tmp_path / 'old'}",
        "--sessionproof-recorded-timing",
    } <= set(told)
    assert not any("127.0.0.1" in word for word in told)  # it can hold a password, and everybody can read these
    assert environment(config, {}, directory=tmp_path)["SESSIONPROOF_BASE_URL"] == "http://127.0.0.1:9/v1"
    assert "127.0.0.1" not in repr(config)


@pytest.mark.parametrize(
    ("setting", "value", "tier"),
    [
        ("model", "openai:gpt-4o", "live"),
        ("base_url", "http://127.0.0.1:9/v1", "live"),
        ("budget", "1", "live"),
        ("price", "0,0", "live"),
        ("record", "new", "local"),
        ("cassettes", "old", "recorded"),
        ("recorded_timing", "true", "recorded"),
    ],
)
def test_what_no_tier_has_a_use_for_is_wrong_usage(setting: str, value: str, tier: str, tmp_path: Path) -> None:
    """Or a user believes that a real model was verified. In the environment it is for the runs that use it."""
    with pytest.raises(ConfigurationError, match=rf"{setting}.* is for the model tier '{tier}'.* add --tier {tier}"):
        resolve({setting: value, "tiers": "wire"}, environment={}, directory=tmp_path)
    assert resolve({setting: value, "tiers": tier}, environment={}, directory=tmp_path).has_use_for(setting)
    usual = resolve({"tiers": "wire"}, environment={f"SESSIONPROOF_{setting.upper()}": value}, directory=tmp_path)
    told = arguments(usual, output=tmp_path, events=tmp_path / "events", workers=0)
    assert not any(word.startswith(f"--sessionproof-{setting.replace('_', '-')}") for word in told)


def test_whether_recordings_can_be_written_is_tried_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before a turn is paid for."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match=r"recordings cannot be written to .*name another folder"):
        planned(replace(LIVE, record=tmp_path / "file" / "below"))
    assert planned(replace(LIVE, record=tmp_path / "new"))["live"] == ""
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("price", "0.15", "expected the US dollars for a million tokens"),
        ("price", "", "expected the US dollars for a million tokens"),
        ("price", "1,2,3", "expected the US dollars for a million tokens"),
        ("price", "-1,2", "expected a number of US dollars from 0"),
        ("price", "cheap,dear", "expected a number of US dollars"),
        ("price", "NaN,1", "expected a number of US dollars from 0"),
        ("budget", "-1", "expected a number of US dollars from 0"),
        ("budget", "much", "expected a number of US dollars"),
    ],
)
def test_what_is_no_money_is_wrong_usage(setting: str, value: str, reason: str, tmp_path: Path) -> None:
    """Rather than a run that costs something else."""
    with pytest.raises(ConfigurationError, match=reason):
        resolve({setting: value, "tiers": "live"}, environment={}, directory=tmp_path)


def test_prices_are_as_they_are_typed(tmp_path: Path) -> None:
    """Of prompts, and of answers."""
    config = resolve({"price": "0.15, 0.60", "tiers": "live"}, environment={}, directory=tmp_path)

    assert config.price == (Decimal("0.15"), Decimal("0.60"))
