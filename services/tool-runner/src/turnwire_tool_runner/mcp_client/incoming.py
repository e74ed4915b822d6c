"""Answers as they come in: lists without the tools that are none, results as MCP demands them.

The SDK refuses a list for one tool, and a result for one part. This sits between its connection and
its session, where an answer is read and not yet judged.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any, Self, cast

from mcp.client._transport import ReadStream, TransportStreams, WriteStream
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCRequest, JSONRPCResponse
from mcp_types.methods import validate_server_result
from pydantic import ValidationError

from turnwire_contracts.json_values import JSON
from turnwire_tool_runner.mcp_client.call_results import is_plain, readable

_LIST = "tools/list"
_CALL = "tools/call"


class Incoming:
    """Cleans what one session gets, and keeps the names of all that stood in its lists."""

    def __init__(self, version: Callable[[], str]) -> None:
        """`version`: the protocol that the session speaks."""
        self._version = version
        self._calls: set[str | int] = set()
        self.names: list[str] = []

    @asynccontextmanager
    async def over(
        self, streams: AbstractAsyncContextManager[TransportStreams]
    ) -> AsyncGenerator[TransportStreams]:
        """Give a connection whose answers are clean."""
        async with streams as (reads, writes):
            yield _Cleaned(reads, self._clean), _Watched(writes, self._note)

    def _note(self, message: SessionMessage) -> None:
        request = message.message
        if isinstance(request, JSONRPCRequest) and request.method == _CALL:
            self._calls.add(request.id)

    def _clean(self, message: SessionMessage | Exception) -> None:
        answer = message.message if isinstance(message, SessionMessage) else None
        if isinstance(answer, JSONRPCError) and answer.id is not None:
            self._calls.discard(answer.id)
        if not isinstance(answer, JSONRPCResponse):
            return
        if answer.id in self._calls:
            self._calls.discard(answer.id)
            if not is_plain(answer.result):
                answer.result = readable(answer.result, self._version())
            return
        tools: object = answer.result.get("tools")
        if isinstance(tools, list):
            self._clean_list(answer.result, cast("list[object]", tools))

    def _clean_list(self, result: JSON, listed: list[object]) -> None:
        self.names += map(_name, listed)
        if not self._is_valid(result):
            result["tools"] = [
                tool for tool in listed if self._is_valid({**result, "tools": [tool]})
            ]

    def _is_valid(self, result: JSON) -> bool:
        try:
            validate_server_result(_LIST, self._version(), result)
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


class _Watched:
    """The SDK's stream of what is sent."""

    def __init__(
        self, inner: WriteStream[SessionMessage], note: Callable[[SessionMessage], None]
    ) -> None:
        self._inner = inner
        self._note = note

    async def send(self, item: SessionMessage, /) -> None:
        self._note(item)
        await self._inner.send(item)

    async def aclose(self) -> None:
        await self._inner.aclose()

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
    name = cast("dict[str, object]", tool).get("name") if isinstance(tool, dict) else None
    return name if isinstance(name, str) else ""
