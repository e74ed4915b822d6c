"""What happens to the broker while the clients work. Each gives how many servers it took down."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import ClusterInfo

from turnwire_chassis.broker import connect, disconnect
from turnwire_chassis.jetstream.topology import streams
from turnwire_contracts import subjects
from turnwire_testing.brokers import BrokerCluster
from turnwire_testing.waiting import eventually

REPLICAS = 3

_ASK_AGAIN_S = 0.2
_DOWN_S = 1.0
_WHOLE_WITHIN_S = 60.0

Fault = Callable[[BrokerCluster], Awaitable[int]]


async def leader(client: Client, stream: str = subjects.TURNS_STREAM) -> str:
    """Name the server that leads a stream, waiting until one does."""
    jetstream = client.jetstream(timeout=1)
    while True:
        cluster = await _cluster(jetstream, stream)
        if cluster is not None and cluster.leader:
            return cluster.leader
        await asyncio.sleep(_ASK_AGAIN_S)


def leader_kills(seconds: float, every: float) -> Fault:
    """Kill whichever server leads `TURNS` with SIGKILL every so many seconds, and start it."""

    async def kill(brokers: BrokerCluster) -> int:
        client = await connect(brokers.url, "test")
        kills, until = 0, time.monotonic() + seconds
        try:
            while (now := time.monotonic()) < until:
                member = brokers.members[await leader(client)]
                await member.kill()
                kills += 1
                await asyncio.sleep(_DOWN_S)
                await member.start()
                await asyncio.sleep(max(0.0, now + every - time.monotonic()))
        finally:
            await disconnect(client)
        return kills

    return kill


async def rolling_upgrade(brokers: BrokerCluster) -> int:
    """Restart one server after the other, each when all have caught up with the one before."""
    client = await connect(brokers.url, "test")
    try:
        for member in brokers.members.values():
            await member.leave()
            await member.start()
            await eventually(lambda: is_whole(client), _WHOLE_WITHIN_S)
    finally:
        await disconnect(client)
    return len(brokers.members)


async def is_whole(client: Client) -> bool:
    """Whether every stream has a leader, and all its other nodes have what the leader has."""
    jetstream = client.jetstream(timeout=1)
    found = [await _cluster(jetstream, stream.name or "") for stream in streams(REPLICAS)]
    return all(cluster is not None and _is_whole(cluster) for cluster in found)


def _is_whole(cluster: ClusterInfo) -> bool:
    others = cluster.replicas or []
    return bool(cluster.leader) and len(others) == REPLICAS - 1 and all(o.current for o in others)


async def _cluster(jetstream: JetStreamContext, stream: str) -> ClusterInfo | None:
    try:
        return (await jetstream.stream_info(stream)).cluster
    except NatsError:
        return None
