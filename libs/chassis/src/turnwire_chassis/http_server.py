"""uvicorn as one task among others: it ends with its task and leaves signals to the run loop."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager, suppress

import uvicorn

_GRACE_S = 2


class TaskServer(uvicorn.Server):
    """Serves an ASGI application until its task is cancelled."""

    def __init__(self, app: object, host: str, port: int) -> None:
        """Nothing listens before `run`."""
        super().__init__(
            uvicorn.Config(
                app,  # pyright: ignore[reportArgumentType] -- ASGI3 is what uvicorn takes
                host=host,
                port=port,
                log_config=None,
                access_log=False,
                proxy_headers=False,
                interface="asgi3",
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals of the process alone."""
        yield

    async def run_until_cancelled(self) -> None:
        """Serve; when cancelled, let open requests end for two seconds at most."""
        serving = asyncio.create_task(self.serve())
        try:
            await asyncio.shield(serving)
        finally:
            self.should_exit = True
            with suppress(asyncio.CancelledError):
                await serving
