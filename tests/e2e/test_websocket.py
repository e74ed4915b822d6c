"""`/v1/responses` as a WebSocket: turn after turn on one connection, stored or not."""

import asyncio

import pytest
from openai import AsyncOpenAI

from e2e.rig.conversation import MODEL, heard
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import ScriptedBackend, calls, fails, says
from turnwire_testing.open_responses import problems_of_event
from turnwire_testing.openai_types import check_event
from turnwire_testing.sockets import Socket, connected
from turnwire_testing.stream_grammar import check_stream

WORDS = [f"word{number} " for number in range(8)]
NO_SUCH_ID = "resp_0123456789abcdef0123456789abcdef"


async def ask(socket: Socket, text: str, after: JSON | None = None, /, **fields: object) -> JSON:
    """Hold one turn; `after` is the response that it continues."""
    previous = {} if after is None else {"previous_response_id": after["id"]}
    return await socket.response(model=MODEL, input=text, **previous, **fields)


def code_of(error: JSON) -> tuple[int, str]:
    """What an error message says, for programs."""
    return error["status"], error["error"]["code"]


async def test_a_turn_is_told_in_the_events_of_a_stream(
    stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo."))
    async with connected(stack.url, stack.bearer) as socket:
        events = await socket.turn(model=MODEL, input="Hello?")
    check_stream(events)
    for event in events:
        check_event(event)
        assert problems_of_event(event) == []
    assert text_of(events[-1]["response"]) == "Hello."


async def test_a_stored_turn_is_the_same_by_http(
    stack: Stack, api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo."))
    async with connected(stack.url, stack.bearer) as socket:
        events = await socket.turn(model=MODEL, input="Hello?")
    response = events[-1]["response"]
    assert await api.get(f"/responses/{response['id']}") == (200, response)
    async with api.join(response["id"]) as stream:
        assert await stream.to_the_end() == events


async def test_turns_of_one_connection_follow_one_another(
    stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("One."), says("Two."), says("Three."))
    async with connected(stack.url, stack.bearer) as socket:
        for number in range(3):
            await socket.create(model=MODEL, input=f"question {number}", store=False)
        turns = [await socket.rest() for _ in range(3)]
    for events in turns:
        check_stream(events)
    assert [text_of(events[-1]["response"]) for events in turns] == ["One.", "Two.", "Three."]
    assert backend.max_in_flight == 1


async def test_a_connection_continues_what_is_not_stored(
    stack: Stack, api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Ahoy."), says("Cobalt."), says("Aye."))
    async with connected(stack.url, stack.bearer) as socket:
        first = await ask(socket, "The word is cobalt.", store=False, instructions="A pirate.")
        second = await ask(socket, "Which word?", first, store=False)
        assert second["previous_response_id"] == first["id"]
        assert second["instructions"] == "A pirate."
        third = await ask(socket, "Sure?", second, store=False)
    assert heard(backend) == [
        ("user", "The word is cobalt."),
        ("assistant", "Ahoy."),
        ("user", "Which word?"),
        ("assistant", "Cobalt."),
        ("user", "Sure?"),
    ]
    status, _ = await api.get(f"/responses/{third['id']}")
    assert status == 404


async def test_a_chain_goes_from_stored_to_unstored_and_back(
    stack: Stack, api: Api, backend: ScriptedBackend
) -> None:
    backend.script(*(says(f"answer {number}") for number in range(4)))
    async with connected(stack.url, stack.bearer) as socket:
        stored = await ask(socket, "question 0")
        unstored = await ask(socket, "question 1", stored, store=False)
        again = await ask(socket, "question 2", unstored)
    status, last = await api.post(
        {"model": MODEL, "input": "question 3", "previous_response_id": again["id"]}
    )
    assert (status, text_of(last)) == (200, "answer 3")
    assert [said for _, said in heard(backend)] == [
        "question 0", "answer 0", "question 1", "answer 1", "question 2", "answer 2", "question 3"
    ]  # fmt: skip


async def test_a_turn_may_belong_to_a_conversation(
    stack: Stack, api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hello Ada."), says("Ada."))
    _, conversation = await api.call("POST", "/conversations", {})
    async with connected(stack.url, stack.bearer) as socket:
        await ask(socket, "I am Ada.", conversation=conversation["id"])
        await ask(socket, "Who am I?", conversation=conversation["id"])
    assert [said for _, said in heard(backend)] == ["I am Ada.", "Hello Ada.", "Who am I?"]


async def test_an_item_that_the_connection_remembers_may_be_named_again(
    stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("Cobalt."), says("Aye."))
    async with connected(stack.url, stack.bearer) as socket:
        first = await ask(socket, "Which word?", store=False)
        reference = {"type": "item_reference", "id": first["output"][0]["id"]}
        question = {"role": "user", "content": "Sure?"}
        await socket.response(
            model=MODEL,
            input=[reference, question],
            previous_response_id=first["id"],
            store=False,
        )
    assert [said for _, said in heard(backend)] == ["Which word?", "Cobalt.", "Sure?"]


async def test_the_output_of_a_call_continues_an_unstored_turn(
    stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(calls("add", {"a": 1}), says("2."))
    tool = {"type": "function", "name": "add", "parameters": {"type": "object"}}
    async with connected(stack.url, stack.bearer) as socket:
        first = await ask(socket, "Add.", tools=[tool], store=False)
        (call,) = first["output"]
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "2"}
        second = await socket.response(
            model=MODEL, input=[output], previous_response_id=first["id"], store=False
        )
    assert text_of(second) == "2."
    assert [kind for kind, _ in heard(backend)] == ["user", "function_call", "function_call_output"]


async def test_a_new_connection_does_not_know_what_was_not_stored(
    stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("OK."), says("Fresh."))
    async with connected(stack.url, stack.bearer) as socket:
        lost = await ask(socket, "Remember this.", store=False)
    async with connected(stack.url, stack.bearer) as socket:
        error = await socket.error(model=MODEL, input="Go on.", previous_response_id=lost["id"])
        assert code_of(error) == (400, "previous_response_not_found")
        assert error["error"]["param"] == "previous_response_id"
        check_event(error | {"sequence_number": 0, "code": None, "message": "", "param": None})
        fresh = await ask(socket, "Then anew.", store=False)
    assert text_of(fresh) == "Fresh."


@pytest.mark.parametrize("unknown", [NO_SUCH_ID, "resp_nobody_knows_1", "nonsense"])
async def test_a_response_that_does_not_exist_cannot_be_continued(
    stack: Stack, backend: ScriptedBackend, unknown: str
) -> None:
    async with connected(stack.url, stack.bearer) as socket:
        error = await socket.error(
            model=MODEL, input="Go on.", previous_response_id=unknown, store=False
        )
    assert code_of(error) == (400, "previous_response_not_found")
    assert error["error"]["type"] == "invalid_request_error"
    assert backend.requests == ()


async def test_a_continuation_that_fails_is_not_tried_again_from_memory(
    stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("OK."))
    async with connected(stack.url, stack.bearer) as socket:
        first = await ask(socket, "Remember.", store=False)
        orphan = {"type": "function_call_output", "call_id": "call_nobody_made", "output": "?"}
        after: JSON = {"model": MODEL, "previous_response_id": first["id"], "store": False}
        failed = await socket.error(input=[orphan], **after)
        assert code_of(failed) == (400, "invalid_value")
        retried = await socket.error(input="Once more.", **after)
    assert code_of(retried) == (400, "previous_response_not_found")


async def test_a_backend_that_fails_a_continuation_evicts_it_too(
    stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("OK."), fails(500), says("Kept."), says("Bro", "ken.").broken(1))
    async with connected(stack.url, stack.bearer) as socket:
        first = await ask(socket, "Remember.", store=False)
        after: JSON = {"model": MODEL, "previous_response_id": first["id"], "store": False}
        failed = await socket.error(input="Go on.", **after)
        assert failed["status"] == 502
        evicted = await socket.error(input="Go on.", **after)
        assert code_of(evicted) == (400, "previous_response_not_found")

        kept = await ask(socket, "Remember.", store=False)
        after["previous_response_id"] = kept["id"]
        events = await socket.turn(input="Go on.", **after)
        assert events[-1]["type"] == "response.failed"
        evicted = await socket.error(input="Go on.", **after)
    assert code_of(evicted) == (400, "previous_response_not_found")


async def test_lanes_run_side_by_side_and_each_in_order(
    stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("slow ", "end.").paused(after=1), when=lambda body: "slow" in str(body))
    backend.script(says("one."), says("two."))
    async with connected(stack.url, stack.bearer) as socket:
        await socket.create(model=MODEL, input="slow", stream_id="slow")
        await backend.saw_pause()
        await socket.create(model=MODEL, input="first", stream_id='"quick"')
        await socket.create(model=MODEL, input="second", stream_id='"quick"')
        ends: list[JSON] = []
        while len(ends) < 2:
            event = await socket.event()
            if event["type"] == "response.completed":
                ends.append(event)
        await backend.saw_pause()
        backend.release()
        ends.append((await socket.until("response.completed"))[-1])
    assert [(end["stream_id"], text_of(end["response"])) for end in ends] == [
        ('"quick"', "one."),
        ('"quick"', "two."),
        ("slow", "slow end."),
    ]


async def test_every_event_of_a_lane_says_its_name(stack: Stack, backend: ScriptedBackend) -> None:
    backend.script(says("Hel", "lo."))
    async with connected(stack.url, stack.bearer) as socket:
        events = await socket.turn(model=MODEL, input="Hello?", stream_id="a")
        refused = await socket.error(model=MODEL, input="", stream_id="a")
    check_stream(events)
    assert {event["stream_id"] for event in (*events, refused)} == {"a"}


async def test_a_warm_up_asks_no_model_and_can_be_continued(
    stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("Warmed."))
    beta = {"OpenAI-Beta": "responses_websockets=2026-02-06"}
    async with connected(stack.url, {**stack.bearer, **beta}) as socket:
        events = await socket.turn(
            model=MODEL, input="Prepare.", generate=False, stream=True, instructions="Be brief."
        )
        check_stream(events)
        warm = events[-1]["response"]
        assert (warm["status"], warm["output"]) == ("completed", [])
        assert backend.requests == ()
        for event in events:
            check_event(event)
            assert problems_of_event(event) == []
        response = await ask(socket, "Now.", warm, stream=True)
    assert (response["previous_response_id"], text_of(response)) == (warm["id"], "Warmed.")
    assert heard(backend) == [("user", "Prepare."), ("user", "Now.")]
    assert response["instructions"] == "Be brief."


async def test_what_http_clients_say_about_streams_and_background_is_no_error(
    stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("Fine."))
    async with connected(stack.url, stack.bearer) as socket:
        response = await ask(socket, "Hello?", stream=True, background=True)
    assert (response["status"], response["background"]) == ("completed", False)


@pytest.mark.parametrize(
    ("options", "padded"), [({}, True), ({"include_obfuscation": False}, False)]
)
async def test_deltas_are_padded_as_on_http(
    stack: Stack, backend: ScriptedBackend, options: JSON, *, padded: bool
) -> None:
    backend.script(says("Fine."))
    async with connected(stack.url, stack.bearer) as socket:
        events = await socket.turn(model=MODEL, input="Hello?", stream_options=options)
    deltas = [event for event in events if event["type"] == "response.output_text.delta"]
    assert [bool(delta.get("obfuscation")) for delta in deltas] == [padded]


async def test_a_slow_reader_misses_nothing(
    stack: Stack, api: Api, backend: ScriptedBackend
) -> None:
    words = [f"{number:04d} {'x' * 1000}" for number in range(4000)]
    backend.script(says(*words))
    async with connected(stack.url, stack.bearer) as socket:
        await socket.create(model=MODEL, input="Talk.")
        events = await socket.until("response.created")
        await backend.became_idle(within=20)
        events += await socket.rest()
    check_stream(events)
    assert text_of(events[-1]["response"]) == "".join(words)
    async with api.join(events[0]["response"]["id"]) as again:
        assert await again.to_the_end() == events


async def test_a_client_that_leaves_is_waited_for_and_then_its_turn_is_cancelled(
    impatient_stack: Stack, impatient_api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says(*WORDS).paused(after=2))
    async with connected(impatient_stack.url, impatient_stack.bearer) as socket:
        await socket.create(model=MODEL, input="Talk.")
        events = await socket.until("response.output_text.delta")
        await socket.create(model=MODEL, input="Nobody will hear this.")
    await backend.saw_disconnect()
    async with impatient_api.join(events[0]["response"]["id"]) as stream:
        end = (await stream.to_the_end())[-1]
    assert end["response"]["status"] == "cancelled"
    assert len(backend.requests) == 1


async def test_a_turn_outlives_its_gateway_and_is_resumed_by_http(
    stack: Stack, api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says(*WORDS).paused(after=3))
    async with connected(stack.url, stack.bearer) as socket:
        await socket.create(model=MODEL, input="Talk.")
        seen = await socket.until("response.output_text.delta")
        stack.kill("gateway")
        seen += await socket.until_closed()
    await asyncio.to_thread(stack.wait_until_back, "gateway")
    async with api.join(seen[0]["response"]["id"], after=len(seen) - 1) as back:
        await backend.saw_pause()
        backend.release()
        events = [*seen, *await back.to_the_end()]
    check_stream(events)
    assert text_of(events[-1]["response"]) == "".join(WORDS)


async def test_the_openai_sdk_holds_a_conversation_on_a_connection(
    client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo."), says("Ada."))
    async with client.responses.connect() as connection:
        await connection.response.create(model=MODEL, input="I am Ada.", store=False)
        first: list[str] = []
        previous = ""
        async for event in connection:
            first.append(event.type)
            if event.type == "response.completed":
                previous = event.response.id
                break
        assert first[:2] == ["response.created", "response.in_progress"]
        await connection.response.create(
            model=MODEL, input="Who am I?", previous_response_id=previous, store=False
        )
        deltas: list[str] = []
        async for event in connection:
            if event.type == "response.output_text.delta":
                deltas.append(event.delta)
            if event.type == "response.completed":
                assert event.response.previous_response_id == previous
                break
    assert "".join(deltas) == "Ada."
    assert [said for _, said in heard(backend)] == ["I am Ada.", "Hello.", "Who am I?"]


async def test_the_openai_sdk_tells_an_error_by_its_code(
    client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    async with client.responses.connect() as connection:
        await connection.response.create(
            model=MODEL, input="Go on.", previous_response_id=NO_SUCH_ID
        )
        error = await connection.recv()
    assert error.type == "error"
    assert error.error.code == "previous_response_not_found"
    assert (error.status, error.error.param) == (400, "previous_response_id")
    assert backend.requests == ()
