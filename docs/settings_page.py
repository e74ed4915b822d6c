"""`docs/settings.md`: every setting of every service, from the settings classes."""

import importlib
import pkgutil
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings
from source import Row, code, table

from turnwire_chassis.settings import PREFIX, ServiceSettings

_HEAD = """\
# Settings

Written by `docs/generate.py` from the settings classes; do not edit it here.

Every setting is an environment variable. A name is the same in all services that read it, so one
environment can serve them all. A variable that looks like one of these and is none stops a service
with exit code 2 and says which name was meant; so does a value that cannot be."""

_READERS = {
    "turnwire_gateway": "gateway",
    "turnwire_orchestrator": "orchestrator",
    "turnwire_tool_runner": "tool-runner",
    "turnwire_guard": "guard",
    "turnwire_store": "store",
    "turnwire_dev": "`turnwire up`",
}

_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false"}
_SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}

Reading = tuple[str, FieldInfo]


def settings_page() -> str:
    """Write the whole page."""
    found = readings()
    shared = {name for name in ServiceSettings.model_fields if name in found}
    parts = [
        _HEAD,
        "## Read by every service",
        _table({name: found[name] for name in found if name in shared}),
        "## Read by some",
        _table({name: found[name] for name in found if name not in shared}),
    ]
    return "\n\n".join(parts) + "\n"


def readings() -> dict[str, list[Reading]]:
    """Give, for each setting by name, who reads it and as what."""
    found: dict[str, list[Reading]] = {}
    for package, reader in _READERS.items():
        for cls in _classes(package):
            for name, field in cls.model_fields.items():
                found.setdefault(name, []).append((reader, field))
    return dict(sorted(found.items()))


def _classes(package: str) -> Iterator[type[BaseSettings]]:
    root = importlib.import_module(package)
    if "settings" not in {module.name for module in pkgutil.iter_modules(root.__path__)}:
        yield ServiceSettings
        return
    module = importlib.import_module(f"{package}.settings")
    for value in vars(module).values():
        own = isinstance(value, type) and value.__module__ == module.__name__
        if own and issubclass(value, BaseSettings):
            yield value


def _table(readings: dict[str, list[Reading]]) -> str:
    rows = [row for name, read in readings.items() for row in _rows(name, read)]
    return table(("variable", "value", "default", "read by", "what it is"), rows)


def _rows(name: str, read: list[Reading]) -> Iterator[Row]:
    """Give one row, or several where readers see different things in the same setting."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for reader, field in read:
        about = (_value(field), _default(field), field.description or "")
        groups.setdefault(about, []).append(reader)
    for (value, default, description), readers in groups.items():
        everyone = len(readers) >= len(_READERS) - 1
        who = "every service" if everyone else ", ".join(readers)
        yield (code(PREFIX + name.upper()), value, default, who, description)


def _value(field: FieldInfo) -> str:
    limits = [
        f"{sign} {getattr(rule, name)}"
        for rule in field.metadata
        for name, sign in _SIGNS.items()
        if getattr(rule, name, None) is not None
    ]
    return ", ".join([_word(field.annotation), *limits])


def _word(annotation: Any) -> str:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        inner = [each for each in typing.get_args(annotation) if each is not type(None)]
        return _word(inner[0])
    if typing.get_origin(annotation) is typing.Annotated:
        return _word(typing.get_args(annotation)[0])
    if annotation is SecretStr:
        return "secret text"
    if annotation is Path:
        return "path"
    return _WORDS.get(annotation, str(annotation))


def _default(field: FieldInfo) -> str:
    default = field.default
    if default is None:
        return "not set"
    return code(str(default).lower() if isinstance(default, bool) else str(default))
