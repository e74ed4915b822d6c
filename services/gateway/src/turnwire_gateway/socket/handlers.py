"""The WebSocket's route: a connection of the caller's own."""

from starlette.websockets import WebSocket

from turnwire_gateway.socket.connection import Connection
from turnwire_gateway.socket.ports import SocketPorts


class SocketHandlers:
    """What the API does on WebSockets."""

    def __init__(self, ports: SocketPorts) -> None:
        """Stand on the same turns as HTTP."""
        self._ports = ports

    async def connect(self, websocket: WebSocket) -> None:
        """`GET /v1/responses` with an upgrade."""
        await websocket.accept()
        await Connection(websocket, self._ports, websocket.state.caller).run()
