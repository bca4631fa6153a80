"""What JSON calls a field is found: in requests, in answers, in what is made up, and in what a constructor takes."""

import pytest

from tests.adoption.conftest import Surveyed

AGENT = "from pydantic_ai import Agent\nhelper = Agent('test')\n"
WEB = (
    AGENT
    + """
from typing import Annotated
from fastapi import Body, FastAPI
from pydantic import AliasChoices, AliasGenerator, AliasPath, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel, to_pascal
app = FastAPI()
"""
)
ROUTE = """
@app.post("/chat")
async def chat(body: Ask) -> Reply:
    answered = await helper.run(body.message)
    return Reply(answer=answered.output, bill_id="1")
"""
REPLY = """
class Reply(BaseModel):
    answer: str
    bill_id: str
"""

REQUESTS = {
    "an alias": ("    message: str = Field(alias='messageText')", "messageText"),
    "one for reading alone": ("    message: str = Field(alias='a', validation_alias='text')", "text"),
    "one for writing alone": ("    message: str = Field(serialization_alias='text')", "message"),
    "the first of several": ("    message: str = Field(validation_alias=AliasChoices(AliasPath('a', 0), 'b'))", "b"),
    "one in the annotation": ("    message: Annotated[str, Field(alias='text')]", "text"),
    "a generator": ("    model_config = ConfigDict(alias_generator=to_pascal)\n    message: str", "Message"),
    "one of the project's": (
        "    model_config = {'alias_generator': snake_to_camel}\n    message: str\n    user_id: str = 'u'",
        "message",
    ),
    "a generator for writing": (
        "    model_config = ConfigDict(alias_generator=AliasGenerator(serialization_alias=to_camel))\n    message: str",
        "message",
    ),
    "one that says nothing": ("    model_config = ConfigDict(alias_generator=str.upper)\n    message: str", "message"),
    "an alias that is not read": (
        "    model_config = ConfigDict(validate_by_alias=False)\n    message: str = Field(alias='text')",
        "message",
    ),
}


@pytest.mark.parametrize(("fields", "sent_as"), REQUESTS.values(), ids=REQUESTS)
def test_a_request_calls_a_field_by_its_alias(surveyed: Surveyed, fields: str, sent_as: str) -> None:
    """Where the class reads by one; else by its own name."""
    found = surveyed(web=f"{WEB}\nclass Ask(BaseModel):\n{fields}\n{REPLY}{ROUTE}")

    (route,) = found.routes
    assert route.body[0].fields is not None
    first = route.body[0].fields[0]
    assert (first.name, first.sent_as or first.name) == ("message", sent_as)


ANSWERS = {
    "its own names": ("    answer: str\n    bill_id: str", "", "answer", "bill_id"),
    "a generator": (
        "    model_config = ConfigDict(alias_generator=to_camel)\n    answer: str\n    bill_id: str",
        "",
        "answer",
        "billId",
    ),
    "inherited": (
        "    reply_text: str\n    answer: str = Field(alias='said')\n    bill_id: str",
        "",
        "said",
        "bill_id",
    ),
    "not by alias": (
        "    answer: str = Field(alias='said')\n    bill_id: str",
        ", response_model_by_alias=False",
        "answer",
        "bill_id",
    ),
    "for reading alone": (
        "    answer: str = Field(validation_alias='said')\n    bill_id: str",
        "",
        "answer",
        "bill_id",
    ),
}


@pytest.mark.parametrize(("fields", "option", "text", "bill"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_read_by_its_aliases(surveyed: Surveyed, fields: str, option: str, text: str, bill: str) -> None:
    """As FastAPI writes it, unless it is told not to."""
    route = ROUTE.replace('"/chat"', f'"/chat"{option}')
    found = surveyed(web=f"{WEB}\nclass Ask(BaseModel):\n    message: str\nclass Reply(BaseModel):\n{fields}\n{route}")

    returned = found.routes[0].returned
    assert (returned.text, returned.bill) == (text, bill)


def test_a_function_s_answer_is_read_by_its_own_names(surveyed: Surveyed) -> None:
    """An object has attributes, whatever JSON calls them."""
    model = "class Reply(BaseModel):\n    answer: str = Field(alias='said')\n"
    found = surveyed(web=f"{WEB}{model}async def ask(message: str) -> Reply:\n    await helper.run(message)\n")

    assert found.entries[0].returned.text == "answer"


def test_what_is_made_up_has_the_names_of_json(surveyed: Surveyed) -> None:
    """A model in a model, and a single value of a body."""
    models = """
class Place(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)
    post_code: str
class Ask(BaseModel):
    message: str
    place: Place
"""
    found = surveyed(
        web=f"{WEB}{models}{REPLY}"
        + ROUTE.replace("body: Ask", "body: Ask, tone: Annotated[str, Body(alias='theTone')]")
    )

    whole, tone = found.routes[0].body
    assert whole.fields is not None
    assert whole.fields[1].example == {"postCode": "example"}
    assert tone.value.sent_as == "theTone"
