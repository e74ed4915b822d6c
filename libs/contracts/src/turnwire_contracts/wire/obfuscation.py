"""Padding of deltas: who only sees the sizes of encrypted packets learns little of the text.

OpenAI: `stream_options.include_obfuscation`. A delta, what it carries, and its padding together
have a multiple of sixteen characters. The padding derives from the response's id, which an
eavesdropper does not know, so that a stream written again from the log is the same.
"""

from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Final

from turnwire_contracts.ids import ResponseId

_BLOCK: Final = 16
_QUOTES: Final = 2
_NOISE_BYTES: Final = 60
_STARTS: Final = 61
"""A prime below the length of the noise less one block, so that each number starts elsewhere."""


def noise(response_id: ResponseId) -> bytes:
    """Give the 80 characters from which the paddings of one response are cut."""
    digest = blake2b(response_id.encode(), digest_size=_NOISE_BYTES, person=b"obfuscation").digest()
    return urlsafe_b64encode(digest)


def padding(noise: bytes, number: int, length: int) -> bytes:
    """Cut the padding of the frame `number`, that says `length` bytes, two quotes among them."""
    start = number * 17 % _STARTS
    return noise[start : start + _BLOCK - (length - _QUOTES) % _BLOCK]
