"""OpenAI's Python SDK: conversations, and what fits into a turn."""

import asyncio

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.conversations import ConversationItem
from openai.types.responses import ResponseInputItemParam

from clients.rig.questions import AGES, FIRST, PARIS, SECOND, THIRD, TOWER
from e2e.rig.conversation import MODEL, heard, said_in
from scripted_backend import ScriptedBackend

pytestmark = pytest.mark.clients


async def test_a_conversation_is_made_changed_and_deleted(openai_client: AsyncOpenAI) -> None:
    conversations = openai_client.conversations
    made = await conversations.create(metadata={"topic": "France"})
    assert (made.id.startswith("conv_"), made.metadata) == (True, {"topic": "France"})
    assert await conversations.retrieve(made.id) == made
    changed = await conversations.update(made.id, metadata={"topic": "Spain"})
    assert (changed.id, changed.metadata) == (made.id, {"topic": "Spain"})
    deleted = await conversations.delete(made.id)
    assert (deleted.id, deleted.deleted) == (made.id, True)
    with pytest.raises(openai.NotFoundError):
        await conversations.retrieve(made.id)


async def test_the_items_of_a_conversation_are_its_own(openai_client: AsyncOpenAI) -> None:
    conversations = openai_client.conversations
    made = await conversations.create(items=[_message(FIRST)])
    added = await conversations.items.create(made.id, items=[_message(SECOND), _message(THIRD)])
    assert [_said(item) for item in added.data] == [("user", SECOND), ("user", THIRD)]
    listed = await conversations.items.list(made.id, order="asc", limit=2)
    pages = [page async for page in listed.iter_pages()]
    items = [item for page in pages for item in page.data]
    assert [_said(item) for item in items] == [("user", FIRST), ("user", SECOND), ("user", THIRD)]
    second = items[1].id
    assert second is not None
    found = await conversations.items.retrieve(second, conversation_id=made.id)
    assert _said(found) == ("user", SECOND)
    left = await conversations.items.delete(second, conversation_id=made.id)
    assert left.id == made.id
    rest = [_said(item) async for item in conversations.items.list(made.id)]
    assert rest == [("user", THIRD), ("user", FIRST)]


async def test_turns_of_a_conversation_follow_each_other(
    openai_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(PARIS, TOWER, AGES)
    conversation = await openai_client.conversations.create()
    create = openai_client.responses.create
    first = await create(model=MODEL, input=FIRST, conversation=conversation.id)
    assert first.conversation is not None
    assert first.conversation.id == conversation.id
    await create(model=MODEL, input=SECOND, conversation={"id": conversation.id})
    stream = await create(model=MODEL, input=THIRD, conversation=conversation.id, stream=True)
    assert [event async for event in stream][-1].type == "response.completed"
    said = [
        ("user", FIRST),
        ("assistant", "Paris."),
        ("user", SECOND),
        ("assistant", "Its tower."),
        ("user", THIRD),
        ("assistant", "1889."),
    ]
    assert [said_in(request) for request in backend.requests] == [said[:1], said[:3], said[:5]]
    items = openai_client.conversations.items.list(conversation.id, order="asc")
    assert [_said(item) async for item in items] == said


async def test_a_conversation_takes_one_turn_at_a_time(
    openai_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(PARIS.paused(after=1), TOWER)
    conversation = await openai_client.conversations.create()
    create = openai_client.responses.create
    async with asyncio.TaskGroup() as group:
        first = group.create_task(create(model=MODEL, input=FIRST, conversation=conversation.id))
        await backend.saw_pause()
        with pytest.raises(openai.ConflictError) as locked:
            await create(model=MODEL, input=SECOND, conversation=conversation.id)
        await backend.saw_pause()
        backend.release()
    assert locked.value.code == "conversation_locked"
    assert first.result().output_text == "Paris."
    await create(model=MODEL, input=SECOND, conversation=conversation.id)
    assert heard(backend) == [("user", FIRST), ("assistant", "Paris."), ("user", SECOND)]


def _message(text: str) -> ResponseInputItemParam:
    return {"type": "message", "role": "user", "content": text}


def _said(item: ConversationItem) -> tuple[str, str]:
    assert item.type == "message"
    return item.role, "".join(getattr(part, "text", "") for part in item.content)
