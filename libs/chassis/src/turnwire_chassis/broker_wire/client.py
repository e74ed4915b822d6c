"""nats-py's client, whose short ways have no task, queue or lock in them.

What finds the connection open and nothing waiting is written with all else of the same turn of the
event loop; the rest (buffers while there is no connection, back-pressure) is nats-py's own.
"""

import asyncio
import re
from functools import lru_cache
from itertools import count
from typing import Any, Final

from nats.aio.client import Client, Srv
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import ConnectionDrainingError, MaxPayloadError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.protocol.parser import AWAITING_CONTROL_LINE

from turnwire_chassis.broker_wire.transport import Listeners, ListeningTransport, Take

_INVALID: Final = re.compile(r"[\s\0]|^$")
"""What no subject has: a line break in one would be a command of its own."""


class DirectClient(Client):
    """A client of nats-py with one write for a turn of the event loop, and listeners."""

    def __init__(self) -> None:
        """Connect by `connect`."""
        super().__init__()
        self._listeners = Listeners(self._listener_failed)
        self._leaving: list[bytes] = []
        """Commands of this turn of the event loop."""
        self._tokens = count(1)
        self._answers = 0
        self._failing: set[asyncio.Future[None]] = set()

    async def listen(self, subject: str, take: Take) -> Subscription:
        """Call `take` with each message without headers, as it is read; it must not block."""
        # Nothing else takes a number before `subscribe` has taken it.
        self._listeners.add(self._sid + 1, take)
        return await self.subscribe(subject, future=asyncio.get_running_loop().create_future())

    async def publish(
        self,
        subject: str,
        payload: bytes = b"",
        reply: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        """See nats-py."""
        if headers or not self._writes_at_once or not _is_valid(subject):
            await super().publish(subject, payload, reply, headers)
            return
        size = len(payload)
        if size > self._max_payload:
            raise MaxPayloadError
        self.stats["out_msgs"] += 1
        self.stats["out_bytes"] += size
        head = f"PUB {subject} {reply} {size}\r\n" if reply else f"PUB {subject} {size}\r\n"
        self._write(b"%b%b\r\n" % (head.encode(), payload))

    @property
    def _writes_at_once(self) -> bool:
        """Whether a command that is written now stands behind all that were given before it."""
        return (
            self._status == Client.CONNECTED
            and not self._pending_data_size
            and isinstance(self._transport, ListeningTransport)
            and self._transport.is_writable
        )

    async def _send_command(self, cmd: bytes, priority: bool = False) -> None:  # noqa: FBT001, FBT002 -- nats-py's own signature
        if self._writes_at_once:
            self._write(cmd)
        else:
            await super()._send_command(cmd, priority)

    def _write(self, command: bytes) -> None:
        if not self._leaving:
            asyncio.get_running_loop().call_soon(self._leave)
        self._leaving.append(command)

    def _leave(self) -> None:
        """Write what has gathered; without a connection it waits for the next with all else."""
        commands, self._leaving = self._leaving, []
        if not commands:
            return
        transport = self._transport
        is_connected = self._status == Client.CONNECTED
        if is_connected and isinstance(transport, ListeningTransport) and transport.is_open:
            transport.writelines(commands)
        else:
            self._pending[:0] = commands
            self._pending_data_size += sum(map(len, commands))

    async def _send_ping(self, future: "asyncio.Future[Any] | None" = None) -> None:
        # Its answer tells that all before it has arrived.
        self._leave()
        await super()._send_ping(future)

    async def _close(self, status: int, do_cbs: bool = True) -> None:  # noqa: FBT001, FBT002 -- nats-py's own signature
        self._leave()
        await super()._close(status, do_cbs)

    async def _flush_pending(self, force_flush: bool = False) -> Any:  # noqa: FBT001, FBT002 -- nats-py's own signature
        """Wake the task that flushes, if it has anything to flush."""
        if force_flush or self._pending_data_size:
            return await super()._flush_pending(force_flush)
        return None

    async def _request_new_style(
        self,
        subject: str,
        payload: bytes,
        timeout: float = 1,  # noqa: ASYNC109 -- nats-py's own signature
        headers: dict[str, Any] | None = None,
    ) -> Msg:
        """See nats-py: the prefix of the inbox is drawn, and cannot be guessed; replies count."""
        if self.is_draining_pubs:
            raise ConnectionDrainingError
        if not self._resp_sub_prefix:
            await self._init_request_sub()
        inbox = self._resp_sub_prefix.decode()  # pyright: ignore[reportOptionalMemberAccess] -- just made
        loop = asyncio.get_running_loop()
        token = str(next(self._tokens))
        answered = self._resp_map[token] = loop.create_future()
        timer = loop.call_later(timeout, _give_up, answered)
        try:
            await self.publish(subject, payload, reply=inbox + token, headers=headers)
            return await answered
        finally:
            timer.cancel()
            self._resp_map.pop(token, None)

    async def _init_request_sub(self) -> None:
        # The subscription that nats-py makes for all answers.
        self._answers = self._sid + 1
        self._listeners.add(self._answers, self._answered)
        await super()._init_request_sub()

    def _answered(self, subject: bytes, body: bytes) -> None:
        self._answer(self.msg_class(self, subject.decode(), "", body))

    async def _request_sub_callback(self, msg: Msg) -> None:
        """Take an answer with headers: most often, that no service listens (nats-py)."""
        self._answer(msg)

    def _answer(self, message: Msg) -> None:
        token = message.subject.rpartition(".")[2]
        answered: asyncio.Future[Msg] | None = self._resp_map.get(token)  # pyright: ignore[reportUnknownVariableType] -- a bare Future in nats-py
        if answered is not None and not answered.done():
            answered.set_result(message)

    async def _connect_to_server(self, s: Srv) -> None:
        if s.uri.scheme not in ("ws", "wss") and self._transport is None:
            self._transport = ListeningTransport(self._listeners, self._is_parsed)
        await super()._connect_to_server(s)

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None
    ) -> None:
        is_status = headers and sid == self._answers
        if is_status or not self._listeners.hear(sid, subject, data):
            await super()._process_msg(sid, subject, reply, data, headers)  # pyright: ignore[reportArgumentType] -- it takes `None`

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        self._listeners.remove(sid)
        super()._remove_sub(sid, max_msgs)

    def _is_parsed(self) -> bool:
        return not self._ps.buf and self._ps.state == AWAITING_CONTROL_LINE

    def _listener_failed(self, error: Exception) -> None:
        telling = asyncio.ensure_future(self._error_cb(error))
        self._failing.add(telling)
        telling.add_done_callback(self._failing.discard)


def _give_up(answered: "asyncio.Future[Msg]") -> None:
    if not answered.done():
        answered.set_exception(NatsTimeoutError())


@lru_cache(maxsize=1024)
def _is_valid(subject: str) -> bool:
    return not _INVALID.search(subject)
