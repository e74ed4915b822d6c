"""`turnwire broker-replay`: what happened to a turn, from the broker or from an exported log."""

from pathlib import Path

from e2e.rig.broker import connected_as
from e2e.rig.conversation import asks
from e2e.rig.stack import Stack
from e2e.rig.wire import Api
from scripted_backend import ScriptedBackend, calls, says
from turnwire_chassis.broker_authorization.rights import User
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_contracts.conversation_events import AnyConversationEvent
from turnwire_contracts.ids import ConversationId, TenantId
from turnwire_testing.examples import (
    conversation_created,
    conversation_deleted,
    conversation_updated,
    fresh_conversation_id,
)
from turnwire_testing.python_programs import turnwire

WITHIN_S = 60.0


async def replay(stack: Stack, *arguments: str) -> tuple[int, str]:
    """Run the command; gives its exit code and what it printed."""
    ran = await turnwire(
        ("broker-replay", *arguments), stack.environment, Path.cwd(), WITHIN_S, in_one=True
    )
    return ran.exit_code, ran.printed


async def test_a_turn_is_told_again_event_by_event(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo."))
    async with api.stream(asks("Hi.")) as stream:
        events = await stream.to_the_end()
    code, told = await replay(stack, events[0]["response"]["id"])
    assert code == 0
    requested, closed = told.index(" requested v1 "), told.index(" closed v1 ")
    assert requested < told.index("next: Sample") < closed < told.index("next: nothing")
    assert f"Closed: completed, 1 output items, {len(events)} frames" in told
    assert "Hello." in told


async def test_an_exported_turn_is_told_the_same_without_a_broker(
    api: Api, stack: Stack, backend: ScriptedBackend, tmp_path: Path
) -> None:
    backend.script(calls("add", {"a": 1}))
    tool = {"type": "function", "name": "add", "parameters": {"type": "object"}}
    _, response = await api.post(asks("1 + 1?", tools=[tool]))
    file = tmp_path / "turn.jsonl"
    code, told = await replay(stack, response["id"], "--export", str(file))
    assert code == 0
    elsewhere = Stack(tmp_path / "elsewhere")
    assert await replay(elsewhere, "--from-file", str(file)) == (0, told)
    assert "add" in told


async def test_a_turn_that_nobody_stored_is_told_without_its_words(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("My secret."))
    _, response = await api.post(asks("Your secret?", store=False))
    code, told = await replay(stack, response["id"])
    assert code == 0
    assert "secret" not in told
    assert "Erased: completed" in told


async def record(stack: Stack, *events: AnyConversationEvent) -> None:
    """Put the events of a conversation into the log of a stack that runs."""
    async with connected_as(User.GATEWAY, stack) as client:
        log = JetStreamEventLog(client, client.jetstream())
        last = 0
        for event in events:
            last = await log.append(event, last)


def called(conversation_id: ConversationId) -> dict[str, str]:
    """What every event of a conversation of the local user says."""
    return {"tenant": TenantId("local"), "conversation_id": conversation_id}


async def test_a_conversation_is_told_again_from_the_log_and_from_a_file(
    stack: Stack, tmp_path: Path
) -> None:
    conversation_id = fresh_conversation_id()
    about = called(conversation_id)
    await record(
        stack,
        conversation_created(**about),
        conversation_updated(**about, metadata={"topic": "parrots"}),
        conversation_deleted(**about),
    )
    file = tmp_path / "conversation.jsonl"
    code, told = await replay(stack, conversation_id, "--export", str(file))
    assert code == 0
    created, updated = told.index(" created v1 "), told.index(" updated v1 ")
    gone = told.index(" deleted v1 ")
    assert created < told.index("next: its first turn") < updated < told.index("parrots") < gone
    assert told.rindex("Deleted: no turn yet, 1 metadata") > gone
    elsewhere = Stack(tmp_path / "elsewhere")
    assert await replay(elsewhere, "--from-file", str(file)) == (0, told)
    assert await replay(elsewhere, conversation_id, "--from-file", str(file)) == (0, told)


async def test_an_unknown_conversation_is_said_to_be_unknown(stack: Stack) -> None:
    code, told = await replay(stack, "conv_0123456789abcdef0123456789abcdef")
    assert (code, "has no events" in told) == (1, True)


async def test_an_id_of_something_else_is_said_to_be_none(stack: Stack) -> None:
    code, told = await replay(stack, "msg_0123456789abcdef0123456789abcdefo0")
    assert (code, "resp_0123… and conv_0123…" in told) == (2, True)


async def test_an_unknown_turn_is_said_to_be_unknown(stack: Stack) -> None:
    code, told = await replay(stack, "resp_0123456789abcdef0123456789abcdef")
    assert (code, "has no events" in told) == (1, True)


async def test_without_a_running_turnwire_the_way_out_is_said(tmp_path: Path) -> None:
    code, told = await replay(Stack(tmp_path), "resp_0123456789abcdef0123456789abcdef")
    assert (code, "turnwire up" in told) == (1, True)
