"""Which environment variables a project must find while it is imported.

Three things fail without them: `os.environ["NAME"]` in a module's body, fields without a default in a class of
settings (pydantic-settings) that a module makes, and agents whose model is named as they are made, which then ask for
a key. What may name a database (`harness.adoption.addresses`) is given a value of the adapter's in any case, so that
nothing can reach the user's own.
"""

import ast
import re
from collections.abc import Iterator, Mapping

from harness.adoption.addresses import NOWHERE, by_name, is_address, of_part
from harness.adoption.found import Placeholder
from harness.adoption.settings import is_settings, variables_of
from harness.adoption.tree import Tree, literal_text
from harness.adoption.uses import Uses
from harness.project.module import Module

__all__ = ["find_placeholders"]

_KEYS: Mapping[str, str] = {
    "anthropic": "ANTHROPIC_API_KEY",
    "cohere": "CO_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
    "gateway": "PYDANTIC_AI_GATEWAY_API_KEY",
    "google": "GOOGLE_API_KEY",
    "google-gla": "GOOGLE_API_KEY",
    "groq": "GROQ_API_KEY",
    "grok": "GROK_API_KEY",
    "huggingface": "HF_TOKEN",
    "mistral": "MISTRAL_API_KEY",
    "openai": "OPENAI_API_KEY",
    "openai-chat": "OPENAI_API_KEY",
    "openai-responses": "OPENAI_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "together": "TOGETHER_API_KEY",
    "xai": "XAI_API_KEY",
}
_CLASSES: Mapping[str, str] = {
    "pydantic_ai.models.anthropic.AnthropicModel": "anthropic",
    "pydantic_ai.models.google.GoogleModel": "google",
    "pydantic_ai.models.groq.GroqModel": "groq",
    "pydantic_ai.models.mistral.MistralModel": "mistral",
    "pydantic_ai.models.openai.OpenAIChatModel": "openai",
    "pydantic_ai.models.openai.OpenAIModel": "openai",
    "pydantic_ai.models.openai.OpenAIResponsesModel": "openai",
}
_ENVIRONMENT = frozenset({"os.environ", "os.environb"})
_LOOKS = frozenset({"os.environ.get", "os.environ.pop", "os.environ.setdefault", "os.getenv"})
_VARIABLE = re.compile(r"^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$")
_MODEL = re.compile(r"^([a-z][a-z-]*):[\w./:-]+$")


def find_placeholders(tree: Tree, uses: Uses) -> list[Placeholder]:
    """The variables, by name, each once; what may name a database is told before what must only be there."""
    found: dict[str, Placeholder] = {}
    for each in (*_keys(tree), *_read(tree, uses), *_of_settings(tree, uses)):
        known = found.get(each.name)
        if known is None or (each.forced and not known.forced):
            found[each.name] = each
    return sorted(found.values(), key=lambda each: (not each.forced, each.name))


def _keys(tree: Tree) -> Iterator[Placeholder]:
    """For every model that is named as Pydantic AI names them, or is made of a class of its."""
    for module in tree.modules:
        for node in ast.walk(module.tree):
            match = _MODEL.match(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
            if match is not None and match[1] in _KEYS:
                yield Placeholder(name=_KEYS[match[1]], value="not-used", place=tree.place(module, node))
    for called, provider in _CLASSES.items():
        for module, call, _ in tree.calls_of((called,)):
            yield Placeholder(name=_KEYS[provider], value="not-used", place=tree.place(module, call))


def _read(tree: Tree, uses: Uses) -> Iterator[Placeholder]:
    """What is read of the environment, with or without a default; only what must be there, or may name a database."""
    for module in tree.modules:
        for node in ast.walk(module.tree):
            name, default, needed = _variable(tree, module, node)
            if not name:
                continue
            place, used = tree.place(module, node), uses.expressions.get(node)
            address = by_name(name) or (of_part(used) if used is not None else None)
            if address is not None:
                is_url = address.value == NOWHERE
                yield Placeholder(name=name, value=address.value, place=place, forced=True, is_url=is_url)
            elif is_address(default):
                yield Placeholder(name=name, value=NOWHERE, place=place, forced=True, is_url=True)
            elif needed:
                yield Placeholder(name=name, value="1", place=place)


def _variable(tree: Tree, module: Module, node: ast.AST) -> tuple[str, str, bool]:
    """The variable that is read, its literal default, and whether it must be there; an empty name if none is."""
    match node:
        case ast.Subscript(value=value, slice=name) if tree.resolve(module, value) in _ENVIRONMENT:
            return _text(tree, module, name), "", isinstance(node.ctx, ast.Load)
        case ast.Call(func=called, args=[name, *rest]) if tree.resolve(module, called) in _LOOKS:
            return _text(tree, module, name), literal_text(rest[0]) if rest else "", False
        case ast.Call(args=[ast.Constant(value=str() as name), *_]) if _VARIABLE.match(name):
            # Others read the environment by functions of theirs: `config("DATABASE_URL")`, `env.str("DB_HOST")`.
            return (name, "", False) if by_name(name) is not None else ("", "", False)
    return "", "", False


def _text(tree: Tree, module: Module, node: ast.expr) -> str:
    """A literal text, or what a name of a module stands for."""
    if isinstance(node, ast.Name | ast.Attribute):
        there = tree.value(tree.resolve(module, node), module)
        return literal_text(there[1]) if there is not None else ""
    return literal_text(node)


def _of_settings(tree: Tree, uses: Uses) -> Iterator[Placeholder]:
    for class_ in tree.project.classes:
        if class_.module in tree.modules and is_settings(tree, class_):
            yield from variables_of(tree, class_, uses)
