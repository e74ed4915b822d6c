"""The secret that API keys are hashed with, as operators write it. Pure."""

from typing import Final

from pydantic import SecretStr

from turnwire_chassis.settings import SettingsError

LEAST_PEPPER: Final = 16


def parse_pepper(written: SecretStr | None) -> bytes:
    """Give the pepper, empty if there is none.

    Raises `SettingsError`, which does not repeat it.
    """
    pepper = (written.get_secret_value() if written else "").strip().encode()
    if pepper and len(pepper) < LEAST_PEPPER:
        raise SettingsError(
            f"TURNWIRE_KEY_PEPPER is too short: it needs {LEAST_PEPPER} letters at least. "
            "Make one with: openssl rand -hex 32"
        )
    return pepper
