"""What is deleted is gone for everybody, comes back when asked, or is gone for ever."""

import itertools

import pytest

from e2e.rig.conversation import asks, heard
from e2e.rig.remains import nothing_says, somebody_says
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api, Stream
from scripted_backend import ScriptedBackend, says

NO_SUCH_ID = "resp_0123456789abcdef0123456789abcdef"

_secrets = (f"xyzzy{number:04d}" for number in itertools.count())


async def say(api: Api, text: str, after: str | None = None, /) -> JSON:
    """Hold one turn; gives its response."""
    status, response = await api.post(asks(text, after))
    assert status == 200, response
    return response


async def delete(api: Api, response_id: str, query: str = "") -> tuple[int, JSON]:
    """Delete a response."""
    return await api.call("DELETE", f"/responses/{response_id}{query}")


async def recover(api: Api, response_id: str) -> tuple[int, JSON]:
    """Bring a response back."""
    return await api.call("PATCH", f"/responses/{response_id}?recovery_from_delete=true")


async def is_gone(api: Api, response: JSON) -> None:
    """Make sure that nobody finds anything of a response on any route."""
    response_id = response["id"]
    for query in ("", "?stream=true", "?stream=true&starting_after=2", "/input_items"):
        status, refused = await api.get(f"/responses/{response_id}{query}")
        assert (status, refused["error"]["code"]) == (404, "response_not_found")
    status, refused = await api.call("POST", f"/responses/{response_id}/cancel")
    assert (status, refused["error"]["code"]) == (404, "response_not_found")
    status, refused = await api.post(asks("On.", response_id))
    assert (status, refused["error"]["code"]) == (404, "previous_response_not_found")
    for item in response["output"]:
        reference = {"type": "item_reference", "id": item["id"]}
        status, refused = await api.post(asks([reference, {"role": "user", "content": "On."}]))
        assert (status, refused["error"]["code"]) == (404, "item_not_found")


async def test_a_deleted_response_is_not_found_anywhere(api: Api, backend: ScriptedBackend) -> None:
    backend.script(says("Hello."))
    response = await say(api, "Hi.")
    answer = (200, {"id": response["id"], "object": "response", "deleted": True})
    assert await delete(api, response["id"]) == answer
    await is_gone(api, response)
    assert await delete(api, response["id"]) == answer
    assert len(backend.requests) == 1


async def test_an_admin_sees_what_was_deleted(api: Api, backend: ScriptedBackend) -> None:
    backend.script(says("Hello."))
    response = await say(api, "Hi.")
    path = f"/responses/{response['id']}?include_deleted=true"
    assert await api.get(path) == (200, response)
    await delete(api, response["id"])
    assert await api.get(path) == (200, {**response, "deleted": True})


@pytest.mark.parametrize("query", ["", "?hard_delete=true"])
@pytest.mark.parametrize("response_id", [NO_SUCH_ID, "resp_nonexistent"])
async def test_what_is_not_there_counts_as_deleted(api: Api, response_id: str, query: str) -> None:
    status, answer = await delete(api, response_id, query)
    assert (status, answer) == (200, {"id": response_id, "object": "response", "deleted": True})


@pytest.mark.parametrize("query", ["", "?hard_delete=true"])
async def test_a_running_response_cannot_be_deleted_yet(
    api: Api, backend: ScriptedBackend, query: str
) -> None:
    backend.script(says("Hel", "lo.").paused(after=1))
    async with api.stream(asks("Hi.")) as stream:
        await stream.until("response.output_text.delta")
        response_id = stream.events[0]["response"]["id"]
        status, refused = await delete(api, response_id, query)
        assert (status, refused["error"]["code"]) == (425, "response_in_progress")
        assert refused["error"]["type"] == "too_early_error"
        await backend.saw_pause()
        backend.release()
        response = (await stream.to_the_end())[-1]["response"]
    assert await api.get(f"/responses/{response_id}") == (200, response)


async def test_a_turn_that_waits_cannot_be_deleted_yet(
    impatient_api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("One.").paused(after=0), says("Two."))
    _, first = await impatient_api.post(asks("one?", background=True))
    await backend.saw_pause()
    _, second = await impatient_api.post(asks("two?", background=True))
    for query in ("", "?hard_delete=true"):
        status, refused = await delete(impatient_api, second["id"], query)
        assert (status, refused["error"]["code"]) == (425, "response_in_progress")
    await backend.saw_pause()
    backend.release()
    for queued in (first, second):
        assert (await impatient_api.ended(queued["id"]))["status"] == "completed"


async def test_a_recovered_response_is_the_same_byte_for_byte(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo."))
    async with api.stream(asks("Hi.", metadata={"a": "b"})) as stream:
        response = (await stream.to_the_end())[-1]["response"]
    before = await _bytes(api, response["id"])
    await delete(api, response["id"])
    assert await recover(api, response["id"]) == (200, response)
    assert await _bytes(api, response["id"]) == before
    again = await _read(api, response["id"])
    assert again.frames == stream.frames
    assert await recover(api, response["id"]) == (200, response)
    backend.script(says("Yes."))
    await say(api, "Still there?", response["id"])
    assert [said for _, said in heard(backend)] == ["Hi.", "Hello.", "Still there?"]


async def test_a_response_is_deleted_and_recovered_as_often_as_one_likes(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hello."))
    response = await say(api, "Hi.")
    for _ in range(5):
        await delete(api, response["id"])
        assert (await api.get(f"/responses/{response['id']}"))[0] == 404
        await recover(api, response["id"])
        assert await api.get(f"/responses/{response['id']}") == (200, response)


@pytest.mark.parametrize("query", ["", "?recovery_from_delete=false"])
async def test_a_patch_must_say_what_it_is_for(
    api: Api, backend: ScriptedBackend, query: str
) -> None:
    backend.script(says("Hello."))
    response = await say(api, "Hi.")
    status, refused = await api.call("PATCH", f"/responses/{response['id']}{query}")
    assert (status, refused["error"]["param"]) == (400, "recovery_from_delete")


async def test_what_never_was_cannot_be_recovered(api: Api) -> None:
    status, refused = await recover(api, NO_SUCH_ID)
    assert (status, refused["error"]["code"]) == (404, "response_not_found")


@pytest.mark.parametrize("name", ["hard_delete", "include_deleted", "recovery_from_delete"])
async def test_a_wrong_value_of_a_parameter_is_refused_by_its_name(api: Api, name: str) -> None:
    methods = {"hard_delete": "DELETE", "include_deleted": "GET", "recovery_from_delete": "PATCH"}
    path = f"/responses/{NO_SUCH_ID}?{name}=perhaps"
    status, refused = await api.call(methods[name], path)
    assert (status, refused["error"]["param"]) == (400, name)


async def test_later_turns_go_on_without_a_deleted_one_and_know_it_again_when_it_is_back(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("One."), says("Two."), says("Three."), says("Four."))
    first = await say(api, "one?")
    second = await say(api, "two?", first["id"])
    third = await say(api, "three?", second["id"])
    await delete(api, second["id"])
    await say(api, "four?", third["id"])
    assert [said for _, said in heard(backend)] == ["one?", "One.", "three?", "Three.", "four?"]
    await recover(api, second["id"])
    await say(api, "four?", third["id"])
    everything = ["one?", "One.", "two?", "Two.", "three?", "Three.", "four?"]
    assert [said for _, said in heard(backend)] == everything


async def test_what_is_purged_is_nowhere_and_never_comes_back(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    asked, said = next(_secrets), next(_secrets)
    backend.script(says(said, "."))
    async with api.stream(asks(asked)) as stream:
        response = (await stream.to_the_end())[-1]["response"]
    assert await somebody_says(stack, said) == await somebody_says(stack, asked)
    status, answer = await delete(api, response["id"], "?hard_delete=true")
    assert (status, answer["deleted"]) == (200, True)
    await is_gone(api, response)
    for method, query in (("GET", "?include_deleted=true"), ("PATCH", "?recovery_from_delete=1")):
        status, _ = await api.call(method, f"/responses/{response['id']}{query}")
        assert status == 404
    await nothing_says(stack, asked)
    await nothing_says(stack, said)
    assert (await delete(api, response["id"], "?hard_delete=true"))[0] == 200


async def test_what_was_deleted_before_can_be_purged(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    asked = next(_secrets)
    backend.script(says("Hello."))
    response = await say(api, asked)
    await delete(api, response["id"])
    await delete(api, response["id"], "?hard_delete=true")
    status, _ = await recover(api, response["id"])
    assert status == 404
    await nothing_says(stack, asked)


async def test_what_descends_from_a_purged_response_goes_on_without_it(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("One."), says("Two."), says("Three."))
    first = await say(api, "one?")
    second = await say(api, "two?", first["id"])
    third = await say(api, "three?", second["id"])
    await delete(api, first["id"], "?hard_delete=true")
    for response in (second, third):
        assert await api.get(f"/responses/{response['id']}") == (200, response)
    await say(api, "on?", third["id"])
    said = [text for _, text in heard(backend)]
    assert said == ["two?", "Two.", "three?", "Three.", "on?"]


async def _bytes(api: Api, response_id: str) -> bytes:
    async with api.exchange("GET", f"/responses/{response_id}") as answer:
        return await answer.read()


async def _read(api: Api, response_id: str) -> Stream:
    async with api.join(response_id) as stream:
        await stream.to_the_end()
    return stream
