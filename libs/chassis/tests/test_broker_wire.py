"""Messages with a listener are heard as they are read; everything else is nats-py's as before."""

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import MaxPayloadError, NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError

from turnwire_chassis.broker import BrokerConnection, connect, listen
from turnwire_chassis.broker_wire.transport import Listeners
from turnwire_testing.brokers import KillableBroker
from turnwire_testing.examples import fresh_id
from turnwire_testing.tcp_proxy import proxy_to

WITHIN_S = 30.0


class Listener:
    """Remembers what it hears."""

    def __init__(self) -> None:
        """Have heard nothing."""
        self._heard: asyncio.Queue[tuple[bytes, bytes]] = asyncio.Queue()

    def __call__(self, subject: bytes, body: bytes) -> None:
        """Hear a message."""
        self._heard.put_nowait((subject, body))

    async def bodies(self, number: int) -> list[bytes]:
        """Wait for so many messages."""
        async with asyncio.timeout(WITHIN_S):
            return [(await self._heard.get())[1] for _ in range(number)]


@pytest.fixture
def subject() -> str:
    return f"test.{fresh_id()}"


def written(number: int, body: bytes) -> bytes:
    """One message as a broker sends it."""
    reply = b" _INBOX.reply" if number % 2 else b""
    return b"MSG some.subject %d%b %d\r\n%b\r\n" % (number, reply, len(body), body)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=20)), max_size=6),
    st.integers(0, 120),
)
def test_whole_messages_are_handed_over_up_to_the_first_that_nobody_hears(
    messages: Sequence[tuple[int, bytes]], read: int
) -> None:
    heard: list[bytes] = []

    def fail(error: Exception) -> None:
        raise error

    listeners = Listeners(fail)
    for number in (0, 1, 2):
        listeners.add(number, lambda _, body: heard.append(body))
    stream = b"".join(written(*each) for each in messages)[:read]
    rest = listeners.take(stream)
    expected: list[bytes] = []
    length = 0
    for number, body in messages:
        length += len(written(number, body))
        if number not in (0, 1, 2) or length > len(stream):
            break
        expected.append(body)
    assert heard == expected
    assert rest == stream[sum(len(written(*each)) for each in messages[: len(expected)]) :]


async def test_a_listener_hears_all_messages_in_order_whatever_their_size(
    client: Client, subject: str
) -> None:
    listener = Listener()
    await listen(client, subject, listener)
    bodies = [bytes([number]) * size for number, size in enumerate((1, 700_000, 0, 9, 300_000, 2))]
    for body in bodies:
        await client.publish(subject, body)
    assert await listener.bodies(len(bodies)) == bodies


async def test_listeners_and_callbacks_share_a_connection(client: Client, subject: str) -> None:
    listener, called = Listener(), asyncio.Queue[bytes]()

    async def on_message(message: Msg) -> None:
        called.put_nowait(message.data)

    await client.subscribe(f"{subject}.called", cb=on_message)
    await listen(client, f"{subject}.heard", listener)
    sent = [b"%d" % number for number in range(50)]
    for body in sent:
        await client.publish(f"{subject}.called", body)
        await client.publish(f"{subject}.heard", body)
    assert await listener.bodies(len(sent)) == sent
    async with asyncio.timeout(WITHIN_S):
        assert [await called.get() for _ in sent] == sent


async def test_a_listener_that_fails_hears_the_next_message(client: Client, subject: str) -> None:
    listener = Listener()

    def take(name: bytes, body: bytes) -> None:
        if body == b"bad":
            raise ValueError("cannot be read")
        listener(name, body)

    await listen(client, subject, take)
    await client.publish(subject, b"bad")
    await client.publish(subject, b"good")
    assert await listener.bodies(1) == [b"good"]


async def test_headers_do_not_keep_a_message_from_its_listener(
    client: Client, subject: str
) -> None:
    listener = Listener()
    await listen(client, subject, listener)
    for body in (b"one", b"two"):
        await client.publish(subject, body, headers={"Name": "value"})
    assert await listener.bodies(2) == [b"one", b"two"]


async def test_who_has_stopped_listening_hears_nothing(client: Client, subject: str) -> None:
    first, second = Listener(), Listener()
    subscription = await listen(client, subject, first)
    await listen(client, subject, second)
    await subscription.unsubscribe()
    await client.publish(subject, b"late")
    assert await second.bodies(1) == [b"late"]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await first.bodies(1)


async def test_a_listener_goes_on_after_the_broker_was_restarted(broker: KillableBroker) -> None:
    back, listener = asyncio.Event(), Listener()

    async def on_reconnect() -> None:
        back.set()

    await broker.start()
    client = await connect(broker.url, "patient", on_reconnect)
    await listen(client, "heard", listener)
    await client.publish("heard", b"before")
    assert await listener.bodies(1) == [b"before"]
    await broker.kill()
    await broker.start()
    async with asyncio.timeout(WITHIN_S):
        await back.wait()
    await client.publish("heard", b"after")
    assert await listener.bodies(1) == [b"after"]
    await client.close()


async def test_what_is_published_while_the_peer_does_not_read_arrives_in_order(
    nats_url: str, subject: str
) -> None:
    async with proxy_to(urlsplit(nats_url).port or 0) as proxy:
        listener = Listener()
        receiving = await connect(nats_url, "test")
        sending = await connect(f"nats://127.0.0.1:{proxy.port}", "test")
        await listen(receiving, subject, listener)
        await receiving.flush()
        proxy.hold()
        bodies = [b"%d" % number + bytes(100_000) for number in range(100)]
        for body in bodies:
            await sending.publish(subject, body)
        proxy.heal()
        assert await listener.bodies(len(bodies)) == bodies
        await sending.close()
        await receiving.close()


async def test_questions_are_answered_refused_or_given_up(client: Client, subject: str) -> None:
    async def on_question(message: Msg) -> None:
        if message.data:
            await message.respond(message.data)

    with pytest.raises(NoRespondersError):
        await client.request(subject, b"?", timeout=WITHIN_S)
    await client.subscribe(subject, cb=on_question)
    asked = [client.request(subject, b"%d" % number, timeout=WITHIN_S) for number in range(20)]
    assert [message.data for message in await asyncio.gather(*asked)] == [
        b"%d" % number for number in range(20)
    ]
    with pytest.raises(NatsTimeoutError):
        await client.request(subject, b"", timeout=0.01)


async def test_a_subject_can_not_smuggle_in_a_command(client: Client) -> None:
    with pytest.raises(Exception, match="subject"):
        await client.publish("a\r\nPUB b 0\r\n", b"")


async def test_what_is_too_large_is_refused_before_it_is_sent(client: Client, subject: str) -> None:
    assert isinstance(client, BrokerConnection)
    with pytest.raises(MaxPayloadError):
        await client.publish(subject, bytes(client.max_payload + 1))
    await client.flush()
