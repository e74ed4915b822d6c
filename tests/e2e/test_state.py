"""What is remembered: histories, instructions, and who may continue what."""

import pytest
from openai import AsyncOpenAI

from e2e.conftest import DEFAULT_INSTRUCTIONS
from e2e.rig.conversation import MODEL, asks, heard
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import ScriptedBackend, says

NO_SUCH_ID = "resp_0123456789abcdef0123456789abcdef"


async def say(api: Api, text: str, after: str | None = None, **fields: object) -> str:
    """Hold one turn; gives the id of its response."""
    status, response = await api.post(asks(text, after, **fields))
    assert status == 200, response
    return response["id"]


async def test_a_model_sees_the_whole_conversation_at_every_turn(
    api: Api, backend: ScriptedBackend
) -> None:
    previous: str | None = None
    told: list[tuple[str, str]] = []
    for turn in range(6):
        backend.script(says(f"answer {turn}"))
        previous = await say(api, f"question {turn}", previous)
        told.append(("user", f"question {turn}"))
        assert heard(backend) == told
        told.append(("assistant", f"answer {turn}"))


async def test_branches_of_a_conversation_do_not_see_each_other(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Root."), says("Left."), says("Right."), says("More left."))
    root = await say(api, "root?")
    left = await say(api, "left?", root)
    await say(api, "right?", root)
    shared = [("user", "root?"), ("assistant", "Root.")]
    assert heard(backend) == [*shared, ("user", "right?")]
    await say(api, "more?", left)
    branch = [("user", "left?"), ("assistant", "Left.")]
    assert heard(backend) == [*shared, *branch, ("user", "more?")]


async def test_streamed_and_plain_turns_continue_each_other(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("One."), says("Two."), says("Three."))
    first = await say(api, "one?")
    async with api.stream(asks("two?", first)) as stream:
        second = (await stream.to_the_end())[-1]["response"]["id"]
    await say(api, "three?", second)
    assert [said for _, said in heard(backend)] == ["one?", "One.", "two?", "Two.", "three?"]


async def test_a_response_can_be_retrieved_the_moment_it_is_there(
    api: Api, backend: ScriptedBackend
) -> None:
    for number in range(10):
        backend.script(says(f"answer {number}"))
        _, response = await api.post(asks("Hi."))
        assert await api.get(f"/responses/{response['id']}") == (200, response)


async def test_a_running_response_can_be_retrieved_and_not_yet_continued(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo.").paused(after=1))
    async with api.stream(asks("Hi.")) as stream:
        created = await stream.until("response.created")
        response_id = created["response"]["id"]
        status, response = await api.get(f"/responses/{response_id}")
        assert (status, response["status"], response["output"]) == (200, "in_progress", [])
        status, refusal = await api.post(asks("On.", response_id))
        assert (status, refusal["error"]["code"]) == (425, "response_in_progress")
        await backend.saw_pause()
        backend.release()
        await stream.to_the_end()
    status, response = await api.get(f"/responses/{response_id}")
    assert (status, response["status"], text_of(response)) == (200, "completed", "Hello.")


INSTRUCTIONS: dict[str, tuple[list[str | None], str | None]] = {
    "its own": (["Be kind."], "Be kind."),
    "inherited from the turn before": (["Be kind.", None], "Be kind."),
    "inherited from afar": (["Be kind.", None, None, None], "Be kind."),
    "its own instead of inherited ones": (["Be kind.", "Be short."], "Be short."),
    "none, cleared": (["Be kind.", ""], ""),
    "none, inherited": (["Be kind.", "", None], ""),
    "new ones after none": (["Be kind.", "", "Be short."], "Be short."),
    "none, as nobody gave any": ([None, None], None),
}


@pytest.mark.parametrize("case", INSTRUCTIONS)
async def test_instructions_are(api: Api, backend: ScriptedBackend, case: str) -> None:
    given, used = INSTRUCTIONS[case]
    previous: str | None = None
    response: JSON = {}
    for instructions in given:
        body = asks("Hi.", previous, instructions=instructions)
        _, response = await api.post(body)
        previous = response["id"]
    assert response["instructions"] == used
    assert backend.requests[-1].body.get("instructions") == (used or None)
    assert (await api.get(f"/responses/{previous}"))[1]["instructions"] == used


DEFAULTS: dict[str, tuple[list[str | None], str]] = {
    "the default where nobody says anything": ([None, None], DEFAULT_INSTRUCTIONS),
    "its own instead of the default": (["Be kind."], "Be kind."),
    "inherited instead of the default": (["Be kind.", None], "Be kind."),
    "none instead of the default": ([""], ""),
    "none instead of the default, inherited": (["", None], ""),
}


@pytest.mark.parametrize("case", DEFAULTS)
async def test_with_a_default_instructions_are(
    impatient_api: Api, backend: ScriptedBackend, case: str
) -> None:
    given, used = DEFAULTS[case]
    previous: str | None = None
    response: JSON = {}
    for instructions in given:
        body = asks("Hi.", previous, instructions=instructions)
        _, response = await impatient_api.post(body)
        previous = response["id"]
    assert response["instructions"] == used
    assert backend.requests[-1].body.get("instructions") == (used or None)


async def test_tools_are_not_inherited(api: Api, backend: ScriptedBackend) -> None:
    tool: JSON = {"type": "function", "name": "add", "parameters": {"type": "object"}}
    first = await say(api, "Hi.", tools=[tool])
    await say(api, "Hi.", first)
    assert "tools" not in backend.requests[-1].body


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("previous", [NO_SUCH_ID, "resp_123", "", "; drop *"])
async def test_an_unknown_previous_response_is_not_found_before_anything_is_sent(
    api: Api, backend: ScriptedBackend, previous: str, *, stream: bool
) -> None:
    async with api.answer(asks("Hi.", previous, stream=stream)) as answer:
        error = (await answer.json())["error"]
        assert (answer.status, answer.content_type) == (404, "application/json")
    assert (error["code"], error["type"]) == ("previous_response_not_found", "not_found_error")
    assert error["param"] == "previous_response_id"
    assert len(backend.requests) == 0


@pytest.mark.parametrize("query", ["", "?stream=true", "?stream=true&starting_after=3"])
@pytest.mark.parametrize("response_id", [NO_SUCH_ID, "resp_123", "msg_1", "*"])
async def test_an_unknown_response_is_not_found(api: Api, response_id: str, query: str) -> None:
    status, body = await api.get(f"/responses/{response_id}{query}")
    assert (status, body["error"]["code"]) == (404, "response_not_found")


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_not_stored_can_neither_be_retrieved_nor_continued(
    api: Api, backend: ScriptedBackend, *, stream: bool
) -> None:
    backend.script(says("Secret."))
    body = asks("Tell.", store=False)
    if stream:
        async with api.stream(body) as events:
            response = (await events.to_the_end())[-1]["response"]
    else:
        _, response = await api.post(body)
    assert (text_of(response), response["store"]) == ("Secret.", False)
    for query in ("", "?stream=true"):
        status, answer = await api.get(f"/responses/{response['id']}{query}")
        assert (status, answer["error"]["code"]) == (404, "response_not_found")
    status, answer = await api.post(asks("On.", response["id"]))
    assert (status, answer["error"]["code"]) == (404, "previous_response_not_found")


async def test_what_is_not_stored_may_continue_what_is(api: Api, backend: ScriptedBackend) -> None:
    backend.script(says("One."), says("Two."))
    first = await say(api, "one?")
    await say(api, "two?", first, store=False)
    assert [said for _, said in heard(backend)] == ["one?", "One.", "two?"]


async def test_a_client_that_sends_everything_again_is_understood(
    client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(says("Berlin."), says("Its gate."), says("1791."))
    first = await client.responses.create(model=MODEL, input="Capital?")
    question: JSON = {"role": "user", "content": "Capital?"}
    known: list[JSON] = [question, *(item.model_dump() for item in first.output)]
    for asked in ("Known for?", "Since?"):
        everything: list[JSON] = [*known, {"role": "user", "content": asked}]
        response = await client.responses.create(
            model=MODEL,
            input=everything,  # pyright: ignore[reportArgumentType] -- as a client has it: dicts
            previous_response_id=first.id,
        )
        known = [*everything, *(item.model_dump() for item in response.output)]
        first = response
    assert heard(backend) == [
        ("user", "Capital?"),
        ("assistant", "Berlin."),
        ("user", "Known for?"),
        ("assistant", "Its gate."),
        ("user", "Since?"),
    ]


async def test_the_same_question_twice_is_two_questions(api: Api, backend: ScriptedBackend) -> None:
    first = await say(api, "Again?")
    await say(api, "Again?", first)
    assert [said for who, said in heard(backend) if who == "user"] == ["Again?", "Again?"]
