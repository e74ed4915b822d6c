"""A stand-in for a server with Llama Guard: it speaks the API and judges by marks in the text.

No weights are to be had from the package registries, so nothing here says how well a model judges.
"""

import asyncio
import math
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from turnwire_contracts.json_values import JSON

_MARK = re.compile(r"\[\[(S\d+(?:,S\d+)*)\]\]")
_LAST_SPOKEN = re.compile(r"(?s).*\n\n(?:User|Agent): (.*)\n\n<END CONVERSATION>")


@dataclass
class LlamaGuardStub:
    """Finds `[[S1,S10]]` in the last message; a test may have it misbehave."""

    url: str = ""
    """The base of its API, which ends in /v1."""
    asked: list[JSON] = field(default_factory=list[JSON])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    says: str | None = None
    """Instead of a verdict."""
    status: int = 200
    body: bytes | None = None
    """Instead of a chat completion."""
    probability: float | None = None
    """Of `unsafe`; told in logprobs to those who want them."""
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    at_once: int = 0
    most_at_once: int = 0

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/chat/completions`."""
        body = await request.json()
        self.asked.append(body)
        self.headers.append(dict(request.headers))
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            await self.may_answer.wait()
        finally:
            self.at_once -= 1
        if self.body is not None or self.status != web.HTTPOk.status_code:
            return web.Response(body=self.body, status=self.status)
        return web.json_response(self._completion(body))

    async def models(self, request: web.Request) -> web.Response:
        """`GET /v1/models`."""
        del request
        return web.json_response({"object": "list", "data": [{"id": "llama-guard"}]})

    def _completion(self, body: JSON) -> JSON:
        choice: JSON = {
            "index": 0,
            "message": {"role": "assistant", "content": self.says or _verdict(body)},
            "finish_reason": "stop",
        }
        if body.get("logprobs") and self.probability is not None:
            choice["logprobs"] = {"content": _logprobs(self.probability)}
        return {"object": "chat.completion", "model": body["model"], "choices": [choice]}


@asynccontextmanager
async def llama_guard(port: int = 0) -> AsyncGenerator[LlamaGuardStub]:
    """Run one on a port, 0: on a free one."""
    stub = LlamaGuardStub()
    stub.may_answer.set()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", stub.complete)
    app.router.add_get("/v1/models", stub.models)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    _, port, *_ = runner.addresses[0]
    stub.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield stub
    finally:
        stub.may_answer.set()
        await runner.cleanup()


def _verdict(body: JSON) -> str:
    last: Any = body["messages"][-1]["content"]
    text = last if isinstance(last, str) else last[0]["text"]
    spoken = _LAST_SPOKEN.match(text)
    found = _MARK.findall(spoken[1] if spoken else text)
    return f"\n\nunsafe\n{','.join(found)}" if found else "\n\nsafe"


def _logprobs(unsafe: float) -> list[JSON]:
    words = {"safe": 1 - unsafe, "unsafe": unsafe}
    chosen = max(words, key=lambda word: words[word])
    top = [{"token": word, "logprob": math.log(max(p, 1e-9))} for word, p in words.items()]
    return [
        {"token": "\n\n", "logprob": 0.0, "top_logprobs": []},
        {"token": chosen, "logprob": math.log(words[chosen]), "top_logprobs": top},
    ]
