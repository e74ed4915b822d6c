"""Plays one performance on a connection: a beat for each turn of the event loop."""

import asyncio
import socket
import struct
from collections.abc import Callable

from scripted_backend.beats import Beat
from scripted_backend.performance import Ending, Performance

_LINGER_ZERO = struct.pack("ii", 1, 0)


class Gate:
    """Where paused answers wait for `release`."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._waiting: list[Callable[[], None]] = []

    @property
    def paused(self) -> int:
        """How many answers are held now."""
        return len(self._waiting)

    def hold(self, go_on: Callable[[], None]) -> None:
        """Keep an answer until it is released."""
        self._waiting.append(go_on)
        self._changed()

    def forget(self, go_on: Callable[[], None]) -> None:
        """Drop an answer whose client has left."""
        if go_on in self._waiting:
            self._waiting.remove(go_on)

    def release(self) -> int:
        """Let all held answers go on; gives how many there were."""
        waiting, self._waiting = self._waiting, []
        for go_on in waiting:
            go_on()
        return len(waiting)


class Player:
    """One answer on its way. `ended` is called once, unless the player is stopped before."""

    def __init__(
        self,
        performance: Performance,
        transport: asyncio.Transport,
        gate: Gate,
        ended: Callable[[], None],
    ) -> None:
        self._performance = performance
        self._transport = transport
        self._gate = gate
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._chunked = performance.chunked
        self._burst = performance.delivery.burst
        self._delays = (performance.delivery.first_delay, performance.delivery.delay)
        self._pauses = set(performance.delivery.pauses)
        self._next: Beat | None = None
        self._timer: asyncio.Handle | None = None
        self.sent = 0

    def start(self) -> None:
        """Write the head and arrange the first beat."""
        if self._performance.head:
            self._transport.write(self._performance.head)
        self._next = next(self._performance.beats, None)
        self._arrange()

    def stop(self) -> None:
        """Do nothing more: the connection is gone."""
        self._gate.forget(self._arrange)
        if self._timer is not None:
            self._timer.cancel()

    def _arrange(self) -> None:
        beat = self._next
        at_delta = beat is not None and beat.deltas > 0
        if self._pauses and self.sent in self._pauses and (self.sent or at_delta):
            self._pauses.discard(self.sent)
            self._gate.hold(self._arrange)
            return
        wait = self._delays[self.sent > 0] if at_delta else 0.0
        if wait > 0:
            self._timer = self._loop.call_later(wait, self._play)
        else:
            self._timer = self._loop.call_soon(self._play)

    def _play(self) -> None:
        beat = self._next
        if beat is None:
            self._end()
            return
        out: list[bytes] = []
        for _ in range(self._burst):
            data = beat.data
            out.append(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
            self.sent += beat.deltas
            beat = next(self._performance.beats, None)
            if beat is None or not beat.deltas or self.sent in self._pauses:
                break
        self._next = beat
        self._transport.write(b"".join(out))
        self._arrange()

    def _end(self) -> None:
        match self._performance.ending:
            case Ending.HANG:
                return
            case Ending.END:
                if self._chunked:
                    self._transport.write(b"0\r\n\r\n")
            case Ending.CLOSE:
                self._transport.close()
            case Ending.RESET:
                reset(self._transport)
        self._ended()


def reset(transport: asyncio.Transport) -> None:
    """Drop a connection so that its peer sees a reset and not an end."""
    sock: socket.socket = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()
