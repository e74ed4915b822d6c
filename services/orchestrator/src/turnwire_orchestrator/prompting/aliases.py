"""The names under which models are offered tools of MCP servers. Pure.

MCP: a tool's own name may have any letters. OpenAI: a function's has 1 to 64 of A-Z, a-z, 0-9, `_`
and `-`.
"""

import re
from typing import Final

from turnwire_orchestrator.prompting.tools.names import SEPARATOR, marked, sayable

_USUAL: Final = re.compile(r"(?=.*[a-zA-Z0-9])[a-zA-Z0-9_.-]{1,64}")
"""What MCP recommends (SEP-986); servers that have `a.b` seldom have `a_b` as well."""


def alias(label: str, name: str) -> str:
    """Give the name of a tool as models see it unless another has the same: its own if it can be.

    It depends on nothing else, so that calls in a history have the name that is offered.
    """
    return sayable(name) if _USUAL.fullmatch(name) else unique_alias(label, name)


def alias_of_server(label: str, name: str) -> str:
    """Give an alias with the label of the server, which may be too long."""
    return sayable(f"{label}{SEPARATOR}{name}")


def unique_alias(label: str, name: str) -> str:
    """Give an alias that no other tool has, by a hash of its server's label and its name."""
    return marked(sayable(name), label, name)
