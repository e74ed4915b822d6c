"""Who may use the API, as far as it is known before anything runs."""

import asyncio

from turnwire_chassis.api_keys.addresses import is_loopback
from turnwire_chassis.broker_access.access import Access
from turnwire_dev.claims.folder import DataFolder
from turnwire_dev.settings import RunnerSettings

_WITHIN_S = 5.0


class NobodyMayCallError(Exception):
    """Others could reach the API, and nothing says who may use it; the text names the way out."""

    def __init__(self, host: str) -> None:
        """`host`: where it would listen."""
        super().__init__(
            f"TURNWIRE_HOST is {host}, so others could reach the API, and nothing says who may use "
            "it. Make an API key and start again:\n"
            "  turnwire keys create --tenant my-company --user me --role admin\n"
            "Or set TURNWIRE_OIDC_ISSUER, or let TURNWIRE_HOST be 127.0.0.1."
        )


def is_for_one(settings: RunnerSettings, folder: DataFolder) -> bool:
    """Tell whether there is but the one local user, whatever token it sends."""
    ours = settings.nats_url is None and not folder.closed.exists()
    return ours and is_loopback(settings.host) and settings.oidc_issuer is None


async def refuse_if_nobody_may_call(settings: RunnerSettings, folder: DataFolder) -> None:
    """Raise `NobodyMayCallError` unless there is a key, an issuer, or only this machine can ask."""
    if is_loopback(settings.host) or settings.oidc_issuer is not None:
        return
    if settings.nats_url is None:
        known = folder.closed.exists()
    else:
        known = await _has_keys(settings.nats_url, settings.broker_access)
    if not known:
        raise NobodyMayCallError(settings.host)


async def _has_keys(url: str, access: Access) -> bool:
    """Ask a broker of the user's; one that does not answer is left to the gateway, which waits."""
    # Loads the broker's client, which would make every `turnwire up` wait.
    from turnwire_chassis.api_keys.bucket import KeyBucket  # noqa: PLC0415 -- see above
    from turnwire_chassis.broker import connect, disconnect  # noqa: PLC0415 -- see above
    from turnwire_chassis.event_log import LogUnavailableError  # noqa: PLC0415 -- see above

    try:
        async with asyncio.timeout(_WITHIN_S):
            client = await connect(url, "operator", access=access)
    except TimeoutError:
        return True
    try:
        return bool(await KeyBucket(client).read())
    except LogUnavailableError:
        # No bucket, so no key.
        return False
    finally:
        await disconnect(client)
