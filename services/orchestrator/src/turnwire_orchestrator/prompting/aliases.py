"""The names under which models are offered tools of MCP servers. Pure.

MCP: a tool's own name may have any letters. OpenAI: a function's has 1 to 64 of A-Z, a-z, 0-9, `_`
and `-`.
"""

import hashlib
import re
from typing import Final

LONGEST_ALIAS: Final = 64
_SEPARATOR: Final = "__"
_USUAL: Final = re.compile(r"(?=.*[a-zA-Z0-9])[a-zA-Z0-9_.-]{1,64}")
"""What MCP recommends (SEP-986); servers that have `a.b` seldom have `a_b` as well."""
_UNSAYABLE: Final = re.compile(r"[^a-zA-Z0-9_-]")
_MARK_BYTES: Final = 4


def alias(label: str, name: str) -> str:
    """Give the name of a tool as models see it unless another has the same: its own if it can be.

    It depends on nothing else, so that calls in a history have the name that is offered.
    """
    return _sayable(name) if _USUAL.fullmatch(name) else marked(label, name)


def alias_of_server(label: str, name: str) -> str:
    """Give an alias with the label of the server, which may be too long."""
    return _sayable(f"{label}{_SEPARATOR}{name}")


def marked(label: str, name: str) -> str:
    """Give an alias that no other tool has, by a hash of its server's label and its name."""
    mark = hashlib.blake2b(f"{label}\n{name}".encode(), digest_size=_MARK_BYTES).hexdigest()
    return f"{_sayable(name)[: LONGEST_ALIAS - 2 * _MARK_BYTES - 1]}_{mark}"


def _sayable(name: str) -> str:
    return _UNSAYABLE.sub("_", name)
