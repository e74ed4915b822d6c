"""Streams that are cut and taken up again, anywhere, by anyone, on any gateway: the same bytes.

`TURNWIRE_TEST_CUTS=10000` says how many cuts are tried instead of the few of every run.
"""

import asyncio
import os
import random
from itertools import accumulate

import pytest

from e2e.rig.broker import connected_as
from e2e.rig.conversation import asks
from e2e.rig.stack import Stack
from e2e.rig.wire import DONE, JSON, Api
from scripted_backend import Reply, ScriptedBackend, calls, refuses, says, thinks
from turnwire_chassis.broker_authorization.rights import User
from turnwire_testing.stream_grammar import check_stream

CUTS = int(os.environ.get("TURNWIRE_TEST_CUTS", "200"))
TIMEOUT = 60 + CUTS / 20
AT_ONCE = 16

TOOL: JSON = {"type": "function", "name": "add", "parameters": {"type": "object"}}
LOGPROBS: JSON = {"include": ["message.output_text.logprobs"]}
BARE: JSON = {"stream_options": {"include_obfuscation": False}}
WORDS = [f"wört{number} 👋 " for number in range(30)]
CITATION: JSON = {
    "type": "url_citation",
    "url": "https://example.org/ä",
    "title": "Ä\u2028page",
    "start_index": 0,
    "end_index": 4,
}

STREAMS: dict[str, tuple[Reply, JSON]] = {
    "words": (says(*WORDS), {}),
    "words without padding": (says(*WORDS), BARE),
    "words and how probable they were": (says(*WORDS), LOGPROBS),
    "words with a source": (says(*WORDS, annotations=[CITATION, CITATION]), BARE),
    "thoughts and words": (thinks(*WORDS[:9], summary=WORDS[9:20]) + says(*WORDS[20:]), {}),
    "a refusal": (says("Well") + refuses(*WORDS), {}),
    "calls": (calls("add", {"a": "\n\n"}) + says(*WORDS) + calls("add", {"b": "é" * 99}), {}),
    "what ends early": (says(*WORDS).incomplete(), {}),
    "what breaks": (says(*WORDS).broken(after=20), {}),
    "what runs in the background": (thinks(*WORDS) + says(*WORDS), {"background": True}),
}


@pytest.mark.timeout(TIMEOUT)
@pytest.mark.parametrize("name", STREAMS)
async def test_a_finished_stream_goes_on_after_a_cut_at_any_of_its_bytes(
    api: Api, stack: Stack, backend: ScriptedBackend, name: str
) -> None:
    reply, fields = STREAMS[name]
    backend.script(reply)
    async with api.stream(asks("Hi.", tools=[TOOL], **fields)) as stream:
        check_stream(await stream.to_the_end())
    whole = stream.raw + DONE
    ends = [*accumulate(map(len, stream.frames))]
    dice = random.Random(name)  # noqa: S311 -- the same cuts in every run
    path = f"/responses/{stream.events[0]['response']['id']}?stream=true"
    places = asyncio.Semaphore(AT_ONCE)

    async def cut() -> None:
        received = dice.randrange(len(whole))
        seen = sum(end <= received for end in ends)
        after = f"&starting_after={seen - 1}" if seen else ""
        async with places, api.exchange("GET", path + after) as rest:
            assert whole == b"".join(stream.frames[:seen]) + await rest.read()

    await asyncio.gather(*(cut() for _ in range(CUTS // 4 // len(STREAMS))))
    await _forget_frames(stack)
    await asyncio.gather(*(cut() for _ in range(CUTS // 4 // len(STREAMS))))


@pytest.mark.timeout(TIMEOUT)
@pytest.mark.parametrize("name", STREAMS)
async def test_a_running_stream_goes_on_after_any_number_of_cuts(
    api: Api, backend: ScriptedBackend, name: str
) -> None:
    reply, fields = STREAMS[name]
    dice = random.Random(name)  # noqa: S311 -- the same cuts in every run
    wanted, done = CUTS // 2 // len(STREAMS), 0
    while done < wanted:
        backend.script(reply.slowed(each=0.01).in_bursts(2))
        async with api.stream(asks("Hi.", tools=[TOOL], **fields)) as stream:
            created = await stream.until("response.created")
            reading = [
                asyncio.create_task(_cut_up(api, created["response"]["id"], dice))
                for _ in range(AT_ONCE)
            ]
            await stream.to_the_end()
        for frames, cuts in await asyncio.gather(*reading):
            assert frames == stream.frames
            done += cuts
    assert done >= wanted


async def test_a_stream_is_the_same_on_another_gateway_while_it_runs_and_afterwards(
    impatient_api: Api, second_api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says(*WORDS).paused(after=10))
    async with impatient_api.stream(asks("Hi.")) as stream:
        await stream.until("response.output_text.delta", 10)
        response_id = stream.events[0]["response"]["id"]
        async with (
            second_api.join(response_id) as joined,
            second_api.join(response_id, after=5) as rest,
        ):
            await joined.until("response.output_text.delta", 10)
            await backend.saw_pause()
            backend.release()
            await asyncio.gather(*(each.to_the_end() for each in (stream, joined, rest)))
    assert joined.frames == stream.frames
    assert rest.frames == stream.frames[6:]
    async with second_api.join(response_id) as again:
        await again.to_the_end()
    assert again.frames == stream.frames


async def test_a_reader_on_another_gateway_keeps_a_stream_alive(
    impatient_api: Api, second_api: Api, backend: ScriptedBackend
) -> None:
    # The grace is half a second; the model writes for twice that after the first reader has left.
    backend.script(says(*WORDS[:8]).slowed(each=0.15))
    async with impatient_api.stream(asks("Hi.")) as first:
        created = await first.until("response.created")
        async with second_api.join(created["response"]["id"]) as second:
            await second.until("response.output_text.delta")
            first.response.close()
            events = await second.to_the_end()
    assert events[-1]["type"] == "response.completed"
    assert backend.disconnects == 0


@pytest.mark.parametrize("after", [10_000, 2**53])
async def test_after_the_end_there_is_only_the_end(
    api: Api, backend: ScriptedBackend, after: int
) -> None:
    backend.script(says("Hello."))
    _, response = await api.post(asks("Hi."))
    async with api.join(response["id"], after=after) as stream:
        assert await stream.to_the_end() == []
    assert stream.done


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "", "9" * 30])
async def test_a_place_in_a_stream_is_a_whole_number(
    api: Api, backend: ScriptedBackend, after: str
) -> None:
    backend.script(says("Hello."))
    _, response = await api.post(asks("Hi."))
    path = f"/responses/{response['id']}?stream=true&starting_after={after}"
    status, refused = await api.get(path)
    assert (status, refused["error"]["param"]) == (400, "starting_after")


async def _forget_frames(stack: Stack) -> None:
    """Have the broker forget all frames, as it does in time; the log has to tell them again."""
    async with connected_as(User.GATEWAY, stack) as broker:
        await broker.jetstream().purge_stream("OUTPUT")


async def _cut_up(api: Api, response_id: str, dice: random.Random) -> tuple[list[bytes], int]:
    """Read a stream and leave it again and again; gives its frames and how often it was left."""
    frames: list[bytes] = []
    cuts = 0
    while True:
        async with api.join(response_id, after=len(frames) - 1 if frames else None) as stream:
            left = dice.randrange(1, 12)
            async for frame in stream:
                frames.append(frame)
                left -= 1
                if not left:
                    break
        if stream.done:
            return frames, cuts
        cuts += 1
