"""An MCP server that costs next to nothing: `python -m bench.tool_server --port N`.

It speaks the 2025 protocols, with a session for each client, and answers every call at once.
"""

import argparse
import asyncio
from typing import Any, cast

import httptools
import orjson
import uvloop

_VERSION = "2025-11-25"
_TOOL = "look_up"
_NOT_ALLOWED = b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n"
_ACCEPTED = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
_UNKNOWN = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"
_ENDED = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
_RESULTS: dict[str, dict[str, Any]] = {
    "initialize": {
        "protocolVersion": _VERSION,
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "bench", "version": "1"},
    },
    "tools/list": {
        "tools": [
            {
                "name": _TOOL if number == 0 else f"{_TOOL}_{number}",
                "description": "Look something up in the books of the year and tell what is there.",
                "inputSchema": {
                    "type": "object",
                    "properties": {"what": {"type": "string", "description": "A word or two."}},
                },
                "annotations": {"readOnlyHint": True},
            }
            for number in range(4)
        ]
    },
    "tools/call": {
        "content": [{"type": "text", "text": "It is written that it was so. " * 8}],
        "isError": False,
    },
}


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._parser: Any = None
        self._transport: asyncio.Transport | None = None
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._body = []

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._transport is not None:
            method: bytes = self._parser.get_method()
            self._transport.write(_answer(method, b"".join(self._body)))


def _answer(method: bytes, body: bytes) -> bytes:
    if method != b"POST":
        return _ENDED if method == b"DELETE" else _NOT_ALLOWED
    message: dict[str, Any] = orjson.loads(body)
    if "id" not in message:
        return _ACCEPTED
    result = _RESULTS.get(message["method"])
    if result is None:
        return _UNKNOWN
    told = orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result})
    session = "mcp-session-id: s1\r\n" if message["method"] == "initialize" else ""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{session}"
    return f"{head}content-length: {len(told)}\r\n\r\n".encode() + told


async def serve(port: int) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))
