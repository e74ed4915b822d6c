"""Connects to the addresses that were vetted, and looks names up itself to have them.

DNS rebinding has no place to happen: a name is looked up once for a connection, and what was vetted
is what is connected to. The client above still knows the name only, so TLS checks the certificate
against the name, and connections are pooled by it.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import httpcore2

from turnwire_tool_runner.outbound.addresses import Address
from turnwire_tool_runner.outbound.heads import HeadBoundedStream
from turnwire_tool_runner.outbound.policy import Destination, Outbound

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""Gives the addresses of a name; raises OSError."""

# A client may name servers whose DNS is slow on purpose. Threads of our own keep them away from the
# look-ups of the broker's connection; uvloop has four threads in all.
_LOOK_UPS_AT_ONCE = 32
_LOOK_UP_WITHIN_S = 5.0
# They share the time there is to connect.
_ADDRESSES_TRIED = 4


class SystemResolver:
    """Looks names up as the system does: hosts file, search domains, DNS."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOK_UPS_AT_ONCE, thread_name_prefix="dns")

    async def __call__(self, host: str) -> Sequence[str]:
        """Give the addresses of a name, the best first. Raises OSError."""
        loop = asyncio.get_running_loop()
        addresses = await loop.run_in_executor(self._threads, _look_up, host)
        return list(dict.fromkeys(addresses))

    def close(self) -> None:
        """Look nothing up any more; what hangs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class VettedBackend(httpcore2.AsyncNetworkBackend):
    """Opens the connections of one scheme. Raises UrlRefused in place of connecting."""

    def __init__(self, scheme: str, outbound: Outbound, resolve: Resolve) -> None:
        """`scheme`: what is spoken over the connections; httpcore2 does not say it here."""
        self._scheme = scheme
        self._outbound = outbound
        self._resolve = resolve
        self._sockets = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore2's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Look the name up, vet all it leads to, and connect to the first address that answers."""
        destination = Destination(scheme=self._scheme, host=host, port=port)
        tried = (await self._vetted(destination, timeout))[:_ADDRESSES_TRIED]
        failure: Exception = httpcore2.ConnectError("Its name has no address.")
        for address in tried:
            try:
                stream = await self._sockets.connect_tcp(
                    str(address),
                    port,
                    timeout=None if timeout is None else timeout / len(tried),
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return HeadBoundedStream(stream)
        raise failure

    async def _vetted(
        self, destination: Destination, timeout_s: float | None
    ) -> tuple[Address, ...]:
        if destination.address is not None:
            return self._outbound.admit(destination, [destination.host])
        within_s = _LOOK_UP_WITHIN_S if timeout_s is None else min(timeout_s, _LOOK_UP_WITHIN_S)
        try:
            async with asyncio.timeout(within_s):
                found = await self._resolve(destination.host)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout("Its name could not be looked up in time.") from error
        except OSError as error:
            raise httpcore2.ConnectError("Its name could not be looked up.") from error
        return self._outbound.admit(destination, found)


def _look_up(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]
