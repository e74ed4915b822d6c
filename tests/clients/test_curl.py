"""curl: what anyone can do from a shell."""

import json
from typing import Any

import pytest

from clients.rig.programs import Programs
from clients.rig.questions import FIRST, PARIS, SECOND, TOWER
from e2e.rig.conversation import asks, heard
from e2e.rig.wire import DONE, payload, split
from scripted_backend import ScriptedBackend

pytestmark = pytest.mark.clients

STATUS = ("--write-out", "\n%{http_code}")


async def test_an_answer_comes_whole(programs: Programs, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    answer = json.loads(await _post(programs, asks(FIRST)))
    assert (answer["status"], answer["usage"]["total_tokens"]) == ("completed", 15)
    assert heard(backend) == [("user", FIRST)]


async def test_an_answer_comes_in_events(programs: Programs, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    frames = split((await _post(programs, asks(FIRST, stream=True))).encode())
    assert frames[-1] == DONE
    events = [payload(frame) for frame in frames[:-1]]
    assert [event["sequence_number"] for event in events] == list(range(10))
    assert [event["delta"] for event in events if "delta" in event] == ["Par", "is."]


async def test_a_turn_continues_an_earlier_one(
    programs: Programs, backend: ScriptedBackend
) -> None:
    backend.script(PARIS, TOWER)
    before = json.loads(await _post(programs, asks(FIRST)))
    await _post(programs, asks(SECOND, before["id"]))
    assert heard(backend) == [("user", FIRST), ("assistant", "Paris."), ("user", SECOND)]


async def test_an_answer_is_retrieved(programs: Programs, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    created = json.loads(await _post(programs, asks(FIRST)))
    assert json.loads(await _curl(programs, f"/responses/{created['id']}")) == created


async def test_a_stream_is_read_on_from_the_last_number(
    programs: Programs, backend: ScriptedBackend
) -> None:
    backend.script(PARIS)
    whole = await _post(programs, asks(FIRST, stream=True))
    frames = split(whole.encode())
    response_id = payload(frames[0])["response"]["id"]
    rest = await _curl(programs, f"/responses/{response_id}?stream=true&starting_after=4")
    assert split(rest.encode()) == frames[5:]


async def test_an_answer_is_deleted(programs: Programs, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    created = json.loads(await _post(programs, asks(FIRST)))
    path = f"/responses/{created['id']}"
    deleted = json.loads(await _curl(programs, path, "--request", "DELETE"))
    assert deleted == {"id": created["id"], "object": "response", "deleted": True}
    gone = json.loads(await _curl(programs, path))
    assert gone["error"]["code"] == "response_not_found"


async def test_a_background_answer_is_polled(programs: Programs, backend: ScriptedBackend) -> None:
    backend.script(PARIS.paused(after=1))
    printed = await _post(programs, asks(FIRST, background=True), *STATUS)
    body, _, code = printed.rpartition("\n")
    created = json.loads(body)
    assert (code, created["status"]) == ("202", "queued")
    path = f"/responses/{created['id']}"
    await backend.saw_pause()
    assert json.loads(await _curl(programs, path))["status"] == "in_progress"
    await backend.saw_pause()
    backend.release()
    # The stream ends when the answer does.
    await _curl(programs, f"{path}?stream=true")
    assert json.loads(await _curl(programs, path))["status"] == "completed"


async def test_a_background_answer_is_cancelled(
    programs: Programs, backend: ScriptedBackend
) -> None:
    backend.script(PARIS.paused(after=1))
    created = json.loads(await _post(programs, asks(FIRST, background=True)))
    await backend.saw_pause()
    path = f"/responses/{created['id']}/cancel"
    cancelled = json.loads(await _curl(programs, path, "--request", "POST"))
    await backend.saw_disconnect()
    assert (cancelled["id"], cancelled["status"]) == (created["id"], "cancelled")


async def test_an_error_is_told_in_one_shape(programs: Programs) -> None:
    printed = await _post(programs, asks(FIRST, "resp_unknown"), *STATUS)
    body, _, code = printed.rpartition("\n")
    error = json.loads(body)["error"]
    assert (code, error["code"]) == ("404", "previous_response_not_found")
    assert set(error) >= {"message", "type", "param", "code"}


async def _post(programs: Programs, body: dict[str, Any], *options: str) -> str:
    sent = ("--header", "Content-Type: application/json", "--data", json.dumps(body))
    return await _curl(programs, "/responses", *sent, *options)


async def _curl(programs: Programs, path: str, *options: str) -> str:
    url, key = programs.environment["TURNWIRE_URL"], programs.environment["TURNWIRE_TOKEN"]
    shown = ("--header", f"Authorization: Bearer {key}")
    return await programs.run("curl", "--silent", "--no-buffer", *shown, *options, f"{url}{path}")
