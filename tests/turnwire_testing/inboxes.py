"""Inboxes of tests: consumers of one tenant's requests; as a program: an inbox that hangs.

`python -m turnwire_testing.inboxes <broker url> <consumer> <subject>` takes one delivery, says so,
and works on it until it is killed.
"""

import asyncio
import sys

from nats.js.api import AckPolicy, ConsumerConfig

from turnwire_chassis.broker import connect
from turnwire_chassis.jetstream.delivery import Delivery
from turnwire_chassis.jetstream.inbox import Inbox
from turnwire_chassis.jetstream.topology import PRIORITY_GROUP, PrioritizedConsumer
from turnwire_contracts.subjects import TURNS_STREAM

ACK_WAIT_S = 2.0
"""Four heartbeats: a busy machine may lose some, and nothing is delivered twice for it."""
HEARTBEAT_S = 0.5


def consumer_of(tenant: str, name: str, ack_wait_s: float = ACK_WAIT_S) -> ConsumerConfig:
    """Describe a consumer of one tenant's requests."""
    return PrioritizedConsumer(
        durable_name=name,
        filter_subject=f"turn.{tenant}.*.requested",
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ack_wait_s,
        max_deliver=6,
        max_ack_pending=1000,
        priority_groups=[PRIORITY_GROUP],
        priority_policy="prioritized",
    )


async def hang(url: str, name: str, subject: str) -> None:
    """Take a delivery and never finish it."""
    client = await connect(url, "hanging")
    consumer = consumer_of("*", name).evolve(filter_subject=subject)
    inbox = Inbox(client, client.jetstream(), [consumer], TURNS_STREAM)

    async def work(delivery: Delivery) -> None:
        print("working on attempt", delivery.attempt, flush=True)  # noqa: T201 -- the starter reads it
        await asyncio.Event().wait()

    await inbox.run(work, places=1, heartbeat_s=HEARTBEAT_S)


if __name__ == "__main__":
    asyncio.run(hang(*sys.argv[1:]))
