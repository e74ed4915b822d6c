"""Nkeys: a secret seed that proves who a user is, and the public key that the broker knows."""

import os
import re
from typing import Any

import nkeys  # pyright: ignore[reportMissingTypeStubs] -- it has none

_BYTES = 32
_PUBLIC_KEY = re.compile("U[A-Z2-7]{55}")


class NoSeedError(Exception):
    """A text is not the seed of an nkey; it is not repeated here, as it may be a secret."""


def new_seed() -> str:
    """Make a user."""
    return nkeys.encode_seed(os.urandom(_BYTES), nkeys.PREFIX_BYTE_USER).decode("ascii")


def public_key(seed: str) -> str:
    """Name the user whose seed this is. Raises `NoSeedError`."""
    try:
        pair: Any = nkeys.from_seed(bytearray(seed.strip().encode("ascii")))
        return pair.public_key.decode("ascii")
    except (nkeys.NkeysError, ValueError) as error:
        raise NoSeedError("no seed of an nkey") from error


def is_public_key(text: str) -> bool:
    """Whether this names a user, and tells nothing."""
    return _PUBLIC_KEY.fullmatch(text) is not None
