"""Keys that a setting gives as text."""

import base64
from typing import Final

from turnwire_chassis.settings import SettingsError

KEY_BYTES: Final = 32


def secret_keys(setting: str, text: str) -> list[bytes]:
    """Read keys of 32 bytes in base64 or hex, comma-separated; `setting` is what complaints name.

    Raises `SettingsError`, which quotes no key.
    """
    return [_key(setting, number, each) for number, each in enumerate(text.split(","), 1)]


def _key(setting: str, number: int, text: str) -> bytes:
    text = text.strip()
    for read in (bytes.fromhex, _of_base64):
        try:
            key = read(text)
        except ValueError:
            continue
        if len(key) == KEY_BYTES:
            return key
    message = "must be 32 random bytes in base64 or hex, as `openssl rand -base64 32` writes them"
    raise SettingsError(f"{setting}: key {number} {message}")


def _of_base64(text: str) -> bytes:
    standard = text.replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
