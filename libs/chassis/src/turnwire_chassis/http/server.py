"""uvicorn as one task among others: it ends with its task and leaves signals to the run loop."""

import asyncio
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

import uvicorn

from turnwire_chassis.http.protocol import Http11Protocol

_GRACE_S = 2
_KEEP_ALIVE_S = 75
"""How long an idle connection is kept: longer than proxies and HTTP clients keep theirs (60 s is
usual), so that a request seldom meets a connection that is just being closed. nginx: 75 s."""


class TaskServer(uvicorn.Server):
    """Serves an ASGI application until its task is cancelled."""

    def __init__(
        self,
        app: object,
        host: str,
        port: int,
        *,
        largest_message: int | None = None,
        drain_s: float = 0.0,
    ) -> None:
        """Nothing listens before `run`.

        `largest_message`: WebSockets are served, and break at messages of more bytes. `drain_s`:
        how long `finish` may be waited for.
        """
        self._shares_port = False
        self._at_stop: Callable[[], None] | None = None
        self._ended = asyncio.Event()
        super().__init__(
            uvicorn.Config(
                app,  # pyright: ignore[reportArgumentType] -- ASGI3 is what uvicorn takes
                host=host,
                port=port,
                log_config=None,
                access_log=False,
                proxy_headers=False,
                interface="asgi3",
                http=Http11Protocol,
                lifespan="off",
                ws="none" if largest_message is None else "websockets-sansio",
                ws_max_size=largest_message or 0,
                # Messages are many and small: packing each costs more than it saves.
                ws_per_message_deflate=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=round(drain_s) + _GRACE_S,
            )
        )

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals of the process alone."""
        yield

    def share_port(self) -> None:
        """Let other processes listen there, too (SO_REUSEPORT): the kernel spreads connections."""
        self._shares_port = True

    def at_stop(self, call: Callable[[], None]) -> None:
        """Run `call` when the server is cancelled: what is open then has two seconds to end."""
        self._at_stop = call

    async def listening(self) -> str | None:
        """Tell whether connections are not taken yet, as a readiness check."""
        return None if self.started else "not listening yet"

    async def finish(self) -> None:
        """Take no more connections, close WebSockets (1012), and wait until all requests end."""
        self.should_exit = True
        await self._ended.wait()

    async def run_until_cancelled(self) -> None:
        """Serve; when cancelled, let open requests end for two seconds at most."""
        sockets = [self._shared_socket()] if self._shares_port else None
        serving = asyncio.create_task(self.serve(sockets))
        serving.add_done_callback(lambda _: self._ended.set())
        try:
            await asyncio.shield(serving)
        finally:
            if self._at_stop is not None:
                self._at_stop()
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
