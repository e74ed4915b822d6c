"""Whether callers of the API have to authenticate, as far as it is known before the start."""

import asyncio

from turnwire_chassis.api_keys.addresses import is_loopback
from turnwire_chassis.broker_access.access import Access
from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.settings import RunnerSettings

_WITHIN_S = 5.0


class AuthenticationMissingError(Exception):
    """Other machines could reach the API, and it has no keys; the text names the way out."""

    def __init__(self, host: str) -> None:
        """`host`: the address that the gateway would listen on."""
        super().__init__(
            f"TURNWIRE_HOST is {host}, so others could reach the API, and nothing says who may use "
            "it. Make an API key and start again:\n"
            "  turnwire keys create --tenant my-company --user me --role admin\n"
            "Or set TURNWIRE_OIDC_ISSUER, or let TURNWIRE_HOST be 127.0.0.1."
        )


def is_single_user(settings: RunnerSettings, folder: DataFolder) -> bool:
    """Tell whether the API has one local user and takes any token."""
    ours = settings.nats_url is None and not folder.closed.exists()
    return ours and is_loopback(settings.host) and settings.oidc_issuer is None


async def require_authentication(settings: RunnerSettings, folder: DataFolder) -> None:
    """Check that there is a key, an issuer, or that only this machine reaches the API.

    Raises `AuthenticationMissingError`.
    """
    if is_loopback(settings.host) or settings.oidc_issuer is not None:
        return
    if settings.nats_url is None:
        has_keys = folder.closed.exists()
    else:
        has_keys = await _has_keys(settings.nats_url, settings.broker_access)
    if not has_keys:
        raise AuthenticationMissingError(settings.host)


async def _has_keys(url: str, access: Access) -> bool:
    """Ask the user's broker for keys; `True` without an answer: the gateway waits for it."""
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
