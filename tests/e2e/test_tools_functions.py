"""Functions that the client runs: what is answered, what is not, and what answers nothing."""

import pytest

from e2e.rig.conversation import asks
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import ScriptedBackend, calls, says

TOOLS = [{"type": "function", "name": "look", "parameters": {"type": "object"}}]


def output(call_id: str, text: str = "seen") -> JSON:
    """What a function gave."""
    return {"type": "function_call_output", "call_id": call_id, "output": text}


async def called(api: Api, backend: ScriptedBackend) -> JSON:
    """Have the model call twice; gives the response."""
    backend.script(calls("look", call_id="call_a") + calls("look", call_id="call_b"))
    status, response = await api.post(asks("Look.", tools=TOOLS))
    assert status == 200, response
    return response


def ids(response: JSON) -> list[str]:
    """The `call_id`s of its calls."""
    return [item["call_id"] for item in response["output"] if item["type"] == "function_call"]


async def test_all_answers_together_continue(api: Api, backend: ScriptedBackend) -> None:
    first = await called(api, backend)
    backend.script(says("Nothing there."))
    answers = [output(call_id) for call_id in ids(first)]
    status, second = await api.post(asks(answers, first["id"], tools=TOOLS))
    assert (status, text_of(second)) == (200, "Nothing there."), second


async def test_one_answer_of_two_is_refused_and_names_the_other(
    api: Api, backend: ScriptedBackend
) -> None:
    first = await called(api, backend)
    left, right = ids(first)
    status, body = await api.post(asks([output(left)], first["id"], tools=TOOLS))
    assert (status, body["error"]["param"]) == (400, "input"), body
    assert body["error"]["message"] == f"No tool output found for function call {right}."
    assert len(backend.requests) == 1


async def test_an_answer_to_no_call_is_refused_wherever_it_comes(
    api: Api, backend: ScriptedBackend
) -> None:
    first = await called(api, backend)
    answers = [*(output(call_id) for call_id in ids(first)), output("call_z")]
    for body in (
        asks([output("call_z")]),
        asks([output("call_z")], stream=True),
        asks([output("call_z")], background=True),
        asks(answers, first["id"]),
    ):
        status, said = await api.post(body)
        assert (status, said["error"]["param"]) == (400, "input"), said
        assert said["error"]["message"] == (
            "No tool call found for function call output with call_id call_z."
        )


async def test_who_goes_on_without_answers_has_cancelled_the_calls(
    api: Api, backend: ScriptedBackend
) -> None:
    first = await called(api, backend)
    backend.script(says("Never mind."), says("Still here."))
    status, second = await api.post(asks("Forget it.", first["id"], tools=TOOLS))
    assert status == 200, second
    _, third = await api.post(asks("Hello?", second["id"], tools=TOOLS))
    assert text_of(third) == "Still here."
    for request in backend.requests[1:]:
        told = request.body["input"]
        assert [item.get("role") or item["type"] for item in told][:6] == [
            "user", "function_call", "function_call", "function_call_output",
            "function_call_output", "user",
        ]  # fmt: skip
        assert all("cancelled" in item["output"] for item in told[3:5])


def whole(*told: JSON) -> list[JSON]:
    """A history that a client keeps itself, up to two calls, and what came then."""
    made = [
        {"type": "function_call", "call_id": call_id, "name": "look", "arguments": "{}"}
        for call_id in ("call_a", "call_b")
    ]
    return [{"role": "user", "content": "Look."}, *made, *told]


GO_ON: JSON = {"role": "user", "content": "Well?"}


@pytest.mark.parametrize("way", [{}, {"stream": True}, {"background": True}])
async def test_half_an_answer_within_a_whole_history_is_refused(
    api: Api, backend: ScriptedBackend, way: JSON
) -> None:
    status, body = await api.post(asks(whole(output("call_b"), GO_ON), tools=TOOLS, **way))
    assert (status, body["error"]["param"]) == (400, "input"), body
    assert body["error"]["message"] == "No tool output found for function call call_a."
    assert not backend.requests


async def test_calls_that_a_whole_history_leaves_open_were_cancelled(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Never mind."), says("Still here."))
    status, first = await api.post(asks(whole(GO_ON), tools=TOOLS))
    assert (status, text_of(first)) == (200, "Never mind."), first
    status, second = await api.post(asks("Hello?", first["id"], tools=TOOLS))
    assert (status, text_of(second)) == (200, "Still here."), second
    for request in backend.requests:
        told = request.body["input"]
        assert [item.get("role") or item["type"] for item in told][:6] == [
            "user", "function_call", "function_call", "function_call_output",
            "function_call_output", "user",
        ]  # fmt: skip
        assert [item["call_id"] for item in told[3:5]] == ["call_a", "call_b"]
        assert all("cancelled" in item["output"] for item in told[3:5])


async def test_a_whole_history_goes_on_after_its_calls_were_answered(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Seen."))
    answers = [output("call_b"), output("call_a"), GO_ON]
    status, response = await api.post(asks(whole(*answers), tools=TOOLS))
    assert (status, text_of(response)) == (200, "Seen."), response
    assert len(backend.requests[0].body["input"]) == 6
