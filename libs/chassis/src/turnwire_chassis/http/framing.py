"""Where an answer ends for clients that cannot read chunks, or have not sent a body. ASGI.

And an extension of ASGI: parts of an answer are written without a task, if that is possible now.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Any, Any, Send], Awaitable[None]]
WritePart = Callable[[bytes], bool]
"""Writes a part of an answer that has begun; false: it has to be sent, and waited for."""

_EXTENSION: Final = "turnwire.write_part"


def write_of(scope: Any) -> WritePart | None:
    """Give what writes parts of the answer to this request at once, if its server does so."""
    return scope.get("extensions", {}).get(_EXTENSION)


def offering(write: WritePart) -> dict[str, Any]:
    """Give what a request's scope has so that `write_of` finds `write`."""
    return {"extensions": {_EXTENSION: write}}


def offer_writing(cycle: RequestResponseCycle) -> None:
    """Let the application find what `write_of` gives."""

    def write_part(body: bytes) -> bool:
        """Write a chunk, unless the client is slow or gone, or the answer has another shape."""
        if (
            not body
            or cycle.flow.write_paused
            or cycle.disconnected
            or not cycle.chunked_encoding
            or not cycle.response_started
            or cycle.response_complete
        ):
            return False
        cycle.transport.write(b"%x\r\n%b\r\n" % (len(body), body))
        return True

    cycle.scope.update(offering(write_part))  # pyright: ignore[reportCallIssue, reportArgumentType] -- one of ours


def close_delimited(app: Application, cycle: RequestResponseCycle) -> Application:
    """Let an answer of unknown length end with its connection, as HTTP/1.0 has no chunks.

    RFC 9112 §6.1: no transfer coding unless the request says HTTP/1.1.
    """

    async def answer(scope: Any, receive: Any, send: Send) -> None:
        is_open_ended = False

        async def send_unchunked(message: Any) -> None:
            nonlocal is_open_ended
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message.get("headers", ())}
                is_open_ended = b"content-length" not in names
                if is_open_ended:
                    cycle.chunked_encoding = False
            elif is_open_ended:
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await app(scope, receive, send_unchunked)

    return answer


def closing_unless_continued(app: Application, cycle: RequestResponseCycle) -> Application:
    """Close the connection behind an answer to a client that still waits to send its body.

    Whether the body comes then is the client's choice (RFC 9110 §10.1.1), so what it sends next
    could be either.
    """

    async def answer(scope: Any, receive: Any, send: Send) -> None:
        async def send_closing(message: Any) -> None:
            if cycle.waiting_for_100_continue and cycle.more_body and not cycle.body:
                cycle.keep_alive = False
            await send(message)

        await app(scope, receive, send_closing)

    return answer
