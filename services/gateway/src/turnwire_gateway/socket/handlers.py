"""The WebSocket's route: who is there, and then a connection of theirs."""

from starlette.websockets import WebSocket

from turnwire_gateway.answers.errors import ApiError
from turnwire_gateway.answers.plain import error_response
from turnwire_gateway.identity import Identify
from turnwire_gateway.socket.connection import Connection
from turnwire_gateway.socket.ports import SocketPorts


class SocketHandlers:
    """What the API does on WebSockets."""

    def __init__(self, ports: SocketPorts, identify: Identify) -> None:
        """Stand on the same turns as HTTP; `identify` tells who is calling."""
        self._ports = ports
        self._identify = identify

    async def connect(self, websocket: WebSocket) -> None:
        """`GET /v1/responses` with an upgrade; whoever may not come in gets an HTTP answer."""
        try:
            caller = self._identify(websocket.headers.get("authorization"))
        except ApiError as error:
            await websocket.send_denial_response(error_response(error))
            return
        await websocket.accept()
        await Connection(websocket, self._ports, caller).run()
