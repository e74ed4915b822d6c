"""How an API key is written: `tw_key_`, 12 letters of its id, 43 of secret, 6 of checksum. Pure."""

import re
from typing import Final, NewType
from zlib import crc32

KeyId = NewType("KeyId", str)
"""`key_` and the 12 letters that the key itself has behind its prefix: no secret."""

KEY_PREFIX: Final = "tw_key_"
KEY_PATTERN: Final = r"tw_key_[0-9A-Za-z]{61}"
"""What a secret scanner looks for. docs/identity.md tells it to operators."""

ID_BYTES: Final = 9
SECRET_BYTES: Final = 32
"""256 bits, which 43 letters of 62 just hold."""

_ID_PREFIX = "key_"
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID, _SECRET, _CHECKSUM = 12, 43, 6
_KEY = re.compile(KEY_PATTERN)
_KEY_ID = re.compile(rf"{_ID_PREFIX}[0-9A-Za-z]{{{_ID}}}")


def new_key(randomness: bytes) -> str:
    """Write a key from `ID_BYTES + SECRET_BYTES` random bytes."""
    number = _in_letters(randomness[:ID_BYTES], _ID)
    secret = _in_letters(randomness[ID_BYTES : ID_BYTES + SECRET_BYTES], _SECRET)
    text = f"{KEY_PREFIX}{number}{secret}"
    return text + _checksum(text)


def id_of_key(text: str) -> KeyId | None:
    """Read the id from a key; `None` if `text` is none, or has a typo in it."""
    if _KEY.fullmatch(text) is None or _checksum(text[:-_CHECKSUM]) != text[-_CHECKSUM:]:
        return None
    return KeyId(_ID_PREFIX + text[len(KEY_PREFIX) :][:_ID])


def is_key_id(text: str) -> bool:
    """Tell whether `text` has the shape of a key's id, and so may stand in a subject."""
    return _KEY_ID.fullmatch(text) is not None


def _checksum(text: str) -> str:
    return _in_letters(crc32(text.encode("ascii")).to_bytes(4), _CHECKSUM)


def _in_letters(data: bytes, length: int) -> str:
    number = int.from_bytes(data)
    letters: list[str] = []
    for _ in range(length):
        number, rest = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[rest])
    return "".join(letters)
