"""Pasts that grow long: counted, summed up, or cut where a model cannot read them."""

import pytest

from e2e.rig.conversation import asks, conversation, heard, said_in
from e2e.rig.spoken import begin, say_in, texts_in
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import ScriptedBackend, Usage, calls, fails, overflows, says

NO_SUCH_ID = "resp_0123456789abcdef0123456789abcdef"
TOOL: JSON = {"type": "function", "name": "add", "parameters": {"type": "object"}}


async def count(api: Api, body: JSON) -> int:
    """Count the tokens of a request that is not made."""
    status, counted = await api.call("POST", "/responses/input_tokens", body)
    assert (status, counted["object"]) == (200, "response.input_tokens"), counted
    assert counted["estimated"] is True
    return counted["input_tokens"]


async def compact(api: Api, body: JSON) -> JSON:
    """Have a past summed up; gives the item that stands for it."""
    status, compacted = await api.call("POST", "/responses/compact", body)
    assert (status, compacted["object"]) == (200, "response.compaction"), compacted
    (item,) = compacted["output"]
    return item


async def test_tokens_are_estimated_where_no_backend_counts_them(
    api: Api, backend: ScriptedBackend
) -> None:
    short = await count(api, asks("Hi."))
    assert 0 < short < 30
    assert short < await count(api, asks("Hi there, how are you doing on this fine day?"))
    assert short < await count(api, asks("Hi.", instructions="Answer like a pirate would."))
    assert short < await count(api, asks("Hi.", tools=[TOOL]))
    assert len(backend.requests) == 0


async def test_the_past_of_a_response_counts_and_so_does_a_conversation(
    api: Api, backend: ScriptedBackend
) -> None:
    (response,) = await conversation(api, backend, turns=1)
    alone = await count(api, asks("Hi."))
    assert await count(api, asks("Hi.", response["id"])) > alone
    begun = await begin(api)
    await say_in(begun, api, backend, "one?", "A rather long answer to a short question.")
    assert await count(api, asks("Hi.", conversation=begun["id"])) > alone
    assert len(await texts_in(api, begun)) == 2


COUNTED_WRONG: dict[str, tuple[JSON, int, str]] = {
    "no model": ({"input": "Hi."}, 400, "model"),
    "a wrong input": (asks([{"role": "robot", "content": ""}]), 400, "input[0].role"),
    "an unknown past": (asks("Hi.", NO_SUCH_ID), 404, "previous_response_id"),
}


@pytest.mark.parametrize("case", COUNTED_WRONG)
async def test_what_cannot_be_asked_cannot_be_counted(api: Api, case: str) -> None:
    body, expected, param = COUNTED_WRONG[case]
    status, refused = await api.call("POST", "/responses/input_tokens", body)
    assert (status, refused["error"]["param"]) == (expected, param)


async def test_a_past_is_summed_up_and_later_turns_are_told_the_summary(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hello, Ada."), says("They ", "greeted.").using(Usage(7, 3)), says("Ada."))
    _, response = await api.post(asks("I am Ada.", instructions="Be kind."))
    body = {"model": "mock-model", "previous_response_id": response["id"], "input": "Hm."}
    status, compacted = await api.call("POST", "/responses/compact", body)
    assert (status, compacted["object"]) == (200, "response.compaction")
    assert compacted["usage"]["total_tokens"] == 10
    (item,) = compacted["output"]
    assert (item["type"], item["id"].split("_")[0]) == ("compaction", "cmp")
    asked = [said for _, said in heard(backend)]
    assert asked[:3] == ["I am Ada.", "Hello, Ada.", "Hm."]
    assert len(asked) == 4
    question: JSON = {"role": "user", "content": "Who am I?"}
    status, later = await api.post(asks([item, question]))
    assert (status, text_of(later)) == (200, "Ada.")
    (who, summary), last = heard(backend)
    assert "They greeted." in summary
    assert (who in {"user", "developer", "system"}, last) == (True, ("user", "Who am I?"))
    await api.post(asks("Go on.", later["id"]))
    assert [said for _, said in heard(backend)] == [summary, "Who am I?", "Ada.", "Go on."]


async def test_a_compaction_leaves_nothing_behind(api: Api, backend: ScriptedBackend) -> None:
    backend.script(says("They greeted."))
    body = {"model": "mock-model", "input": [{"role": "user", "content": "I am Ada."}]}
    status, compacted = await api.call("POST", "/responses/compact", body)
    assert status == 200
    assert (await api.get(f"/responses/{compacted['id']}"))[0] == 404
    assert (await api.post(asks("On.", compacted["id"])))[0] == 404


async def test_a_compaction_is_kept_in_a_conversation(api: Api, backend: ScriptedBackend) -> None:
    backend.script(says("They greeted."))
    item = await compact(api, {"model": "mock-model", "input": "I am Ada."})
    begun = await begin(api, items=[item])
    await say_in(begun, api, backend, "Who am I?", "Ada.")
    told = heard(backend)
    assert len(told) == 2
    assert "They greeted." in told[0][1]


COMPACTED_WRONG: dict[str, tuple[JSON, int, str]] = {
    "no model": ({"input": "Hi."}, 400, "model"),
    "nothing to sum up": ({"model": "m"}, 400, "input"),
    "an unknown past": ({"model": "m", "previous_response_id": NO_SUCH_ID}, 404, "previous_resp"),
}


@pytest.mark.parametrize("case", COMPACTED_WRONG)
async def test_what_is_not_there_cannot_be_summed_up(api: Api, case: str) -> None:
    body, expected, param = COMPACTED_WRONG[case]
    status, refused = await api.call("POST", "/responses/compact", body)
    assert status == expected
    assert refused["error"]["param"].startswith(param)


async def test_a_compaction_that_says_nothing_fails(api: Api, backend: ScriptedBackend) -> None:
    for answer, code in ((calls("add"), "compaction_failed"), (fails(500), "backend_error")):
        backend.script(answer)
        body = {"model": "mock-model", "input": "I am Ada."}
        status, refused = await api.call("POST", "/responses/compact", body)
        assert (status >= 500, refused["error"]["code"]) == (True, code)


async def test_a_compaction_that_was_changed_on_its_way_is_refused(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("They greeted."))
    item = await compact(api, {"model": "mock-model", "input": "I am Ada."})
    spoilt = {**item, "encrypted_content": item["encrypted_content"][:-6]}
    status, refused = await api.post(asks([spoilt, {"role": "user", "content": "On."}]))
    assert (status, refused["error"]["param"]) == (400, "input[0].encrypted_content")


async def test_the_oldest_items_are_left_out_where_a_model_cannot_read_them_all(
    api: Api, backend: ScriptedBackend
) -> None:
    *_, last = await conversation(api, backend, turns=6)
    backend.script(overflows(9000, 4096), overflows(5000, 4096), says("Short."))
    status, response = await api.post(asks("On.", last["id"], truncation="auto"))
    assert (status, text_of(response), response["truncation"]) == (200, "Short.", "auto")
    everything = [said for _, said in said_in(backend.requests[-3])]
    tried = [said for _, said in said_in(backend.requests[-2])]
    told = [said for _, said in heard(backend)]
    assert len(everything) > len(tried) > len(told) > 0
    assert told == everything[-len(told) :]
    assert told[-1] == "On."
    assert heard(backend)[0][0] == "user"


async def test_a_stream_is_not_disturbed_by_what_is_left_out(
    api: Api, backend: ScriptedBackend
) -> None:
    *_, last = await conversation(api, backend, turns=3)
    backend.script(overflows(), says("Sho", "rt."))
    async with api.stream(asks("On.", last["id"], truncation="auto")) as stream:
        events = await stream.to_the_end()
    assert text_of(events[-1]["response"]) == "Short."
    # What was left out is left out of what the model reads, not of what is remembered.
    backend.script(says("Yes."))
    await api.post(asks("All?", events[-1]["response"]["id"]))
    assert len(heard(backend)) == 9


@pytest.mark.parametrize("truncation", [None, "disabled"])
async def test_nothing_is_left_out_unless_it_may_be(
    api: Api, backend: ScriptedBackend, truncation: str | None
) -> None:
    *_, last = await conversation(api, backend, turns=3)
    backend.script(overflows())
    status, refused = await api.post(asks("On.", last["id"], truncation=truncation))
    assert (status, refused["error"]["code"]) == (400, "context_length_exceeded")
    assert len(backend.requests) == 4


async def test_what_does_not_fit_at_all_is_refused(api: Api, backend: ScriptedBackend) -> None:
    backend.script(overflows())
    status, refused = await api.post(asks("Far too much.", truncation="auto"))
    assert (status, refused["error"]["code"]) == (400, "context_length_exceeded")
    assert len(backend.requests) == 1
