"""The `turnwire` command where it stands on routes of its own: lists, forks, approvals, admin."""

import asyncio
import json
import signal
import time

from e2e.rig.command import Command, answered
from e2e.rig.conversation import asks
from e2e.rig.desk import Desk
from e2e.rig.stack import Stack
from e2e.rig.wire import Api
from scripted_backend import ScriptedBackend, calls, says


async def test_responses_are_listed_by_filters_and_a_search(
    turnwire: Command, backend: ScriptedBackend
) -> None:
    began = str(time.time() - 1)
    response_id = await answered(turnwire, backend, "A capybara.")
    found: list[str] = []
    async with asyncio.timeout(20):
        # Lists follow the log by some milliseconds.
        while response_id not in found:
            ran = await turnwire("responses", "ls", "--from", began, "-o", "jsonl")
            assert ran.code == 0, ran.err
            found = [each["id"] for each in ran.lines]
    filters = ("--status", "completed", "--model", "mock-model", "--search", "capybara")
    assert response_id in (await turnwire("responses", "ls", "--from", began, *filters)).out
    none = await turnwire("responses", "ls", "--status", "failed", "--from", began, "-o", "json")
    assert none.json == []
    wrong = await turnwire("responses", "ls", "--status", "lost")
    assert (wrong.code, "status" in wrong.err) == (2, True)


async def test_a_state_is_told_at_any_event(turnwire: Command, backend: ScriptedBackend) -> None:
    response_id = await answered(turnwire, backend, "Hello.")
    first = (await turnwire("log", response_id, "-o", "json")).json["events"][0]["sequence"]
    early = await turnwire("responses", "state", response_id, "--at", str(first), "-o", "json")
    late = await turnwire("responses", "state", response_id, "-o", "json")
    assert (early.code, late.code) == (0, 0), early.err
    assert early.json["summary"] != late.json["summary"]


async def test_all_responses_are_followed_as_they_happen(
    turnwire: Command, backend: ScriptedBackend
) -> None:
    tailing = await turnwire.begin("log", "tail", "--since", "60", "-o", "jsonl")
    response_id = await answered(turnwire, backend, "Hello.")
    kinds: list[str] = []
    assert tailing.stdout is not None
    try:
        async with asyncio.timeout(30):
            while kinds[-1:] != ["closed"]:
                event = json.loads(await tailing.stdout.readline())
                kinds += [event["type"]] if event["response_id"] == response_id else []
    finally:
        tailing.send_signal(signal.SIGINT)
        _, err = await tailing.communicate()
    assert kinds == ["requested", "closed"]
    assert (tailing.returncode, b"Traceback" in err) == (130, False)


async def test_an_operator_explains_a_turn_of_a_tenant_with_a_reason_that_is_noted(
    turnwire: Command, stack: Stack, backend: ScriptedBackend
) -> None:
    response_id = await answered(turnwire, backend, "Hello.")
    operator = await asyncio.to_thread(
        stack.new_key, "--user", "olga", "--role", "operator", tenant="ops"
    )
    caller = {"TURNWIRE_API_KEY": operator}
    opening = ("--in-tenant", "local", "--reason", "ticket 17")
    assert (await turnwire("log", response_id, **caller)).code == 5
    told = await turnwire("log", response_id, *opening, **caller)
    assert (told.code, f"{response_id}: completed" in told.out) == (0, True), told.err
    tailing = await turnwire.begin("log", "tail", "--since", "60", *opening, **caller)
    assert tailing.stdout is not None
    try:
        async with asyncio.timeout(30):
            while response_id not in (await tailing.stdout.readline()).decode():
                pass
    finally:
        tailing.send_signal(signal.SIGINT)
        await tailing.communicate()
    noted = await turnwire("admin", "audit", "--type", "content_opened", "-o", "json")
    assert {each["actor"]["user"] for each in noted.json} == {"olga"}, noted.err
    said = [each["data"] for each in noted.json if each["data"]["about"] == response_id]
    assert said
    assert {each["reason"] for each in said} == {"ticket 17"}
    user = await turnwire("log", response_id, *opening[:1], "ops", *opening[2:])
    assert (user.code, "operator_required" in user.err) == (4, True)


async def test_a_call_that_waits_is_listed_and_approved(
    turnwire: Command, api: Api, backend: ScriptedBackend, desk: Desk
) -> None:
    backend.script(calls("add", {"a": 1, "b": 2}), says("3."))
    tool = desk.tool(require_approval="always")
    _, response = await api.post(asks("1 + 2?", tools=[tool]))
    waiting: list[str] = []
    async with asyncio.timeout(20):
        while not waiting:
            ran = await turnwire("approvals", "ls", "-o", "jsonl")
            assert ran.code == 0, ran.err
            listed = ran.lines
            waiting = [each["id"] for each in listed if each["response_id"] == response["id"]]
    decided = await turnwire("approvals", "approve", *waiting)
    assert decided.code == 0, decided.err
    assert "assistant: 3." in decided.out
    assert desk.calls("add") == [{"a": 1, "b": 2}]
