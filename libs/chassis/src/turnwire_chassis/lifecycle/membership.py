"""How one process answers when all are asked how they are."""

import asyncio
import os
import socket
import time
from importlib.metadata import version
from typing import Final

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_chassis.lifecycle.lifecycle import Lifecycle
from turnwire_contracts import subjects
from turnwire_contracts.administration.deployment import MemberStatus

_ANSWER_WITHIN_S: Final = 0.5
"""Who asks waits for all, and not for one whose checks hang."""


class Membership:
    """One process of a service, among all."""

    def __init__(self, service: str, lifecycle: Lifecycle) -> None:
        """`service`: its name, as that of its package is `turnwire-<service>`."""
        self._service = service
        self._lifecycle = lifecycle
        self._version = version(f"turnwire-{service}")
        self._instance = f"{socket.gethostname()}-{os.getpid()}"
        self._started = time.time_ns() // 1_000_000

    async def answer(self, question: bytes = b"") -> bytes:
        """Tell how this process is, as an answer on `members`."""
        del question
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                problems, details = await asyncio.gather(
                    self._lifecycle.problems(), self._lifecycle.details()
                )
        except TimeoutError:
            problems, details = {"checks": "no answer in time"}, {}
        return msgspec.json.encode(
            MemberStatus(
                self._service, self._instance, self._version, self._started, problems, details
            )
        )

    async def answer_on(self, client: Client) -> None:
        """Answer on this connection from now on."""

        async def on_question(message: Msg) -> None:
            await message.respond(await self.answer())

        await client.subscribe(subjects.MEMBERS, cb=on_question)
