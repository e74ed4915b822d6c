"""Conversations without a library: begin one, say things in it, look at what is in it."""

from typing import Any

from e2e.rig.conversation import asks
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import ScriptedBackend, says


async def begin(api: Api, **fields: Any) -> JSON:
    """Create a conversation; gives it."""
    status, conversation = await api.call("POST", "/conversations", fields)
    assert (status, conversation["object"]) == (200, "conversation"), conversation
    return conversation


async def say_in(
    conversation: JSON, api: Api, backend: ScriptedBackend, question: str, answer: str
) -> JSON:
    """Hold a plain turn in a conversation; gives its response."""
    backend.script(says(answer))
    status, response = await api.post(asks(question, conversation=conversation["id"]))
    assert (status, text_of(response)) == (200, answer), response
    return response


async def items_of(api: Api, conversation: JSON, query: str = "?order=asc&limit=100") -> list[JSON]:
    """List what is in a conversation, in its own order unless `query` says otherwise."""
    status, page = await api.call("GET", f"/conversations/{conversation['id']}/items{query}")
    assert (status, page["object"]) == (200, "list"), page
    return page["data"]


async def texts_in(api: Api, conversation: JSON) -> list[str]:
    """List the texts of the messages in a conversation."""
    items = await items_of(api, conversation)
    return ["".join(part["text"] for part in item["content"]) for item in items]
