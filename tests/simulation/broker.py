"""The simulated broker: connections, subscriptions, streams; on one node, or on three.

Messages take their time. Those of one connection keep their order, those of two do not. A broker on
three nodes elects leaders: it confirms nothing meanwhile, may confirm nothing of what it kept, and
loses what it has in memory; one node loses its memory when it is killed.
"""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any
from zlib import crc32

import orjson

from simulation import broker_api
from simulation.connections import Connection, Listening, Weather
from simulation.consumers import Consumer
from simulation.loop import SimLoop
from simulation.streams import NO_LEADER, RefusedError, Stream, matches
from turnwire_contracts import subjects

if TYPE_CHECKING:
    from simulation.client import SimClient

_QUICKEST_S = 0.0002
_SLOWEST_S = 0.002

_UNCONFIRMED = ("output.", "answer.")
"""What is sent to those who listen, and confirmed by nobody."""

Observer = Callable[[Stream, int], None]
"""Is told of every message that a stream keeps."""


class Broker:
    """All nodes of the broker as one; what differs between them is drawn."""

    def __init__(self, loop: SimLoop, random: Random, *, clustered: bool) -> None:
        """`clustered`: on three nodes."""
        self.loop = loop
        self.random = random
        self.clustered = clustered
        self.weather = Weather()
        self.observers: list[Observer] = []
        self.is_up = True
        self.digest = 0
        """Of all that has come here, and when."""
        self.streams = _streams()
        self.consumers: dict[str, Consumer] = {}
        self.connections: list[Connection] = []
        self.on_frames: Callable[[str, bytes], None] = lambda _subject, _data: None
        self._life = 0
        self._numbers = 0
        self._exact: dict[str, list[Listening]] = {}
        self._patterns: dict[str, list[Listening]] = {}

    # Connections.

    @property
    def now(self) -> float:
        """The time."""
        return self.loop.now

    def at(self, when: float, callback: Callable[..., Any], *args: Any) -> None:
        """Do something later, if the broker still runs then."""
        self.loop.at(when, self.loop.outside, self._if_alive, self._life, callback, args)

    def _if_alive(self, life: int, callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
        if life == self._life:
            callback(*args)

    def connect(self, client: "SimClient") -> Connection:
        """Give a new connection of a client."""
        self._numbers += 1
        connection = Connection(client, self._numbers)
        self.connections.append(connection)
        return connection

    def disconnect(self, connection: Connection) -> None:
        """Forget a connection, with what is on its way in either direction."""
        connection.is_open = False
        if connection in self.connections:
            self.connections.remove(connection)
        for sid in list(connection.listening):
            self.unsubscribe(connection, sid)

    def send(self, connection: Connection, callback: Callable[..., None], *args: Any) -> None:
        """Bring something to the broker, behind what this connection has sent before."""
        now = self.loop.now
        if connection.up_batch and connection.up_since == now:
            connection.up_batch.append((callback, args))
            return
        connection.up_batch = batch = [(callback, args)]
        connection.up_since = now
        when = connection.up_at = max(connection.up_at, now + self._latency())
        self.loop.at(when, self.loop.outside, self._arrive, connection, batch)

    def _arrive(
        self, connection: Connection, batch: list[tuple[Callable[..., None], tuple[Any, ...]]]
    ) -> None:
        if batch is connection.up_batch:
            connection.up_batch = []
        for callback, args in batch:
            if connection.is_open and self.is_up:
                callback(connection, *args)

    def _latency(self) -> float:
        spread = self.random.random() * (_SLOWEST_S - _QUICKEST_S)
        return (_QUICKEST_S + spread) * self.weather.slowness

    # What clients send.

    def subscribe(self, connection: Connection, sid: int, subject: str, queue: str) -> None:
        """Hear of messages on a subject."""
        one = Listening(connection, sid, subject, queue)
        connection.listening[sid] = one
        if "*" in subject.removesuffix(".*"):
            self._patterns.setdefault(subject.partition(".")[0], []).append(one)
        else:
            self._exact.setdefault(subject, []).append(one)

    def unsubscribe(self, connection: Connection, sid: int) -> None:
        """Hear of them no more."""
        one = connection.listening.pop(sid, None)
        if one is None:
            return
        of_exact = self._exact.get(one.subject)
        if of_exact is None:
            self._patterns[one.subject.partition(".")[0]].remove(one)
            return
        of_exact.remove(one)
        if not of_exact:
            del self._exact[one.subject]

    def publish(
        self,
        connection: Connection,
        subject: str,
        reply: str,
        headers: dict[str, str] | None,
        data: bytes,
    ) -> None:
        """Take a message: hand it on, keep it, confirm it."""
        self.digest = crc32(data, crc32(b"%d %b" % (self.now * 1e6, subject.encode()), self.digest))
        if subject.startswith("output."):
            self.on_frames(subject, data)
        del connection
        if subject.startswith("$JS.ACK."):
            broker_api.acknowledge(self, subject, data)
            return
        if subject.startswith("$JS.API."):
            broker_api.answer(self, subject, reply, data)
            return
        heard = self.deliver(subject, reply, headers, data)
        stream = self.stream_of(subject)
        if stream is not None:
            self._keep(stream, subject, reply, headers, data)
        elif not heard and reply:
            self.deliver(reply, "", {"Status": "503"}, b"")

    def stream_of(self, subject: str) -> Stream | None:
        """Give the stream that keeps messages on a subject."""
        return next((each for each in self.streams.values() if each.takes(subject)), None)

    def _keep(
        self, stream: Stream, subject: str, reply: str, headers: dict[str, str] | None, data: bytes
    ) -> None:
        if stream.leaderless_until > self.now:
            self._without_leader(stream, subject, reply, headers, data)
            return
        try:
            sequence = stream.append(subject, headers, data, self.now)
        except RefusedError as error:
            self.refuse(reply, 400, error.code, "wrong last sequence")
            return
        for observer in self.observers:
            observer(stream, sequence)
        if reply and self.random.random() >= self.weather.lost_answers:
            confirmed = b'{"stream":"%b","seq":%d}' % (stream.name.encode(), sequence)
            self.deliver(reply, "", None, confirmed)
        for consumer in self.consumers.values():
            if consumer.stream is stream:
                consumer.serve()

    def _without_leader(
        self, stream: Stream, subject: str, reply: str, headers: dict[str, str] | None, data: bytes
    ) -> None:
        """Drop a message, refuse it, or keep it later, when nobody may wait for it any more."""
        drawn = self.random.random()
        if not reply or drawn < 0.4:
            return
        if drawn < 0.7:
            self.refuse(reply, 503, NO_LEADER, "no leader")
            return
        later = stream.leaderless_until + self.random.random() * 0.1
        self.at(later, self._keep, stream, subject, reply, headers, data)

    def refuse(self, reply: str, status: int, code: int, why: str) -> None:
        """Answer with an error of the broker's API."""
        if reply:
            error = {"error": {"code": status, "err_code": code, "description": why}}
            self.deliver(reply, "", None, orjson.dumps(error))

    # What clients get.

    def has_listener(self, subject: str) -> bool:
        """Tell whether a message on a subject reaches anyone."""
        return bool(self._listening(subject))

    def deliver(
        self, subject: str, reply: str, headers: dict[str, str] | None, data: bytes, told: str = ""
    ) -> int:
        """Hand a message to all who listen on a subject, and to one of each queue."""
        found = self._listening(subject)
        if not found:
            return 0
        if len(found) == 1:
            self._bring(found[0], told or subject, reply, headers, data)
            return 1
        queues: dict[str, list[Listening]] = {}
        for one in found:
            if one.queue:
                queues.setdefault(one.queue, []).append(one)
            else:
                self._bring(one, told or subject, reply, headers, data)
        for members in queues.values():
            one = members[int(self.random.random() * len(members))]
            self._bring(one, told or subject, reply, headers, data)
        return len(found)

    def _listening(self, subject: str) -> list[Listening]:
        exact = self._exact.get(subject) or self._exact.get(subject.rpartition(".")[0] + ".*", [])
        patterns = self._patterns.get(subject.partition(".")[0])
        if not patterns:
            return exact
        return [*exact, *(one for one in patterns if matches(one.subject, subject))]

    def _bring(
        self, to: Listening, subject: str, reply: str, headers: dict[str, str] | None, data: bytes
    ) -> None:
        connection, now = to.connection, self.loop.now
        if connection.client.drops_until > now and subject.startswith(_UNCONFIRMED):
            return
        arriving = (to.sid, subject, reply, headers, data)
        if connection.down_batch and connection.down_since == now:
            connection.down_batch.append(arriving)
            return
        connection.down_batch = batch = [arriving]
        connection.down_since = now
        when = connection.down_at = max(connection.down_at, now + self._latency())
        client = connection.client
        self.loop.at(when, client.process, client.receive, connection, batch)

    # What goes wrong.

    def kill(self) -> None:
        """End the process of a broker on one node: all connections break, its memory is gone."""
        self.is_up = False
        self._life += 1
        for connection in list(self.connections):
            connection.client.broken()
        for stream in self.streams.values():
            stream.lose_memory()

    def start(self, forgotten_s: float) -> None:
        """Start again; what consumers noted in the last `forgotten_s` had not reached the disk."""
        self.is_up = True
        self.recover_consumers(self.now - forgotten_s)

    def recover_consumers(self, moment: float) -> None:
        """Have consumers as they were noted at a moment; those without a disk are gone."""
        for consumer in list(self.consumers.values()):
            if consumer.ack_wait_s:
                consumer.forget_since(moment, deliveries=not self.clustered)
            else:
                del self.consumers[consumer.name]

    def elect(self, stream: Stream, within_s: float, *, keeps_memory: bool) -> None:
        """Let a stream be without a leader for a while."""
        stream.leaderless_until = self.now + within_s
        if not keeps_memory:
            stream.lose_memory()
        self.at(stream.leaderless_until + 0.001, self._elected, stream)

    def _elected(self, stream: Stream) -> None:
        if stream.name == subjects.OUTPUT_STREAM:
            self.deliver(subjects.OUTPUT_LEADER_ELECTED, "", None, b"{}")


def _streams() -> dict[str, Stream]:
    streams = (
        Stream(subjects.TURNS_STREAM, ("turn.", "conversation.")),
        Stream(subjects.OUTPUT_STREAM, ("output.",), in_memory=True),
        Stream(subjects.LIMITS_STREAM, ("$KV.LIMITS.",), in_memory=True, last_only=True),
        Stream(subjects.DEAD_STREAM, ("dead.",)),
    )
    return {stream.name: stream for stream in streams}
