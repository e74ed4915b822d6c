"""What somebody sees who only sees how large the pieces of a stream are."""

import pytest

from e2e.rig.conversation import asks
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import Reply, ScriptedBackend, calls, refuses, says, thinks
from turnwire_testing.stream_grammar import check_stream

TOOL: JSON = {"type": "function", "name": "add", "parameters": {"type": "object"}}
PLAIN: JSON = {"stream_options": {"include_obfuscation": False}}

REPLIES: dict[str, Reply] = {
    "words": says("Hel", "lo", ", ", "wörld ", "👋", "."),
    "thoughts": thinks("hm", "mm", summary=("thought", " a bit")) + says("Yes."),
    "a refusal": refuses("No", "."),
    "a call": calls("add", {"a": 1, "b": "zwölf"}),
}


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("name", REPLIES)
async def test_every_delta_is_padded_and_nothing_else(
    api: Api, backend: ScriptedBackend, name: str, *, background: bool
) -> None:
    backend.script(REPLIES[name])
    async with api.stream(asks("Hi.", tools=[TOOL], background=background)) as stream:
        events = await stream.to_the_end()
    check_stream(events)
    deltas = [event for event in events if event["type"].endswith(".delta")]
    assert deltas
    assert all(event["obfuscation"] for event in deltas)
    assert all("obfuscation" not in event for event in events if event not in deltas)
    assert "obfuscation" not in str(events[-1]["response"])


@pytest.mark.parametrize("name", REPLIES)
async def test_padding_is_left_out_for_who_asks(
    api: Api, backend: ScriptedBackend, name: str
) -> None:
    backend.script(REPLIES[name], REPLIES[name])
    async with api.stream(asks("Hi.", tools=[TOOL], **PLAIN)) as bare:
        events = await bare.to_the_end()
    check_stream(events)
    assert b"obfuscation" not in bare.raw
    async with api.stream(asks("Hi.", tools=[TOOL])) as padded:
        await padded.to_the_end()
    said = [[event.get("delta") for event in each.events] for each in (bare, padded)]
    assert said[0] == said[1]


async def test_a_delta_and_its_padding_have_a_multiple_of_sixteen_characters(
    api: Api, backend: ScriptedBackend
) -> None:
    words = ["x" * length for length in range(1, 50)]
    backend.script(says(*words))
    async with api.stream(asks("Hi.")) as stream:
        await stream.to_the_end()
    sizes: dict[int, set[int]] = {}
    for frame, event in zip(stream.frames, stream.events, strict=True):
        if "obfuscation" in event:
            length = len(event["delta"])
            assert (length + len(event["obfuscation"])) % 16 == 0
            # The number of the event is no secret.
            size = len(frame) - len(str(event["sequence_number"]))
            sizes.setdefault(length // 16, set()).add(size)
    assert [len(each) for each in sizes.values()] == [1] * 4


async def test_the_same_words_are_padded_differently_each_time(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says(*["word"] * 20), says(*["word"] * 20))
    paddings: list[list[str]] = []
    for _ in range(2):
        async with api.stream(asks("Hi.")) as stream:
            events = await stream.to_the_end()
        paddings.append([event["obfuscation"] for event in events if "obfuscation" in event])
    assert len({*paddings[0], *paddings[1]}) > 30


async def test_a_stream_is_read_again_as_it_was_written(api: Api, backend: ScriptedBackend) -> None:
    for fields in ({}, PLAIN):
        backend.script(says("Hel", "lo."))
        async with api.stream(asks("Hi.", **fields)) as stream:
            events = await stream.to_the_end()
        path = f"/responses/{events[0]['response']['id']}?stream=true"
        for wish in ("", "&include_obfuscation=false", "&include_obfuscation=true"):
            async with api.exchange("GET", path + wish) as again:
                body = await again.read()
            assert body.startswith(stream.raw)
        assert text_of(events[-1]["response"]) == "Hello."
