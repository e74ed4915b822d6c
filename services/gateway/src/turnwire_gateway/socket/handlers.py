"""The WebSocket's route: a connection of the caller's own."""

from starlette.websockets import WebSocket

from turnwire_gateway.answers.errors import ApiError
from turnwire_gateway.answers.plain import error_response
from turnwire_gateway.handlers.exchange import application
from turnwire_gateway.socket.connection import Connection
from turnwire_gateway.socket.ports import SocketPorts


class SocketHandlers:
    """What the API does on WebSockets."""

    def __init__(self, ports: SocketPorts) -> None:
        """Stand on the same turns as HTTP."""
        self._ports = ports

    async def connect(self, websocket: WebSocket) -> None:
        """`GET /v1/responses` with an upgrade."""
        try:
            websocket.state.application = application(websocket.headers)
        except ApiError as error:
            await websocket.send_denial_response(error_response(error))
            return
        await websocket.accept()
        await Connection(websocket, self._ports, websocket.state.caller).run()
