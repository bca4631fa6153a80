"""Right: the Session in the deps is one of `requests`; no database is anywhere near."""

from dataclasses import dataclass

import requests
from pydantic_ai import Agent, RunContext


@dataclass
class WeatherDeps:
    session: requests.Session
    base_url: str


forecaster = Agent(deps_type=WeatherDeps, name="forecaster")


@forecaster.tool
def temperature(ctx: RunContext[WeatherDeps], station: str) -> float:
    """The temperature at a station."""
    response = ctx.deps.session.get(f"{ctx.deps.base_url}/stations/{station}", timeout=5)
    response.raise_for_status()
    return response.json()["celsius"]


@forecaster.tool
def warnings(ctx: RunContext[WeatherDeps], region: str) -> list[str]:
    """Warnings for a region."""
    response = ctx.deps.session.get(f"{ctx.deps.base_url}/warnings", params={"region": region}, timeout=5)
    response.raise_for_status()
    return [warning["title"] for warning in response.json()]


def ask(question: str, model: object = "openai:gpt-5-mini") -> str:
    with requests.Session() as session:
        deps = WeatherDeps(session=session, base_url="https://weather.example.org")
        return forecaster.run_sync(question, deps=deps, model=model).output
