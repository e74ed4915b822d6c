"""Sends one event to its receiver, over connections that are vetted as those to MCP servers are."""

import asyncio
import time
from contextlib import suppress
from typing import Final

import httpx2
import orjson

from turnwire_chassis.webhooks.signing import signature_headers
from turnwire_contracts.webhooks.delivery import WebhookDelivery
from turnwire_tool_runner.outbound.connecting import Resolve
from turnwire_tool_runner.outbound.policy import SETTING as ALLOWED
from turnwire_tool_runner.outbound.policy import Outbound, UrlRefused
from turnwire_tool_runner.outbound.reading import ReadLimits
from turnwire_tool_runner.outbound.transport import OutboundTransport
from turnwire_tool_runner.webhooks.receivers import Receiver
from turnwire_tool_runner.webhooks.retrying import Attempt, read_answer

_LIMITS: Final = ReadLimits(body=65_536, stream=65_536, event=65_536)
_READ_WITHIN_S: Final = 1.0
"""The status says all; the rest is read only so that the connection can be used again."""


class WebhookSender:
    """Posts events. No redirect is followed, no cookie kept, no proxy used."""

    def __init__(self, outbound: Outbound, resolve: Resolve, timeout_s: float) -> None:
        """`outbound`: where URLs may lead; `timeout_s`: within which a receiver must answer."""
        self._transport = OutboundTransport(outbound, resolve, _LIMITS)
        self._outbound = outbound
        self._timeout_s = timeout_s

    def host_of(self, receiver: Receiver) -> str:
        """Name the host and port that a receiver's URL leads to; empty if it leads nowhere."""
        try:
            destination = self._outbound.check(receiver.url)
        except UrlRefused:
            return ""
        return f"{destination.host}:{destination.port}"

    async def send(self, delivery: WebhookDelivery, receiver: Receiver) -> Attempt:
        """Send an event, signed for this moment."""
        body = orjson.dumps(delivery.payload)
        signed = signature_headers(delivery.event_id, int(time.time()), body, receiver.secrets)
        try:
            # Before anything else reads it: what the client cannot read is no URL to try again.
            self._outbound.check(receiver.url)
            async with asyncio.timeout(self._timeout_s):
                response = await self._post(receiver.url, body, signed)
        except TimeoutError:
            return Attempt("unreachable", f"no answer within {self._timeout_s:g} s")
        except UrlRefused as error:
            # The way out behind it names the host, which is not for logs.
            why, _, _ = str(error).partition(". ")
            return Attempt("forbidden", f"{why.rstrip('.')} ({ALLOWED})")
        except httpx2.HTTPError as error:
            return Attempt("unreachable", type(error).__name__)
        attempt = read_answer(response.status_code, response.headers, time.time())
        # What is said beside the status takes nothing away from it.
        await _let_go(response)
        return attempt

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def _post(self, url: str, body: bytes, signed: dict[str, str]) -> httpx2.Response:
        headers = {"content-type": "application/json", "user-agent": "Turnwire", **signed}
        limits = dict.fromkeys(("connect", "read", "write", "pool"), self._timeout_s)
        request = httpx2.Request(
            "POST", url, headers=headers, content=body, extensions={"timeout": limits}
        )
        return await self._transport.handle_async_request(request)


async def _let_go(response: httpx2.Response) -> None:
    with suppress(TimeoutError, httpx2.HTTPError):
        async with asyncio.timeout(_READ_WITHIN_S):
            async for _ in response.aiter_raw():
                pass
    with suppress(httpx2.HTTPError):
        await response.aclose()
