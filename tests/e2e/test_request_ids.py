"""Every answer names its request, and so does every line that the services log about it."""

import itertools
import json
from typing import Any

import pytest

from e2e.rig.conversation import asks
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api
from scripted_backend import ScriptedBackend, fails, overflows, says

NO_SUCH_ID = "resp_0123456789abcdef0123456789abcdef"

_ids = (f"test-{number}" for number in itertools.count())

ANSWERS: dict[str, tuple[str, str, Any, int]] = {
    "a plain answer": ("POST", "/responses", asks("Hi."), 200),
    "a stream": ("POST", "/responses", asks("Hi.", stream=True), 200),
    "what is queued": ("POST", "/responses", asks("Hi.", background=True), 202),
    "a wrong value": ("POST", "/responses", asks("Hi.", temperature=7), 400),
    "no JSON": ("POST", "/responses", b"{", 400),
    "nothing there": ("GET", f"/responses/{NO_SUCH_ID}", None, 404),
    "an unknown path": ("GET", "/nothing", None, 404),
    "a wrong method": ("PUT", "/responses", None, 405),
    "a conversation": ("POST", "/conversations", {}, 200),
    "the models": ("GET", "/models", None, 200),
}


@pytest.mark.parametrize("case", ANSWERS)
async def test_an_answer_has_the_id_that_its_request_had_or_a_new_one(
    api: Api, backend: ScriptedBackend, case: str
) -> None:
    method, path, body, expected = ANSWERS[case]
    backend.always(says("Hello."))
    request_id = next(_ids)
    async with api.exchange(method, path, body, x_request_id=request_id) as answer:
        assert (answer.status, answer.headers["x-request-id"]) == (expected, request_id)
        told = await answer.read()
    if expected == 202:
        await api.ended(json.loads(told)["id"])
    async with api.exchange(method, path, body) as first, api.exchange(method, path, body) as other:
        minted = {each.headers["x-request-id"] for each in (first, other)}
        assert all(each.startswith("req_") for each in minted)
        assert len(minted) == 2
        for each in (first, other):
            await each.read()


async def test_an_id_that_could_forge_a_log_line_is_replaced(api: Api) -> None:
    for given in ("a b", '"', "x" * 129):
        async with api.exchange("GET", "/models", x_request_id=given) as answer:
            assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("fields", [{}, {"stream": True}, {"background": True}])
async def test_what_is_logged_of_a_turn_names_the_request_that_made_it(
    api: Api, stack: Stack, backend: ScriptedBackend, fields: JSON
) -> None:
    backend.script(says("Hello."))
    request_id = next(_ids)
    async with api.answer(asks("Hi.", **fields), x_request_id=request_id) as answer:
        text = await answer.text()
    response = await api.ended(text[text.index("resp_") :][:37])
    (closed,) = _lines(stack, "orchestrator", response["id"])
    assert closed["event"] == "turn closed"
    assert closed["request_id"] == request_id


@pytest.mark.parametrize("stream", [False, True])
async def test_what_fails_after_a_turn_was_accepted_is_not_to_be_sent_again(
    api: Api, backend: ScriptedBackend, *, stream: bool
) -> None:
    backend.script(fails(500), overflows())
    async with api.answer(asks("Hi.", stream=stream)) as answer:
        assert answer.status >= 500
        assert answer.headers["x-should-retry"] == "false"
    async with api.answer(asks("Hi.", stream=stream)) as answer:
        assert answer.status == 400
        assert "x-should-retry" not in answer.headers


def _lines(stack: Stack, service: str, words: str) -> list[JSON]:
    """Give what a service has logged about something."""
    log = (stack.data / "logs" / f"{service}.log").read_text(encoding="utf-8")
    return [json.loads(line) for line in log.splitlines() if words in line]
