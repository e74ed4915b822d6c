"""What `turnwire doctor` says of who may use the API."""

import asyncio

from turnwire_chassis.api_keys.bucket import KeyBucket
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_dev.claims.callers import is_for_one
from turnwire_dev.claims.folder import DataFolder
from turnwire_dev.commands.checks import Finding, Fine, Trouble
from turnwire_dev.commands.operator import NoBrokerError, connected
from turnwire_dev.settings import RunnerSettings

_CHECK = "keys"
_WITHIN_S = 3.0


async def check_keys(settings: RunnerSettings, nats_url: str | None) -> Finding:
    """Are API keys on, and how many are good; `nats_url`: the broker, if one is known."""
    issuer = f"; tokens of {settings.oidc_issuer} are taken" if settings.oidc_issuer else ""
    if nats_url is None:
        if is_for_one(settings, DataFolder(settings.data_dir)):
            return Fine(_CHECK, "none was made: this machine only, one user, any token")
        return Fine(_CHECK, f"are on; how many are good is told while it runs{issuer}")
    try:
        async with asyncio.timeout(_WITHIN_S), connected() as client:
            records = [each.record for each in await KeyBucket(client).read()]
    except (NoBrokerError, LogUnavailableError, TimeoutError):
        return Trouble(_CHECK, "they cannot be read from the broker", "Is it up?")
    if not records:
        return Fine(_CHECK, f"there are none{issuer or ': this machine only, one user, any token'}")
    good = sum(each is not None and each.revoked_ms is None for each in records)
    return Fine(_CHECK, f"are on, {good} of {len(records)} are good{issuer}")
