"""Names of tools, as functions that every backend takes. Pure.

OpenAI: a function's name has 1 to 64 of A-Z, a-z, 0-9, `_` and `-`. MCP: a tool's may have any
letters, so models are offered tools of MCP servers under aliases.
"""

import hashlib
import re
from typing import Final

LONGEST_NAME: Final = 64
SEPARATOR: Final = "__"
_UNSAYABLE = re.compile(r"[^a-zA-Z0-9_-]")
_MARK_BYTES = 4

_USUAL: Final = re.compile(r"(?=.*[a-zA-Z0-9])[a-zA-Z0-9_.-]{1,64}")
"""What MCP recommends (SEP-986); servers that have `a.b` seldom have `a_b` as well."""


def sayable(name: str) -> str:
    """Give a name in letters that backends take."""
    return _UNSAYABLE.sub("_", name)


def marked(name: str, *meant: str) -> str:
    """Tell a name apart from others like it by a mark of what is `meant`; it is cut to fit."""
    mark = hashlib.blake2b("\n".join(meant).encode(), digest_size=_MARK_BYTES).hexdigest()
    return f"{name[: LONGEST_NAME - len(mark) - 1]}_{mark}"


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
