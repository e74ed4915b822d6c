"""One trial: the system, clients at work, something that happens to the broker, and what came."""

import asyncio
from pathlib import Path

from cluster.rig.clients import Clients, connected
from cluster.rig.faults import Fault
from cluster.rig.oracle import Report, examine
from cluster.rig.system import System, running_system

CLIENTS = 16


async def tried(folder: Path, seed: int, fault: Fault, clients: int = CLIENTS) -> Report:
    """Start a system in `folder`, and let the fault happen while clients work."""
    async with running_system(folder) as system:
        return await tried_on(system, seed, fault, clients)


async def tried_on(system: System, seed: int, fault: Fault, clients: int = CLIENTS) -> Report:
    """Let the fault happen while clients work, and ask about every turn afterwards."""
    at_work = Clients(system.urls, seed)
    async with asyncio.TaskGroup() as group:
        group.create_task(at_work.run(clients))
        servers_down = await fault(system.brokers)
        at_work.leave()
    async with connected(system.urls[0], at_work.tally) as sdk:
        wrong = await examine(at_work.tally, sdk, system.brokers.url)
    return Report(seed, servers_down, at_work.tally, wrong, system.ended())
