"""The keys of views in the broker's bucket `VIEW_KEYS`, where a message can be overwritten."""

import asyncio
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError

from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream.publishing import publish_when_led
from turnwire_chassis.jetstream.reading import read_batch
from turnwire_contracts import subjects
from turnwire_contracts.ids import TenantId
from turnwire_store.sealing import MasterKeys, UnopenableError, ViewKey
from turnwire_store.views import ViewsUnavailableError

_API_TIMEOUT_S: Final = 5.0
_WRONG_LAST_SEQUENCE: Final = 10071
_GONE: Final = frozenset({400, 404})
_REMEMBERED_S: Final = 10.0
"""Seconds. Another process may destroy a key: what it seals later would never open again."""


class JetStreamViewKeys:
    """`ViewKeys` in a bucket of the broker."""

    def __init__(self, client: Client, masters: MasterKeys) -> None:
        """The streams of `client` must be declared."""
        self._client = client
        self._jetstream = JetStreamContext(client, timeout=_API_TIMEOUT_S)
        self._masters = masters
        self._remembered: dict[TenantId, tuple[ViewKey, float]] = {}

    async def making(self, tenant: TenantId) -> ViewKey:
        """See `ViewKeys.making`."""
        while (key := await self.find(tenant)) is None:
            await self._put(tenant, ViewKey.new())
        return key

    async def find(self, tenant: TenantId) -> ViewKey | None:
        """See `ViewKeys.find`."""
        now = asyncio.get_running_loop().time()
        key, until = self._remembered.get(tenant, (None, 0.0))
        if key is not None and now < until:
            return key
        kept = await self._read(tenant)
        if not kept:
            self._remembered.pop(tenant, None)
            return None
        try:
            key = self._masters.unwrap(tenant, kept[-1].data)
        except UnopenableError as error:
            raise ViewsUnavailableError(str(error)) from error
        self._remembered[tenant] = key, now + _REMEMBERED_S
        return key

    async def destroy(self, tenant: TenantId) -> None:
        """See `ViewKeys.destroy`."""
        self._remembered.pop(tenant, None)
        for message in await self._read(tenant):
            sequence = int((message.headers or {})["Nats-Sequence"])
            try:
                # The broker overwrites what it deletes this way.
                await self._jetstream.delete_msg(subjects.VIEW_KEYS_STREAM, sequence)
            except APIError as error:
                if error.code not in _GONE:
                    raise ViewsUnavailableError(str(error)) from error
            except (NatsError, TimeoutError) as error:
                raise ViewsUnavailableError(str(error)) from error

    async def _read(self, tenant: TenantId) -> list[Msg]:
        subject = subjects.view_key(tenant)
        try:
            return await read_batch(self._client, subjects.VIEW_KEYS_STREAM, subject)
        except LogUnavailableError as error:
            raise ViewsUnavailableError(f"no keys of views: {error}") from error

    async def _put(self, tenant: TenantId, key: ViewKey) -> None:
        """Keep a tenant's first key; that of a faster process stays."""
        headers = {"Nats-Expected-Last-Subject-Sequence": "0"}
        kept = self._masters.wrap(tenant, key)
        try:
            await publish_when_led(self._jetstream, subjects.view_key(tenant), kept, headers)
        except APIError as error:
            if error.err_code != _WRONG_LAST_SEQUENCE:
                raise ViewsUnavailableError(str(error)) from error
        except (NatsError, TimeoutError) as error:
            raise ViewsUnavailableError(f"no keys of views: {error}") from error
