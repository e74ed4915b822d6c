"""Asks a stack for things and keeps every answer as it came, with its headers."""

from typing import Any

import aiohttp
import orjson

from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api


class Questioner:
    """`answers` has the bytes of everything that was ever said to it."""

    def __init__(self, session: aiohttp.ClientSession, stack: Stack) -> None:
        """The stack must run; the session outlives this."""
        self.answers: dict[str, tuple[bytes, ...]] = {}
        self._session = session
        self._api = Api(session, stack.url, {})
        self._caller = stack.bearer

    async def asks(self, status: int, call: str, body: JSON | None = None, **headers: str) -> Any:
        """Ask, `call` being a method and a path, and be answered with that status."""
        method, _, path = call.partition(" ")
        told = {**self._caller, **{name.replace("_", "-"): said for name, said in headers.items()}}
        async with self._api.of(told).exchange(method, path, body) as answer:
            content = await self._keep(call, answer)
        if answer.status != status:
            raise AssertionError(f"{call}: {answer.status} {content.decode()}")
        return orjson.loads(content) if answer.content_type == "application/json" else content

    async def visits(self, url: str) -> None:
        """Ask for an address that needs no caller."""
        async with self._session.get(url) as answer:
            await self._keep(f"GET {url}", answer)

    async def _keep(self, call: str, answer: aiohttp.ClientResponse) -> bytes:
        content = await answer.read()
        headers = b"\n".join(b": ".join(each) for each in answer.raw_headers)
        self.answers[f"answer {len(self.answers)} to {call}"] = (content, headers)
        return content
