"""A connection to the broker of a stack, as one of its users."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from nats.aio.client import Client

from e2e.rig.stack import Stack
from turnwire_chassis.broker import connect
from turnwire_chassis.broker_access.access import Access
from turnwire_chassis.broker_authorization.rights import User


@asynccontextmanager
async def connected_as(user: User, stack: Stack) -> AsyncGenerator[Client]:
    """Connect with the seed that the runner made for `user`, and so with its rights only."""
    access = Access(seed_file=stack.seed_of(user))
    client = await connect(stack.run()["nats_url"], user, access=access)
    try:
        yield client
    finally:
        await client.close()
