"""Turns in a conversation: each sees all that was said in it, and one is made at a time."""

import asyncio
from typing import Any

import pytest
from openai import AsyncOpenAI

from e2e.rig.conversation import MODEL, asks, heard
from e2e.rig.spoken import begin, items_of, say_in, texts_in
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import ScriptedBackend, calls, fails, says, thinks

LATER = {"plain": False, "in the background": True}


async def test_every_turn_sees_all_that_is_in_its_conversation_in_order(
    api: Api, backend: ScriptedBackend
) -> None:
    begun = await begin(api, items=[{"role": "user", "content": "zero?"}])
    first = await say_in(begun, api, backend, "one?", "One.")
    assert first["conversation"] == {"id": begun["id"]}
    assert first["previous_response_id"] is None
    backend.script(thinks("hm") + says("Two."))
    async with api.stream(asks("two?", conversation={"id": begun["id"]})) as stream:
        second = (await stream.to_the_end())[-1]["response"]
    assert second["conversation"] == {"id": begun["id"]}
    assert second["previous_response_id"] is None
    path = f"/conversations/{begun['id']}/items"
    await api.call("POST", path, {"items": [{"role": "user", "content": "and a half?"}]})
    backend.script(says("Three."))
    _, third = await api.post(asks("three?", conversation=begun["id"], background=True))
    await api.ended(third["id"])
    await say_in(begun, api, backend, "four?", "Four.")
    assert [said for who, said in heard(backend) if who != "reasoning"] == [
        *("zero?", "one?", "One.", "two?", "Two.", "and a half?", "three?", "Three.", "four?"),
    ]
    kinds = [item["type"] for item in await items_of(api, begun)]
    assert kinds == ["message"] * 4 + ["reasoning"] + ["message"] * 6


async def test_the_items_of_a_turn_have_the_same_ids_everywhere(
    api: Api, backend: ScriptedBackend
) -> None:
    begun = await begin(api)
    response = await say_in(begun, api, backend, "one?", "One.")
    _, asked = await api.get(f"/responses/{response['id']}/input_items")
    listed = await items_of(api, begun)
    assert listed == [*asked["data"], *response["output"]]


async def test_a_call_and_its_output_meet_in_the_conversation(
    api: Api, backend: ScriptedBackend
) -> None:
    begun = await begin(api)
    tools = [{"type": "function", "name": "add", "parameters": {"type": "object"}}]
    backend.script(calls("add", {"a": 1}), says("It is 1."))
    _, asked = await api.post(asks("Sum?", conversation=begun["id"], tools=tools))
    (call,) = asked["output"]
    output: JSON = {"type": "function_call_output", "call_id": call["call_id"], "output": "1"}
    await api.post(asks([output], conversation=begun["id"], tools=tools))
    assert [who for who, _ in heard(backend)] == ["user", "function_call", "function_call_output"]


async def test_instructions_carry_forward_in_a_conversation(
    api: Api, backend: ScriptedBackend
) -> None:
    begun = await begin(api, items=[{"role": "user", "content": "zero?"}])
    told: list[Any] = []
    for given in ("Be kind.", None, "Be short.", None, "", None):
        await api.post(asks("Hi.", conversation=begun["id"], instructions=given))
        told.append(backend.requests[-1].body.get("instructions"))
    assert told == ["Be kind.", "Be kind.", "Be short.", "Be short.", None, None]


@pytest.mark.parametrize("kind", LATER)
async def test_of_turns_at_the_same_time_one_wins_and_the_others_are_told(
    api: Api, backend: ScriptedBackend, kind: str
) -> None:
    begun = await begin(api)
    backend.script(says("Hel", "lo.").paused(after=1))
    body = asks("Hi.", conversation=begun["id"], background=LATER[kind])
    answers: asyncio.Queue[tuple[int, JSON]] = asyncio.Queue()

    async def ask() -> None:
        await answers.put(await api.post(body))

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(ask())
        # In the foreground the winner waits for its end.
        told = [await answers.get() for _ in range(8 if LATER[kind] else 7)]
        await backend.saw_pause()
        backend.release()
    told += [answers.get_nowait() for _ in range(8 - len(told))]
    refused = [answer["error"] for status, answer in told if status == 409]
    assert [error["code"] for error in refused] == ["conversation_locked"] * 7
    assert {error["param"] for error in refused} == {"conversation"}
    (won,) = [answer for status, answer in told if status != 409]
    await api.ended(won["id"])
    assert await texts_in(api, begun) == ["Hi.", "Hello."]
    assert len(backend.requests) == 1


async def test_a_race_never_mixes_turns_up_not_even_on_two_gateways(
    impatient_api: Api, second_api: Api, backend: ScriptedBackend
) -> None:
    begun = await begin(impatient_api)
    backend.always(says("Yes."))
    gateways = (impatient_api, second_api)
    bodies = [asks(f"{number}?", conversation=begun["id"]) for number in range(30)]
    asked = [gateways[number % 2].post(body) for number, body in enumerate(bodies)]
    answers = await asyncio.gather(*asked)
    assert {status for status, _ in answers} == {200, 409}
    won = [f"{number}?" for number, (status, _) in enumerate(answers) if status == 200]
    for api in gateways:
        said = await texts_in(api, begun)
        assert sorted(said[::2]) == sorted(won)
        assert said[1::2] == ["Yes."] * len(won)


async def test_items_cannot_be_added_while_a_turn_is_made(
    api: Api, backend: ScriptedBackend
) -> None:
    begun = await begin(api)
    backend.script(says("Hel", "lo.").paused(after=1))
    path = f"/conversations/{begun['id']}/items"
    async with api.stream(asks("Hi.", conversation=begun["id"])) as stream:
        await stream.until("response.output_text.delta")
        status, refused = await api.call(
            "POST", path, {"items": [{"role": "user", "content": "X"}]}
        )
        assert (status, refused["error"]["code"]) == (409, "conversation_locked")
        assert await items_of(api, begun) == []
        await backend.saw_pause()
        backend.release()
        await stream.to_the_end()
    assert await texts_in(api, begun) == ["Hi.", "Hello."]


async def test_a_turn_that_fails_leaves_nothing_in_its_conversation(
    api: Api, backend: ScriptedBackend
) -> None:
    begun = await begin(api)
    await say_in(begun, api, backend, "one?", "One.")
    for _ in range(3):
        backend.script(fails(500))
        status, _ = await api.post(asks("fails?", conversation=begun["id"]))
        assert status >= 500
    await say_in(begun, api, backend, "two?", "Two.")
    everything = ["one?", "One.", "two?", "Two."]
    assert [said for _, said in heard(backend)] == everything[:-1]
    assert await texts_in(api, begun) == everything


async def test_a_turn_that_is_not_stored_sees_its_conversation_and_leaves_nothing_in_it(
    api: Api, backend: ScriptedBackend
) -> None:
    begun = await begin(api)
    await say_in(begun, api, backend, "one?", "One.")
    for stream in (False, True):
        backend.script(says("Secret."))
        body = asks("two?", conversation=begun["id"], store=False, stream=stream)
        async with api.answer(body) as answer:
            assert answer.status == 200
            await answer.read()
        assert [said for _, said in heard(backend)] == ["one?", "One.", "two?"]
    await say_in(begun, api, backend, "three?", "Three.")
    assert await texts_in(api, begun) == ["one?", "One.", "three?", "Three."]


async def test_a_cancelled_turn_keeps_what_was_said_in_its_conversation(
    api: Api, backend: ScriptedBackend
) -> None:
    begun = await begin(api)
    backend.script(says("On", "ce upon").paused(after=1))
    _, queued = await api.post(asks("Talk.", conversation=begun["id"], background=True))
    await backend.saw_pause()
    status, cancelled = await api.call("POST", f"/responses/{queued['id']}/cancel")
    assert (status, text_of(cancelled)) == (200, "On")
    await say_in(begun, api, backend, "Go on.", "Sorry.")
    assert await texts_in(api, begun) == ["Talk.", "On", "Go on.", "Sorry."]


async def test_a_plain_client_that_leaves_does_not_keep_its_conversation_locked(
    api: Api, backend: ScriptedBackend
) -> None:
    begun = await begin(api)
    backend.script(says("On", "ce upon").paused(after=1))
    asking = asyncio.create_task(api.post(asks("Talk.", conversation=begun["id"])))
    await backend.saw_pause()
    asking.cancel()
    await backend.saw_disconnect()
    path = f"/conversations/{begun['id']}/items?order=asc"
    await api.until(path, lambda page: len(page["data"]) == 2)
    await say_in(begun, api, backend, "Again.", "Yes.")
    assert (await texts_in(api, begun))[-2:] == ["Again.", "Yes."]


async def test_the_model_is_not_told_of_items_that_were_taken_out(
    api: Api, backend: ScriptedBackend
) -> None:
    begun = await begin(api, items=[{"role": "user", "content": text} for text in ("a", "b")])
    response = await say_in(begun, api, backend, "one?", "One.")
    # Whatever is remembered of this past is remembered now.
    await say_in(begun, api, backend, "two?", "Two.")
    items = await items_of(api, begun)
    path = f"/conversations/{begun['id']}/items"
    for item in (items[1], items[3]):
        assert (await api.call("DELETE", f"{path}/{item['id']}"))[0] == 200
    assert await texts_in(api, begun) == ["a", "one?", "two?", "Two."]
    await say_in(begun, api, backend, "three?", "Three.")
    assert [said for _, said in heard(backend)] == ["a", "one?", "two?", "Two.", "three?"]
    assert await api.get(f"/responses/{response['id']}") == (200, response)
    reference = {"type": "item_reference", "id": items[3]["id"]}
    status, refused = await api.post(asks([reference], conversation=begun["id"]))
    assert (status, refused["error"]["code"]) == (404, "item_not_found")


async def test_an_item_may_take_the_place_of_one_that_was_taken_out(
    api: Api, backend: ScriptedBackend
) -> None:
    question: JSON = {"role": "user", "id": "msg_mine", "content": "one?"}
    begun = await begin(api, items=[question])
    path = f"/conversations/{begun['id']}/items"
    assert (await api.call("DELETE", f"{path}/msg_mine"))[0] == 200
    added = await api.call("POST", path, {"items": [{**question, "content": "two?"}]})
    assert added[0] == 200
    await say_in(begun, api, backend, "three?", "Three.")
    assert [said for _, said in heard(backend)] == ["two?", "three?"]
    assert await texts_in(api, begun) == ["two?", "three?", "Three."]


async def test_a_deleted_response_leaves_its_conversation(
    api: Api, backend: ScriptedBackend
) -> None:
    begun = await begin(api)
    await say_in(begun, api, backend, "one?", "One.")
    for number in (2, 3):
        response = await say_in(begun, api, backend, f"{number}?", f"{number}.")
        await api.call("DELETE", f"/responses/{response['id']}")
        assert await texts_in(api, begun) == ["one?", "One."]
    await say_in(begun, api, backend, "four?", "Four.")
    assert [said for _, said in heard(backend)] == ["one?", "One.", "four?"]


async def test_a_response_of_a_conversation_may_be_continued_outside_of_it(
    api: Api, backend: ScriptedBackend
) -> None:
    begun = await begin(api)
    first = await say_in(begun, api, backend, "one?", "One.")
    await say_in(begun, api, backend, "two?", "Two.")
    backend.script(says("Elsewhere."))
    _, branch = await api.post(asks("elsewhere?", first["id"]))
    assert branch["previous_response_id"] == first["id"]
    assert branch["conversation"] is None
    assert [said for _, said in heard(backend)] == ["one?", "One.", "elsewhere?"]
    assert await texts_in(api, begun) == ["one?", "One.", "two?", "Two."]


async def test_a_conversation_and_a_previous_response_exclude_each_other(
    api: Api, backend: ScriptedBackend
) -> None:
    begun = await begin(api)
    response = await say_in(begun, api, backend, "one?", "One.")
    status, refused = await api.post(asks("On.", response["id"], conversation=begun["id"]))
    assert (status, refused["error"]["param"]) == (400, "conversation")
    assert refused["error"]["code"] == "mutually_exclusive_parameters"


@pytest.mark.parametrize("given", [7, {}, {"id": 7}, []])
async def test_a_conversation_is_named_by_its_id(api: Api, given: Any) -> None:
    status, refused = await api.post(asks("Hi.", conversation=given))
    assert (status, refused["error"]["param"].split(".")[0]) == (400, "conversation")


async def test_a_blocked_turn_leaves_nothing_in_its_conversation(
    impatient_api: Api, backend: ScriptedBackend
) -> None:
    begun = await begin(impatient_api)
    for stream in (False, True):
        body = asks("My key is sk-secret.", conversation=begun["id"], stream=stream)
        status, refused = await impatient_api.post(body)
        assert (status, refused["error"]["code"]) == (400, "content_filter")
    await say_in(begun, impatient_api, backend, "one?", "One.")
    assert await texts_in(impatient_api, begun) == ["one?", "One."]


async def test_the_sdk_holds_a_conversation(client: AsyncOpenAI, backend: ScriptedBackend) -> None:
    backend.script(says("One."), says("Two."))
    begun = await client.conversations.create(metadata={"a": "b"})
    for question in ("one?", "two?"):
        await client.responses.create(model=MODEL, input=question, conversation=begun.id)
    assert [said for _, said in heard(backend)] == ["one?", "One.", "two?"]
