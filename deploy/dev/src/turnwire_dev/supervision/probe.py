"""Asks over loopback or HTTP whether something answers.

Standard library only: the few requests of a start-up are no reason for a client, and loopback must
not meet a proxy.
"""

import asyncio
import http.client
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

Probe: TypeAlias = Callable[[], Awaitable[bool]]
HTTP_OK = 200


class NoAnswerError(Exception):
    """No answer came from that address; the text says why, for people."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """An HTTP answer, whatever its status."""

    status: int
    body: bytes


async def get(
    url: str, headers: Mapping[str, str] | None = None, within: float = 1.0
) -> ProbeResult:
    """GET without redirects; `within` seconds for each step of it. Raises NoAnswerError."""
    return await asyncio.to_thread(_get, url, dict(headers or {}), within)


def _get(url: str, headers: dict[str, str], within: float) -> ProbeResult:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    try:
        connection = connect(parts.hostname or "", parts.port, timeout=within)
    except (ValueError, http.client.InvalidURL) as error:
        raise NoAnswerError(str(error)) from error
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return ProbeResult(answer.status, answer.read())
    except TimeoutError as error:
        raise NoAnswerError("timed out") from error
    except OSError as error:
        raise NoAnswerError(error.strerror or str(error)) from error
    except (http.client.HTTPException, ValueError) as error:
        raise NoAnswerError("does not speak HTTP") from error
    finally:
        connection.close()


def answers_200(url: str) -> Probe:
    """Ready when a GET is answered with 200."""

    async def probe() -> bool:
        try:
            return (await get(url)).status == HTTP_OK
        except NoAnswerError:
            return False

    return probe


def answers_http(url: str) -> Probe:
    """Ready when a GET is answered at all."""

    async def probe() -> bool:
        try:
            await get(url)
        except NoAnswerError:
            return False
        return True

    return probe


def accepts_tcp(host: str, port: int, within: float = 1.0) -> Probe:
    """Ready when a connection is accepted."""

    async def probe() -> bool:
        try:
            async with asyncio.timeout(within):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    return probe
