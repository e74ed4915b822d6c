"""The first API key of a stack, made as `turnwire keys create` makes it but without its process.

A start of the command costs as much CPU as that of a service; `test_identity.py` and the tests of
`turnwire keys` run it itself.
"""

import asyncio
import secrets
import time
from pathlib import Path

from turnwire_chassis.api_keys.bucket import KeyBucket
from turnwire_chassis.api_keys.key_text import ID_BYTES, SECRET_BYTES, new_key
from turnwire_chassis.api_keys.record import KeyOwner, recorded
from turnwire_chassis.broker import connect
from turnwire_chassis.broker_access.access import Access
from turnwire_chassis.broker_authorization.rights import User
from turnwire_chassis.jetstream.topology import create_missing
from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.instance.generated_secrets import seal_key
from turnwire_dev.instance.run_file import read_run
from turnwire_testing.waiting import eventually

_CONNECT_S = 20.0


async def first_key(data_dir: Path, within_s: float) -> str:
    """Make an admin's key for the Turnwire that starts on a data folder, once its broker runs."""
    folder = DataFolder(data_dir)

    async def runs() -> bool:
        return read_run(folder.run_file) is not None

    await eventually(runs, within_s)
    run = read_run(folder.run_file)
    assert run is not None
    key = new_key(secrets.token_bytes(ID_BYTES + SECRET_BYTES))
    holder = KeyOwner(TenantId("local"), OwnerId("local"), "admin")
    pepper = seal_key(folder.key_pepper).encode()
    folder.closed.touch(mode=0o600)
    async with asyncio.timeout(_CONNECT_S):
        access = Access(seed_file=folder.seed(User.OPERATOR))
        client = await connect(run.nats_url, User.OPERATOR, access=access)
    try:
        await create_missing(client, 1)
        record = recorded(key, holder, pepper, int(time.time() * 1000))
        await KeyBucket(client).put(record, expected=0)
    finally:
        await client.close()
    return key
