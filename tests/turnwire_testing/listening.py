"""An application of ours on a real socket, inside the test's own process."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from turnwire_chassis.http.server import TaskServer
from turnwire_dev.instance.ports import LOOPBACK
from turnwire_testing.waiting import eventually

_STOP_S = 10.0


@asynccontextmanager
async def listening(
    app: object, largest_message: int = 1_000_000, keep_alive_s: int | None = None
) -> AsyncGenerator[str]:
    """Serve on a free port; gives the base URL, that of `/v1`."""
    server = TaskServer(app, LOOPBACK, 0, largest_message=largest_message)
    if keep_alive_s is not None:
        server.config.timeout_keep_alive = keep_alive_s
    serving = asyncio.create_task(server.run_until_cancelled())

    async def listens() -> bool:
        return server.started

    try:
        await eventually(listens)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://{LOOPBACK}:{port}/v1"
    finally:
        serving.cancel()
        async with asyncio.timeout(_STOP_S):
            with suppress(asyncio.CancelledError):
                await serving
