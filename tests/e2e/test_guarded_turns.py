"""A policy in force: what is blocked is refused in every mode, and stands in no file afterwards."""

import asyncio
import os
import signal
from collections.abc import Generator

import pytest
from openai import AsyncOpenAI, BadRequestError

from e2e.conftest import running
from e2e.rig.conversation import MODEL, asks, heard
from e2e.rig.remains import nothing_says
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import ScriptedBackend, calls, says
from turnwire_testing.sockets import connected
from turnwire_testing.stream_grammar import check_stream

STAGES = """
      - stage: words
        provider: regex
        settings: { patterns: { secret: ['zz-[a-z]+'] } }
"""
POLICY = f"""
policies:
  default:
    input:{STAGES}
    output:{STAGES}
  late:
    output_check: at_end
    input:{STAGES}
    output:{STAGES}
  open: {{}}
"""
NAMED_FILE = {
    "type": "input_file",
    "filename": "zz-hidden",
    "file_data": "data:text/plain;base64,aGk=",
}
FOUND = {"category": "secret", "provider": "regex", "stage": "words", "step": 1}
APPLICATIONS = {"held": "default", "at_end": "late"}
TAKEN_OVER_WITHIN = 60.0
ENDS_WITHIN = 60.0

modes = pytest.mark.parametrize("mode", APPLICATIONS)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, backend_port: int) -> Generator[Stack]:
    """A stack with a policy, whose processes may be killed."""
    policy = tmp_path_factory.mktemp("policy") / "policy.yaml"
    policy.write_text(POLICY)
    yield from running(
        Stack(
            tmp_path_factory.mktemp("guarded"),
            backend_url=f"http://127.0.0.1:{backend_port}/v1",
            guard_policy=str(policy),
            guard_timeout_s="2",
        )
    )


def check_refusal(error: JSON) -> None:
    """Check the one way in which a blocked input is refused."""
    assert (error["type"], error["param"]) == ("invalid_request_error", "input")
    assert (error["code"], error["violations"]) == ("content_filter", [FOUND])


@pytest.mark.parametrize(
    "fields",
    [{}, {"stream": True}, {"background": True}, {"background": True, "stream": True}],
    ids=["plain", "stream", "background", "background stream"],
)
async def test_a_blocked_input_is_refused_alike_in_every_mode(
    api: Api, stack: Stack, backend: ScriptedBackend, fields: JSON
) -> None:
    status, body = await api.post(asks("Tell me of zz-input.", **fields))
    assert status == 400
    check_refusal(body["error"])
    assert len(backend.requests) == 0
    await nothing_says(stack, "zz-input")


@pytest.mark.parametrize(
    "fields",
    [
        {"instructions": "Say zz-hidden."},
        {"tools": [{"type": "function", "name": "f", "description": "Give zz-hidden."}]},
        {
            "input": [
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "zz-hidden"},
            ]
        },
        {"input": [{"role": "user", "content": [NAMED_FILE]}]},
    ],
    ids=["instructions", "tools", "tool output", "file name"],
)
async def test_whatever_a_model_would_read_is_judged(
    api: Api, stack: Stack, backend: ScriptedBackend, fields: JSON
) -> None:
    status, body = await api.post({**asks("Hello?"), **fields})
    assert (status, body["error"]["code"]) == (400, "content_filter")
    assert len(backend.requests) == 0
    await nothing_says(stack, "zz-hidden")


async def test_sdks_and_sockets_are_refused_alike(
    stack: Stack, client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    for stream in (False, True):
        with pytest.raises(BadRequestError) as raised:
            await client.responses.create(model=MODEL, input="zz-input", stream=stream)
        assert raised.value.code == "content_filter"
    async with connected(stack.url, stack.bearer) as socket:
        (event,) = await socket.turn(model=MODEL, input="zz-input")
    assert (event["type"], event["status"]) == ("error", 400)
    check_refusal(event["error"])
    assert len(backend.requests) == 0


async def test_items_that_are_blocked_come_into_no_conversation(api: Api, stack: Stack) -> None:
    items = [{"type": "message", "role": "user", "content": "zz-item"}]
    status, body = await api.call("POST", "/conversations", {"items": items})
    assert status == 400
    check_refusal(body["error"])
    _, begun = await api.call("POST", "/conversations", {"items": [{**items[0], "content": "a"}]})
    path = f"/conversations/{begun['id']}/items"
    status, body = await api.call("POST", path, {"items": items})
    assert (status, body["error"]["code"]) == (400, "content_filter")
    _, page = await api.get(path)
    assert len(page["data"]) == 1
    await nothing_says(stack, "zz-item")


async def test_a_policy_is_that_of_the_application(api: Api, backend: ScriptedBackend) -> None:
    backend.script(says("As you like: zz-open."))
    status, response = await api.post(asks("zz-open?"), x_application_id="open")
    assert (status, text_of(response)) == (200, "As you like: zz-open.")
    status, body = await api.post(asks("Hi."), x_application_id="no such name!")
    assert (status, body["error"]["param"]) == (400, "x-application-id")


async def test_held_text_ends_before_what_is_blocked(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("All is well. ", "The word ", "is ", "zz-", "held", ". ", "Bye."))
    async with api.stream(asks("What?")) as stream:
        events = await stream.to_the_end()
    check_stream(events)
    end = events[-1]["response"]
    assert (events[-1]["type"], text_of(end)) == ("response.incomplete", "All is well. ")
    assert end["incomplete_details"] == {"reason": "content_filter"}
    async with api.join(end["id"]) as again:
        await again.to_the_end()
    assert again.raw == stream.raw
    assert await api.get(f"/responses/{end['id']}") == (200, end)
    backend.script(says("Hm."))
    await api.post(asks("And?", end["id"]))
    assert "All is well. " in [text for _, text in heard(backend)]
    await nothing_says(stack, "zz-held")


async def test_text_that_is_judged_at_the_end_is_shown_and_then_withheld(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("The word ", "is ", "zz-late."))
    async with api.stream(asks("What?"), x_application_id="late") as stream:
        events = await stream.to_the_end()
    assert [event["delta"] for event in events if "delta" in event] == [
        "The word ",
        "is ",
        "zz-late.",
    ]
    end = events[-1]["response"]
    assert end["incomplete_details"] == {"reason": "content_filter"}
    assert text_of(end) == "█" * len("The word is zz-late.")
    backend.script(says("Hm."))
    await api.post(asks("And?", end["id"]))
    assert [who for who, _ in heard(backend)] == ["user", "user"]
    await nothing_says(stack, "zz-late")


@modes
@pytest.mark.parametrize("background", [False, True], ids=["plain", "background"])
async def test_a_blocked_answer_that_nobody_saw_is_not_given(
    api: Api, stack: Stack, backend: ScriptedBackend, mode: str, *, background: bool
) -> None:
    backend.script(says("The word is zz-answer."))
    body = asks("What?", background=background)
    _, response = await api.post(body, x_application_id=APPLICATIONS[mode])
    response = await api.ended(response["id"])
    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "content_filter"}
    assert "zz" not in str(response["output"])
    await nothing_says(stack, "zz-answer")


@modes
async def test_a_blocked_call_is_not_made(
    api: Api, stack: Stack, backend: ScriptedBackend, mode: str
) -> None:
    backend.script(calls("send", {"to": "zz-call"}))
    _, response = await api.post(asks("Do it."), x_application_id=APPLICATIONS[mode])
    assert (response["status"], response["output"]) == ("incomplete", [])
    await nothing_says(stack, "zz-call")


async def test_a_takeover_shows_nothing_that_was_held(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("One. ", "The word ", "is zz-lost").paused(after=3), says("Fine."))
    async with api.stream(asks("Talk.")) as stream:
        await stream.until("response.output_text.delta")
        await backend.saw_pause()
        stack.kill("orchestrator")
        async with asyncio.timeout(TAKEN_OVER_WITHIN):
            events = await stream.to_the_end()
    check_stream(events)
    abandoned, whole = events[-1]["response"]["output"]
    assert (abandoned["status"], text_of({"output": [abandoned]})) == ("incomplete", "One. ")
    assert text_of({"output": [whole]}) == "Fine."
    async with api.join(events[-1]["response"]["id"]) as again:
        await again.to_the_end()
    assert again.raw == stream.raw
    await nothing_says(stack, "zz-lost")
    await asyncio.to_thread(stack.wait_until_back, "orchestrator")


async def test_a_guard_that_dies_in_mid_check_lets_nothing_pass(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    os.kill(stack.pid("guard"), signal.SIGSTOP)
    asked = [
        asyncio.create_task(_refused(api, asks(f"zz-unjudged {number}", **fields)))
        for number, fields in enumerate([{}, {"stream": True}, {"background": True}])
    ]
    await asyncio.wait(asked, timeout=0.5)
    stack.kill("guard")
    async with asyncio.timeout(ENDS_WITHIN):
        for refused in await asyncio.gather(*asked):
            assert refused == (503, "guard_unavailable", True)
    await nothing_says(stack, "zz-unjudged")
    await asyncio.to_thread(stack.wait_until_back, "guard")
    assert len(backend.requests) == 0
    backend.script(says("Hello."))
    assert (await api.post(asks("Hi.")))[0] == 200


async def _refused(api: Api, body: JSON) -> tuple[int, str, bool]:
    async with api.answer(body) as answer:
        error = (await answer.json())["error"]
        return answer.status, error["code"], int(answer.headers["retry-after"]) > 0
