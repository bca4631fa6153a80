"""Which provider a word or a URL stands for, and what is said about the choice."""

from pathlib import Path

import pytest

from harness.errors import ConfigurationError, EnvironmentMissing
from harness.postgres import choose, probe

IMAGE = "sessionproof/not-there:at-all"


@pytest.fixture
def engine_location(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place where no Docker engine answers."""
    location = f"unix://{tmp_path / 'docker.sock'}"
    monkeypatch.setenv("DOCKER_HOST", location)
    return location


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ("auto", "auto"),
        ("container", "container"),
        ("embedded", "embedded"),
        ("postgres://me@host/x", "external"),
    ],
)
def test_each_word_stands_for_a_provider(spec: str, kind: str) -> None:
    """Three words, and any PostgreSQL URL."""
    assert choose(spec).kind == kind


def test_other_words_are_refused() -> None:
    """The message lists what is understood."""
    with pytest.raises(ConfigurationError, match="'docker'; expected auto, container, embedded, or a URL"):
        choose("docker")


async def test_auto_takes_embedded_and_says_why(engine_location: str) -> None:
    """Without an engine the embedded server runs, and the reason names where an engine was looked for."""
    server = choose("auto")
    running = await server.start()
    kind = server.kind
    await server.stop()

    assert running.kind == kind == "embedded"
    assert running.reason.startswith(f"auto: no Docker engine answered at {engine_location}")
    assert running.reason.endswith("; embedded PostgreSQL is used")


async def test_a_container_without_an_engine_is_missing_environment(engine_location: str) -> None:
    """A container that was asked for is never replaced."""
    with pytest.raises(EnvironmentMissing, match=f"no Docker engine answered at {engine_location}"):
        await choose("container").start()


async def test_probes_tell_what_is_missing_and_how_to_get_it(engine_location: str) -> None:
    """Each thing that was not found comes with a remedy, and the last line says what would be used."""
    docker, image, programs, room, auto = await probe(image=IMAGE)

    assert (docker.name, docker.found) == ("Docker engine", False)
    assert "DOCKER_HOST" in docker.remedy
    assert (image.found, image.detail) == (False, f"{IMAGE}: no engine to ask")
    assert programs.found
    assert "PostgreSQL) 18" in programs.detail
    assert room.found
    assert (auto.found, auto.detail) == (True, "would use embedded PostgreSQL")
