"""Text that is not Unicode costs its bad characters, on HTTP and on WebSockets (sockets)."""

from collections.abc import AsyncGenerator

import orjson
import pytest
from websockets.exceptions import ConnectionClosed

from turnwire_testing.gateway import Api
from turnwire_testing.listening import listening
from turnwire_testing.raw_http import Reply, raw, request
from turnwire_testing.sockets import connected

CREATES: dict[str, tuple[bytes, object]] = {
    "a high half": (rb'{"model":"m","input":"A\ud83d"}', "A\ufffd"),
    "a low half": (rb'{"model":"m","input":"\ude00B"}', "\ufffdB"),
    "halves the wrong way round": (rb'{"model":"m","input":"\ude00\ud83d"}', "\ufffd\ufffd"),
    "a pair": (rb'{"model":"m","input":"\ud83d\ude00"}', "\U0001f600"),
    "a pair beside a half": (
        rb'{"model":"m","input":"\ud83d\ude00\ud83d"}',
        "\U0001f600\ufffd",
    ),
    "what only looks like a half": (rb'{"model":"m","input":"\\ud83d\ud800"}', "\\ud83d\ufffd"),
    "bytes of no character": (b'{"model":"m","input":"A\xff\xfeB"}', "A\ufffd\ufffdB"),
    "Latin-1": (b'{"model":"m","input":"caf\xe9"}', "caf\ufffd"),
    "a character cut off": (b'{"model":"m","input":"A\xf0\x9f\x98"}', "A\ufffd"),
    "CESU-8": (b'{"model":"m","input":"\xed\xa0\xbd\xed\xb8\x80"}', "\U0001f600"),
    "a byte order mark": (b'\xef\xbb\xbf{"model":"m","input":"A"}', "A"),
    "a mark and a half": (b'\xef\xbb\xbf{"model":"m","input":"A\\ud83d"}', "A\ufffd"),
    "a half in a key": (rb'{"model":"m","input":"A","x\ud83d":1}', "A"),
    "a half in the metadata": (rb'{"model":"m","input":"A","metadata":{"k\ud83d":"v\ude00"}}', "A"),
    "a half in the instructions": (rb'{"model":"m","input":"A","instructions":"\ud83d"}', "A"),
    "a half in a tool": (
        rb'{"model":"m","input":"A","tools":[{"type":"function","name":"f","description":"\ud83d"}]}',
        "A",
    ),
    "a half in a user": (rb'{"model":"m","input":"A","user":"\ud83d"}', "A"),
}
ITEMS = (
    rb'[{"role":"user","content":[{"type":"input_text","text":"\ud83d"}]},'
    rb'{"type":"function_call","id":"fc_\ud83d","call_id":"c\ud83d","name":"f",'
    rb'"arguments":"{\"a\":\"\ud83d\"}"},'
    rb'{"type":"function_call_output","call_id":"c\ud83d","output":"\ude00"}]'
)


@pytest.fixture
async def url(api: Api) -> AsyncGenerator[str]:
    """The gateway's address."""
    async with listening(api.app) as url:
        yield url


async def post(url: str, path: str, body: bytes) -> Reply:
    """Send a body on a connection of its own."""
    async with raw(url) as connection:
        await connection.send(request("POST", path, ["Host: localhost"], body))
        return await connection.reply()


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("case", CREATES)
async def test_a_turn_is_made_and_can_be_continued(
    url: str, api: Api, case: str, *, stream: bool
) -> None:
    body, text = CREATES[case]
    body = body[:-1] + b',"stream":true}' if stream else body
    reply = await post(url, "/v1/responses", body)
    assert reply.status == 200, reply.body
    first = api.log.requests[-1]
    assert [item["content"] for item in first.input] == [text]
    assert first.model == "m"
    again = orjson.dumps(
        {"model": "m", "input": "More.", "previous_response_id": first.response_id}
    )
    assert (await post(url, "/v1/responses", again)).status == 200


async def test_calls_and_their_outputs_still_belong_together(url: str, api: Api) -> None:
    reply = await post(url, "/v1/responses", b'{"model":"m","input":' + ITEMS + b"}")
    assert reply.status == 200, reply.body
    said, call, output = api.log.requests[-1].input
    assert said["content"] == [{"type": "input_text", "text": "\ufffd"}]
    assert (call["call_id"], output["call_id"]) == ("c\ufffd", "c\ufffd")
    assert (call["arguments"], output["output"]) == ('{"a":"\ufffd"}', "\ufffd")


async def test_conversations_take_it_as_well(url: str) -> None:
    body = b'{"metadata":{"k":"\\ud83d"},"items":' + ITEMS + b"}"
    begun = await post(url, "/v1/conversations", body)
    assert (begun.status, begun.json["metadata"]) == (200, {"k": "\ufffd"})
    items = f"/v1/conversations/{begun.json['id']}/items"
    added = await post(url, items, b'{"items":[{"role":"user","content":"A\xff"}]}')
    assert added.status == 200, added.body
    compacted = await post(url, "/v1/responses/compact", b'{"model":"m","input":"A\\udfff"}')
    assert compacted.status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b'{"model":"m\\ud8',
        b'{"a":\xff}',
        b"[\xff]",
        b'"\\ud83d"',
    ],
)
async def test_what_is_no_json_object_stays_refused(url: str, body: bytes) -> None:
    reply = await post(url, "/v1/responses", body)
    assert (reply.status, reply.code) == (400, "invalid_json")


async def test_a_limit_of_depth_holds_for_what_was_repaired(url: str) -> None:
    deep = b"[" * 200 + b'"\\ud83d"' + b"]" * 200
    reply = await post(url, "/v1/responses", b'{"model":"m","input":' + deep + b"}")
    assert (reply.status, reply.code) == (400, "invalid_json")


@pytest.mark.parametrize("case", CREATES)
async def test_a_message_on_a_websocket_is_taken(url: str, api: Api, case: str) -> None:
    body, text = CREATES[case]
    create = body.replace(b'{"model"', b'{"type":"response.create","model"')
    async with connected(url) as socket:
        await socket.send(create)
        assert (await socket.rest())[-1]["type"] == "response.completed"
        if b"\\u" in create and create.isascii():
            await socket.send(create.decode())
            assert (await socket.rest())[-1]["type"] == "response.completed"
    assert [item["content"] for item in api.log.requests[-1].input] == [text]


async def test_a_text_message_that_is_no_utf_8_ends_the_connection_as_the_rfc_says(
    url: str,
) -> None:
    async with connected(url) as socket:
        await socket.connection.send(b'{"type":"\xff"}', text=True)
        with pytest.raises(ConnectionClosed):
            await socket.event()
        assert socket.connection.close_code == 1007
