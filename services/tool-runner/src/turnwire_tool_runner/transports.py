"""Two transports: one for URLs of clients, which are checked, and one for the operator's."""

from turnwire_tool_runner.outbound.connecting import Resolve
from turnwire_tool_runner.outbound.policy import ANYWHERE, Outbound, UrlRefused
from turnwire_tool_runner.outbound.transport import OutboundTransport
from turnwire_tool_runner.tool_servers import Target, ToolServerError


class OutboundTransports:
    """Two pools of connections: none that was made for one serves the other."""

    def __init__(self, outbound: Outbound, resolve: Resolve) -> None:
        """`outbound`: which addresses URLs of clients may lead to."""
        self._outbound = outbound
        self._vetted = OutboundTransport(outbound, resolve)
        self._operators = OutboundTransport(ANYWHERE, resolve)

    def to(self, target: Target) -> OutboundTransport:
        """Give the transport for a target. Raises ToolServerError.

        The transport would refuse the same URLs, but only after the SDK had read them.
        """
        outbound = ANYWHERE if target.is_operators else self._outbound
        try:
            outbound.check(target.url)
        except UrlRefused as error:
            raise ToolServerError("invalid_server_url", str(error), unsent=True) from None
        return self._operators if target.is_operators else self._vetted

    async def aclose(self) -> None:
        """Close all connections."""
        await self._vetted.aclose()
        await self._operators.aclose()
