"""Names of functions that every backend takes: up to 64 letters, digits, `_` and `-` (OpenAI)."""

import hashlib
import re
from typing import Final

LONGEST_NAME: Final = 64
SEPARATOR: Final = "__"
_UNSAYABLE = re.compile(r"[^a-zA-Z0-9_-]")
_MARK_BYTES = 4


def sayable(name: str) -> str:
    """Give a name in letters that backends take."""
    return _UNSAYABLE.sub("_", name)


def marked(name: str, *meant: str) -> str:
    """Tell a name apart from others like it by a mark of what is `meant`; it is cut to fit."""
    mark = hashlib.blake2b("\n".join(meant).encode(), digest_size=_MARK_BYTES).hexdigest()
    return f"{name[: LONGEST_NAME - len(mark) - 1]}_{mark}"
