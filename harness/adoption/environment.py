"""Which environment variables a project must find while it is imported.

Three things fail without them: `os.environ["NAME"]` in a module's body, fields without a default in a class of
settings (pydantic-settings) that a module makes, and agents whose model is named as they are made, which then ask for
a key. What may name a database is given a value of the adapter's in any case, so that nothing can reach the user's
own.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from harness.adoption.found import Kind, Parameter, Placeholder
from harness.adoption.parameters import fields_of
from harness.adoption.tree import Tree, keyword, literal_text
from harness.project.classes import Class
from harness.project.module import Module

__all__ = ["NOWHERE", "find_placeholders", "find_settings", "is_database"]

NOWHERE = "postgresql+asyncpg://nobody@127.0.0.1:1/nowhere"
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
_DATABASE = re.compile(r"(database|postgres|pg|db|sqlalchemy).*(ur[il]|dsn)|^(dsn|database)$", re.IGNORECASE)
_MODEL = re.compile(r"^([a-z][a-z-]*):[\w./:-]+$")


def find_settings(tree: Tree) -> dict[str, tuple[Parameter, ...]]:
    """The classes that hold settings, with their fields: pydantic-settings', and those with a database's URL."""
    found = {}
    for class_ in tree.project.classes:
        if class_.module not in tree.modules:
            continue
        fields = fields_of(tree, class_)
        if _is_settings(tree, class_) or any(is_database(each.name) for each in fields):
            found[class_.name] = tuple(_as_setting(each) for each in fields)
    return found


def is_database(name: str) -> bool:
    """Whether a name is that of a database's URL."""
    return _DATABASE.search(name) is not None


def _as_setting(field: Parameter) -> Parameter:
    return replace(field, kind=Kind.DATABASE_URL) if is_database(field.name) else field


def _is_settings(tree: Tree, class_: Class) -> bool:
    names = [each if isinstance(each, str) else each.name for each in tree.project.ancestors(class_)]
    return any(each in {"pydantic_settings.BaseSettings", "pydantic.BaseSettings"} for each in names)


def find_placeholders(tree: Tree) -> list[Placeholder]:
    """The variables, by name, each once."""
    found: dict[str, Placeholder] = {}
    for each in (*_keys(tree), *_read(tree), *_of_settings(tree)):
        found.setdefault(each.name, each)
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


def _read(tree: Tree) -> Iterator[Placeholder]:
    """What is read of `os.environ`, with or without a default; only what must be there, or may name a database."""
    for module in tree.modules:
        for node in ast.walk(module.tree):
            name, needed = _variable(tree, module, node)
            if name and is_database(name):
                yield Placeholder(name=name, value=NOWHERE, place=tree.place(module, node), forced=True)
            elif name and needed:
                yield Placeholder(name=name, value="1", place=tree.place(module, node))


def _variable(tree: Tree, module: Module, node: ast.AST) -> tuple[str, bool]:
    match node:
        case ast.Subscript(value=value, slice=ast.Constant(value=str() as name)) if (
            tree.resolve(module, value) == "os.environ"
        ):
            return name, True
        case ast.Call(func=called, args=[ast.Constant(value=str() as name), *_]) if tree.resolve(module, called) in {
            "os.environ.get",
            "os.getenv",
        }:
            return name, False
    return "", False


def _of_settings(tree: Tree) -> Iterator[Placeholder]:
    for class_ in tree.project.classes:
        if class_.module not in tree.modules or not _is_settings(tree, class_):
            continue
        prefix = _prefix(class_)
        for each in fields_of(tree, class_):
            name = f"{prefix}{each.name}".upper()
            if is_database(each.name):
                yield Placeholder(name=name, value=NOWHERE, place=tree.place(class_.module, class_.node), forced=True)
            elif each.required:
                value = str(each.example) if each.has_example and not isinstance(each.example, dict | list) else "1"
                yield Placeholder(name=name, value=value, place=tree.place(class_.module, class_.node))


def _prefix(class_: Class) -> str:
    """The `env_prefix` of a class of settings."""
    for node in ast.walk(class_.node):
        match node:
            case ast.Call() if prefix := literal_text(keyword(node, "env_prefix")):
                return prefix
            case ast.Assign(targets=[ast.Name(id="env_prefix")], value=value):
                return literal_text(value)
    return ""
