"""uvicorn as one task among others: it ends with its task and leaves signals to the run loop."""

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress

import uvicorn

_GRACE_S = 2


class TaskServer(uvicorn.Server):
    """Serves an ASGI application until its task is cancelled."""

    def __init__(
        self,
        app: object,
        host: str,
        port: int,
        *,
        largest_message: int | None = None,
        reuse_port: bool = False,
    ) -> None:
        """Nothing listens before `run`.

        `largest_message`: WebSockets are served, and break at messages of more bytes.
        `reuse_port`: other processes may listen there, too; the kernel spreads connections.
        """
        self._reuse_port = reuse_port
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
                ws="none" if largest_message is None else "websockets-sansio",
                ws_max_size=largest_message or 0,
                # Messages are many and small: packing each costs more than it saves.
                ws_per_message_deflate=False,
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
        sockets = [self._shared_socket()] if self._reuse_port else None
        serving = asyncio.create_task(self.serve(sockets))
        try:
            await asyncio.shield(serving)
        finally:
            self.should_exit = True
            with suppress(asyncio.CancelledError):
                await serving

    def _shared_socket(self) -> socket.socket:
        """Bind what other processes may bind, too. Raises `OSError`."""
        host, port = self.config.host, self.config.port
        family, *_, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address, family=family, reuse_port=True)
