"""A method that runs an agent for a text is a way in, of an object that is there or of one that is made for it."""

import pytest

from harness.adoption.adapter import write_adapter
from harness.adoption.choice import Wanted, choose
from tests.adoption.conftest import Surveyed
from tests.adoption.test_written_code import PARTS, formatted

CHAT = PARTS["agent"] + PARTS["engine"] + "from sqlalchemy.ext.asyncio import AsyncSession\n"
SERVICE = """
class Service:
    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self.sessions = sessions

    async def answer(self, text: str) -> str:
        return (await helper.run(text)).output
"""
OF_SESSION = SERVICE.replace("sessions: async_sessionmaker[AsyncSession]", "session: AsyncSession").replace(
    "self.sessions = sessions", "self.session = session"
)
DESK = """
class Desk:
    def __init__(self, service: Service) -> None:
        self.service = service

    async def say(self, text: str) -> str:
        return (await helper.run(text)).output
"""

FOUND = {
    "of an object": (SERVICE + "service = Service(Sessions)\n", ["service.answer"], ""),
    "of a class": (SERVICE, ["Service.answer"], "chat.Service"),
    "a static one": (
        "class Service:\n    @staticmethod\n    async def answer(text: str) -> str:\n        await helper.run(text)\n",
        ["Service.answer"],
        "",
    ),
}


@pytest.mark.parametrize(("text", "paths", "owner"), FOUND.values(), ids=FOUND)
def test_methods_are_entries(surveyed: Surveyed, text: str, paths: list[str], owner: str) -> None:
    """By the object's name, where a module has one; else by the class, of which one is to be made."""
    found = surveyed(chat=CHAT + text).entries

    assert [each.path for each in found] == paths
    assert {each.owner for each in found} == {owner}


LOOK_ALIKES = {
    "a private one": SERVICE.replace("def answer", "def _answer"),
    "a tool": SERVICE.replace("self, text", "self, ctx: RunContext[None], text"),
    "one in pieces": SERVICE.replace(
        "        return (await helper.run(text)).output", "        yield (await helper.run(text))"
    ),
    "one of a class in a function": "def make():\n" + SERVICE.replace("\n", "\n    "),
    "one that runs no agent": SERVICE.replace("await helper.run(text)", "text"),
    "one that is given no text": SERVICE.replace("text", "number"),
}


@pytest.mark.parametrize("text", LOOK_ALIKES.values(), ids=LOOK_ALIKES)
def test_other_methods_are_none(surveyed: Surveyed, text: str) -> None:
    """What nobody else calls, what an agent calls, and what gives no whole answer."""
    assert surveyed(chat=CHAT + text).entries == []


def test_a_function_goes_before_methods(surveyed: Surveyed) -> None:
    """They are no candidates beside it, but may be named."""
    function = "async def ask(text: str) -> str:\n    return (await helper.run(text)).output\n"
    found = surveyed(chat=CHAT + SERVICE + function)

    chosen, named = choose(found, Wanted(), None).entry, choose(found, Wanted(entry="Service.answer"), None).entry
    assert chosen is not None
    assert named is not None
    assert (chosen.path, named.path) == ("ask", "Service.answer")


WRITTEN = {
    "an object": (SERVICE + "service = Service(Sessions)\n", "answer = await service.answer(text=request.message)", ""),
    "made once": (
        SERVICE,
        "answer = await self.service.answer(text=request.message)",
        "            service = Service(sessions=Sessions)\n            yield",
    ),
    "made for each message": (
        OF_SESSION,
        """\
                service = Service(session=session)
                answer = await service.answer(text=request.message)
""",
        "async with Sessions() as session:",
    ),
    "made with what is made for each message": (
        OF_SESSION
        + "class Desk:\n    def __init__(self, service: Service) -> None:\n        self.service = service\n\n"
        "    async def say(self, text: str) -> str:\n        return (await helper.run(text)).output\n",
        "service = Desk(service=Service(session=session))",
        "async with Sessions() as session:",
    ),
}


@pytest.mark.parametrize(("text", "first", "second"), WRITTEN.values(), ids=WRITTEN)
def test_the_method_is_called(
    surveyed: Surveyed, text: str, first: str, second: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """On an object that is made as all is started, but for what only a message has."""
    found = surveyed(chat=CHAT + text)
    wanted = Wanted(entry="Desk.say" if "Desk" in text else "")

    written = write_adapter(found, choose(found, wanted, None), project="shop").text

    assert first in written
    assert second in written
    assert formatted(written, tmp_path_factory.mktemp("written")) == ""
