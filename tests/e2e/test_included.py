"""What a request wants to be told besides the words: probabilities, sealed thoughts, sources."""

import pytest

from e2e.rig.conversation import asks
from e2e.rig.wire import JSON, Api
from scripted_backend import ScriptedBackend, says, thinks
from turnwire_testing.open_responses import problems_of_event
from turnwire_testing.stream_grammar import check_stream

LOGPROBS: JSON = {"include": ["message.output_text.logprobs"], "top_logprobs": 1}
SEALED: JSON = {"include": ["reasoning.encrypted_content"]}
WORDS = ["Hel", "lö", " 👋"]


async def test_each_delta_says_how_probable_it_was(api: Api, backend: ScriptedBackend) -> None:
    backend.script(says(*WORDS))
    async with api.stream(asks("Hi.", **LOGPROBS)) as stream:
        events = await stream.to_the_end()
    check_stream(events)
    assert [problem for event in events for problem in problems_of_event(event)] == []
    deltas = [event for event in events if event["type"] == "response.output_text.delta"]
    for event, word in zip(deltas, WORDS, strict=True):
        (told,) = event["logprobs"]
        assert (told["token"], told["logprob"]) == (word, -0.5)
        assert [top["token"] for top in told["top_logprobs"]] == [word]
    everything = [told for event in deltas for told in event["logprobs"]]
    (part,) = events[-1]["response"]["output"][0]["content"]
    assert part["logprobs"] == everything
    response = events[-1]["response"]
    assert await api.get(f"/responses/{response['id']}") == (200, response)
    assert response["top_logprobs"] == 1
    assert backend.requests[-1].body["include"] == LOGPROBS["include"]


async def test_a_plain_answer_says_how_probable_it_was(api: Api, backend: ScriptedBackend) -> None:
    backend.script(says(*WORDS))
    _, response = await api.post(asks("Hi.", **LOGPROBS))
    told = [each["token"] for each in response["output"][0]["content"][0]["logprobs"]]
    assert told == WORDS


async def test_nobody_is_told_probabilities_unasked(api: Api, backend: ScriptedBackend) -> None:
    backend.script(says(*WORDS))
    async with api.stream(asks("Hi.")) as stream:
        events = await stream.to_the_end()
    assert all(not event["logprobs"] for event in events if "logprobs" in event)


@pytest.mark.parametrize("stream", [False, True])
async def test_sealed_thoughts_come_back_to_the_model_in_the_next_turn(
    api: Api, backend: ScriptedBackend, *, stream: bool
) -> None:
    backend.script(thinks(summary=["A ", "thought."], encrypted_content="sealed") + says("Hi."))
    if stream:
        async with api.stream(asks("Hi.", **SEALED)) as events:
            response = (await events.to_the_end())[-1]["response"]
    else:
        _, response = await api.post(asks("Hi.", **SEALED))
    thought = response["output"][0]
    assert (thought["type"], thought["encrypted_content"]) == ("reasoning", "sealed")
    assert thought["summary"] == [{"type": "summary_text", "text": "A thought."}]
    await api.post(asks("On.", response["id"]))
    (told,) = [item for item in backend.requests[-1].body["input"] if item["type"] == "reasoning"]
    assert told["encrypted_content"] == "sealed"


async def test_sources_are_streamed_and_kept(api: Api, backend: ScriptedBackend) -> None:
    source: JSON = {
        "type": "url_citation",
        "url": "https://example.org",
        "title": "A page",
        "start_index": 0,
        "end_index": 2,
    }
    backend.script(says(*WORDS, annotations=[source]))
    async with api.stream(asks("Hi.")) as stream:
        events = await stream.to_the_end()
    check_stream(events)
    added = [event for event in events if event["type"].endswith("annotation.added")]
    assert [event["annotation"] for event in added] == [source]
    assert events[-1]["response"]["output"][0]["content"][0]["annotations"] == [source]


async def test_what_a_reader_wants_included_does_no_harm(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says(*WORDS))
    _, response = await api.post(asks("Hi."))
    query = "include=message.output_text.logprobs&include[]=reasoning.encrypted_content&unknown=1"
    assert await api.get(f"/responses/{response['id']}?{query}") == (200, response)
