"""What a client asks for, as far as the local provider reads it: bodies and queries of OpenAI's API.

Source: https://platform.openai.com/docs/api-reference/chat (create, list).
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from harness.providers.script import Said

__all__ = ["Asked", "Listing", "summary_of"]


class _Part(BaseModel):
    type: str
    text: str = ""


class _Message(BaseModel):
    role: str
    content: str | list[_Part] | None = None

    @property
    def said(self) -> Said:
        parts = self.content if isinstance(self.content, list) else [_Part(type="text", text=self.content or "")]
        return Said(
            by_model=self.role == "assistant",
            text="\n".join(part.text for part in parts if part.type == "text"),
        )


class _Function(BaseModel):
    name: str


class _Tool(BaseModel):
    function: _Function | None = None


class _StreamOptions(BaseModel):
    include_usage: bool = False


class Asked(BaseModel):
    """A request for a completion."""

    model: str
    messages: list[_Message] = Field(min_length=1)
    tools: list[_Tool] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    store: bool | None = None
    metadata: dict[str, str] | None = None

    @property
    def conversation(self) -> list[Said]:
        """What the user and the model said so far."""
        return [message.said for message in self.messages if message.role in {"user", "assistant"}]

    @property
    def offered(self) -> frozenset[str]:
        """The names of the tools that the model may call."""
        return frozenset(tool.function.name for tool in self.tools or () if tool.function is not None)

    @property
    def include_usage(self) -> bool:
        """Whether a stream is to end with its usage."""
        return self.stream_options is not None and self.stream_options.include_usage


class Listing(BaseModel):
    """A request for a page of stored completions."""

    limit: int = Field(20, ge=1, le=100)
    after: str | None = None
    order: Literal["asc", "desc"] = "asc"
    model: str | None = None
    metadata: dict[str, str]

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Listing":
        """Read from a query such as `metadata[key]=value&limit=2`; raises pydantic's `ValidationError`."""
        wanted = {
            key.removeprefix("metadata[").removesuffix("]"): value
            for key, value in query.items()
            if key.startswith("metadata[") and key.endswith("]")
        }
        return cls.model_validate({**query, "metadata": wanted})


def summary_of(error: ValidationError) -> str:
    """The first thing that is wrong, and where."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"]
