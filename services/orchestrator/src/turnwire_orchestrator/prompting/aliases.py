"""The names under which models are offered tools of MCP servers. Pure.

MCP: a tool's own name may have any letters. OpenAI: a function's has 1 to 64 of
A-Z, a-z, 0-9, `_` and `-`.
"""

import hashlib
import re
from typing import Final

_SEPARATOR: Final = "__"
LONGEST_ALIAS: Final = 64
_UNSAYABLE: Final = re.compile(r"[^a-zA-Z0-9_-]")
_SAYS_SOMETHING: Final = re.compile(r"[a-zA-Z0-9]")
_MARK_BYTES: Final = 4


def alias(label: str, name: str) -> str:
    """Give the name of a tool as models see it if no other has the same: its own if it can be."""
    simple = _UNSAYABLE.sub("_", name)
    if _SAYS_SOMETHING.search(simple) and len(simple) <= LONGEST_ALIAS:
        return simple
    return marked(label, name)


def alias_of_server(label: str, name: str) -> str:
    """Give an alias with the label of the server, which may be too long."""
    return _UNSAYABLE.sub("_", f"{label}{_SEPARATOR}{name}")


def marked(label: str, name: str) -> str:
    """Give an alias that no other tool has, by a hash of its server's label and its name."""
    mark = hashlib.blake2b(f"{label}\n{name}".encode(), digest_size=_MARK_BYTES).hexdigest()
    return f"{alias_of_server(label, name)[: LONGEST_ALIAS - 2 * _MARK_BYTES - 1]}_{mark}"
