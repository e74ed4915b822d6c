"""Forks of a turn with many rounds of tools, and decisions of a person, over HTTP alone."""

import orjson
import pytest

from e2e.rig.conversation import asks
from e2e.rig.desk import Desk
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import ScriptedBackend, calls, says

ROUNDS = 10
TEXT = {"text": "buy beans"}


def sent(backend: ScriptedBackend) -> list[bytes]:
    """What the backend was asked, as it was written."""
    return [orjson.dumps(each.body) for each in backend.requests]


async def test_a_fork_from_any_event_of_ten_rounds_goes_on_and_calls_nothing_again(
    api: Api, backend: ScriptedBackend, desk: Desk
) -> None:
    rounds = [calls("note", {"text": f"note {number}"}) for number in range(ROUNDS)]
    backend.script(*rounds, says("All noted."))
    status, first = await api.post(asks("Note ten things.", tools=[desk.tool()]))
    assert (status, text_of(first)) == (200, "All noted."), first
    asked = sent(backend)
    assert len(asked) == ROUNDS + 1
    _, page = await api.get(f"/responses/{first['id']}/events?limit=100")
    returned = [each for each in page["data"] if each["type"] == "tool_returned"]
    called = [each for each in page["data"] if each["type"] == "tool_called"]
    assert (len(returned), len(called)) == (ROUNDS, ROUNDS)
    for number, event in enumerate(returned, 1):
        await forked(api, backend, first, event)
        assert sent(backend)[-1] == asked[number]
    await forked(api, backend, first, called[4])
    outputs = [item for item in backend.requests[-1].body["input"] if "output" in item]
    assert len(outputs) == 5
    assert "not made" in outputs[-1]["output"]
    assert [each["text"] for each in desk.calls("note")] == [
        f"note {number}" for number in range(ROUNDS)
    ]


async def forked(api: Api, backend: ScriptedBackend, first: JSON, event: JSON) -> JSON:
    backend.script(says("Forked."))
    status, fork = await api.call(
        "POST", f"/responses/{first['id']}/fork", {"at": event["sequence"]}
    )
    assert (status, text_of(fork)) == (200, "Forked."), fork
    assert fork["forked_from"] == {"response_id": first["id"], "at": event["sequence"]}
    assert (await api.get(f"/responses/{fork['id']}"))[1] == fork
    return fork


async def test_a_fork_at_the_end_asks_what_a_continuation_asks_and_a_rerun_what_was_asked(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("One."), says("Two."), says("Three."), says("Four."))
    _, first = await api.post(asks("Count.", instructions="Be brief.", temperature=0))
    path = f"/responses/{first['id']}"
    again = asks("Go on.", first["id"], instructions="Be brief.", temperature=0)
    assert (await api.post(again))[0] == 200
    assert (await api.call("POST", f"{path}/fork", {"input": "Go on."}))[0] == 200
    _, rerun = await api.call("POST", f"{path}/rerun", {})
    once, continued, fork, anew = sent(backend)
    assert (fork, anew) == (continued, once)
    _, diff = await api.get(f"{path}/diff?with={rerun['id']}")
    assert [each["field"] for each in diff["request"]] == ["rerun_of"]
    assert diff["text"]["unified"].splitlines()[-2:] == ["-One.", "+Four."]


@pytest.mark.parametrize("approve", [True, False])
async def test_what_waits_is_found_and_decided_and_the_turn_goes_on(
    api: Api, backend: ScriptedBackend, desk: Desk, *, approve: bool
) -> None:
    backend.script(calls("note", TEXT))
    tools = [desk.tool(require_approval="always")]
    status, first = await api.post(asks("Note it.", tools=tools))
    assert status == 200, first
    asked = first["output"][-1]
    assert asked["type"] == "mcp_approval_request"
    listed = await waiting(api)
    assert (listed[0]["id"], listed[0]["response_id"]) == (asked["id"], first["id"])
    assert listed[0]["arguments"] == asked["arguments"]
    backend.script(says("So be it."))
    decision: JSON = {"approve": approve, "reason": "Because."}
    status, second = await api.call("POST", f"/approvals/{asked['id']}", decision)
    assert (status, text_of(second)) == (200, "So be it."), second
    assert second["previous_response_id"] == first["id"]
    assert desk.calls("note") == ([TEXT] if approve else [])
    told = backend.requests[-1].body["input"][-1]["output"]
    assert ("Noted" if approve else "Because.") in told
    assert (await api.call("POST", f"/approvals/{asked['id']}", decision))[1] == second
    status, refused = await api.call("POST", f"/approvals/{asked['id']}", {"approve": not approve})
    assert (status, refused["error"]["code"]) == (409, "approval_decided")
    assert asked["id"] not in [each["id"] for each in await waiting(api)]


async def waiting(api: Api) -> list[JSON]:
    status, page = await api.get("/approvals")
    assert status == 200, page
    return page["data"]
