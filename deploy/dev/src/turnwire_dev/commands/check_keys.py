"""What `turnwire doctor` says of who may use the API."""

import asyncio
from collections.abc import Sequence

from turnwire_chassis.api_keys.bucket import KeyBucket
from turnwire_chassis.api_keys.record import KeyRecord, name_of_pepper
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_dev.commands.checks import CheckFailed, CheckPassed, Finding
from turnwire_dev.commands.operator import NoBrokerError, connected
from turnwire_dev.instance.callers import is_single_user
from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.instance.generated_secrets import read_secret
from turnwire_dev.settings import RunnerSettings

_CHECK = "keys"
_WITHIN_S = 3.0


def keys_unread() -> Finding:
    """Say that the broker has not told the keys."""
    return CheckFailed(_CHECK, "they cannot be read from the broker", "Is it up?")


def _of_another_pepper(records: Sequence[KeyRecord | None], pepper: str | None) -> int:
    """Count the keys that this pepper does not open; none where it is not known here."""
    if not pepper:
        return 0
    ours = name_of_pepper(pepper.strip().encode())
    return sum(each is not None and each.pepper != ours for each in records)


async def check_keys(settings: RunnerSettings, nats_url: str | None) -> Finding:
    """Check whether the API needs keys, and count them; `nats_url`: the broker, if known."""
    written = settings.key_pepper.get_secret_value() if settings.key_pepper else None
    pepper = written or read_secret(DataFolder(settings.data_dir).key_pepper)
    issuer = f"; tokens of {settings.oidc_issuer} are taken" if settings.oidc_issuer else ""
    if nats_url is None:
        if is_single_user(settings, DataFolder(settings.data_dir)):
            return CheckPassed(_CHECK, "none was made: this machine only, one user, any token")
        return CheckPassed(_CHECK, f"are on; how many are good is told while it runs{issuer}")
    try:
        async with asyncio.timeout(_WITHIN_S), connected() as client:
            records = [each.record for each in await KeyBucket(client).read()]
    except (NoBrokerError, LogUnavailableError, TimeoutError):
        return keys_unread()
    if not records:
        return CheckPassed(
            _CHECK, f"there are none{issuer or ': this machine only, one user, any token'}"
        )
    if foreign := _of_another_pepper(records, pepper):
        return CheckFailed(
            _CHECK,
            f"{foreign} of {len(records)} are refused: they were made with another "
            "TURNWIRE_KEY_PEPPER",
            "Put the old pepper back (key.pepper of the data folder; a backup has it), or make new "
            "keys: turnwire keys create.",
        )
    good = sum(each is not None and each.revoked_ms is None for each in records)
    return CheckPassed(_CHECK, f"are on, {good} of {len(records)} are good{issuer}")
