"""Lists as they come in, without the tools that are none: the SDK refuses a list for one of them.

It sits between the SDK's connection and its session, where an answer is read and not yet judged.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any, Self, cast

from mcp.client._transport import ReadStream, TransportStreams
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCResponse
from mcp_types.methods import validate_server_result
from pydantic import ValidationError

_METHOD = "tools/list"


class Listings:
    """Cleans the lists of one session, and keeps the names of all that stood there."""

    def __init__(self, version: Callable[[], str]) -> None:
        """`version`: the protocol that the session speaks."""
        self._version = version
        self.names: list[str] = []

    @asynccontextmanager
    async def over(
        self, streams: AbstractAsyncContextManager[TransportStreams]
    ) -> AsyncGenerator[TransportStreams]:
        """Give a connection whose lists are clean."""
        async with streams as (reads, writes):
            yield _Cleaned(reads, self._clean), writes

    def _clean(self, message: SessionMessage | Exception) -> None:
        answer = message.message if isinstance(message, SessionMessage) else None
        if not isinstance(answer, JSONRPCResponse):
            return
        tools: object = answer.result.get("tools")
        if not isinstance(tools, list):
            return
        listed = cast("list[object]", tools)
        self.names += map(_name, listed)
        if not self._is_valid(answer.result):
            answer.result["tools"] = [
                tool for tool in listed if self._is_valid({**answer.result, "tools": [tool]})
            ]

    def _is_valid(self, result: dict[str, Any]) -> bool:
        try:
            validate_server_result(_METHOD, self._version(), result)
        except (ValidationError, RecursionError):
            return False
        return True


class _Cleaned:
    """The SDK's stream; `last_context` is what it looks up there beside the messages."""

    def __init__(
        self,
        inner: ReadStream[SessionMessage | Exception],
        clean: Callable[[SessionMessage | Exception], None],
    ) -> None:
        self._inner = inner
        self._clean = clean

    @property
    def last_context(self) -> Any:
        return getattr(self._inner, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        message = await self._inner.receive()
        self._clean(message)
        return message

    async def aclose(self) -> None:
        await self._inner.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        message = await self._inner.__anext__()
        self._clean(message)
        return message

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool | None:
        return await self._inner.__aexit__(exc_type, exc_val, exc_tb)


def _name(tool: object) -> str:
    told = cast("dict[str, object]", tool).get("name") if isinstance(tool, dict) else None
    return told if isinstance(told, str) else ""
