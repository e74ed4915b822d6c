"""What a test says, and what the backend was asked: short words for bodies of requests."""

from collections.abc import Sequence
from typing import Any

from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import RecordedRequest, ScriptedBackend, says

MODEL = "mock-model"


def asks(text: str | list[JSON], after: str | None = None, /, **fields: Any) -> JSON:
    """The body of a request; `after` is the response it continues."""
    previous = {} if after is None else {"previous_response_id": after}
    return {"model": MODEL, "input": text, **previous, **fields}


def heard(backend: ScriptedBackend) -> list[tuple[str, str]]:
    """Who said what, as the backend was told in the newest request."""
    return said_in(backend.requests[-1])


def said_in(request: RecordedRequest) -> list[tuple[str, str]]:
    """Who said what in one request to the backend; other items by their type."""
    items: Sequence[JSON] = request.body["input"]
    return [(item.get("role") or item["type"], _text(item)) for item in items]


def turn(number: int) -> tuple[str, str]:
    """What is asked and what is answered in one turn of `conversation`."""
    return f"question {number}", f"answer {number}"


async def conversation(
    api: Api, backend: ScriptedBackend, *, turns: int, after: JSON | None = None
) -> list[JSON]:
    """Hold plain turns, one continuing the other; gives the new responses."""
    responses: list[JSON] = [] if after is None else [after]
    for number in range(turns):
        question, answer = turn(number)
        backend.script(says(answer))
        previous = responses[-1]["id"] if responses else None
        status, response = await api.post(asks(question, previous))
        assert (status, text_of(response)) == (200, answer), response
        responses.append(response)
    return responses if after is None else responses[1:]


def _text(item: JSON) -> str:
    content: str | list[JSON] = item.get("content") or item.get("output") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)
