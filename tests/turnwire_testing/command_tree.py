"""All commands of `turnwire`, for tests that hold of each."""

from collections.abc import Iterator
from typing import Any

from typer.core import TyperGroup


def commands(command: Any, name: str = "turnwire") -> Iterator[tuple[str, Any]]:
    """Walk through all commands, with their names."""
    if not isinstance(command, TyperGroup):
        yield name, command
        return
    for each, inner in command.commands.items():
        yield from commands(inner, f"{name} {each}")
