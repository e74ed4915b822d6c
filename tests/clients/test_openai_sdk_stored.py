"""OpenAI's Python SDK: what is kept of a turn, and what is asked beside turns."""

from typing import cast

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.responses import ResponseInputItemParam, ResponseItem, ResponseStreamEvent

from clients.rig.questions import AGES, FIRST, PARIS, SECOND, THIRD, TOWER
from e2e.rig.conversation import MODEL, heard
from scripted_backend import ScriptedBackend

pytestmark = pytest.mark.clients


async def test_an_answer_is_retrieved(openai_client: AsyncOpenAI, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    created = await openai_client.responses.create(model=MODEL, input=FIRST)
    assert await openai_client.responses.retrieve(created.id) == created


async def test_a_stream_is_read_again_from_any_event(
    openai_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(PARIS)
    stream = await openai_client.responses.create(model=MODEL, input=FIRST, stream=True)
    events: list[ResponseStreamEvent] = [event async for event in stream]
    last = events[-1]
    assert last.type == "response.completed"
    rest = await openai_client.responses.retrieve(
        last.response.id, stream=True, starting_after=events[4].sequence_number
    )
    assert [event async for event in rest] == events[5:]


async def test_what_was_asked_is_listed_page_by_page(
    openai_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(AGES)
    response = await openai_client.responses.create(
        model=MODEL,
        input=[
            {"role": "user", "content": FIRST},
            {"role": "assistant", "content": "Paris."},
            {"role": "user", "content": THIRD},
        ],
    )
    listed = openai_client.responses.input_items.list
    pages = [page async for page in (await listed(response.id, limit=2, order="asc")).iter_pages()]
    newest_first = await listed(response.id)
    said = [("user", FIRST), ("assistant", "Paris."), ("user", THIRD)]
    assert [len(page.data) for page in pages] == [2, 1]
    assert [_said(item) for page in pages for item in page.data] == said
    assert [_said(item) for item in newest_first.data] == said[::-1]


async def test_an_answer_is_deleted(openai_client: AsyncOpenAI, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    created = await openai_client.responses.create(model=MODEL, input=FIRST)
    await openai_client.responses.delete(created.id)
    with pytest.raises(openai.NotFoundError) as retrieved:
        await openai_client.responses.retrieve(created.id)
    assert retrieved.value.type == "not_found_error"
    with pytest.raises(openai.NotFoundError) as continued:
        await openai_client.responses.create(
            model=MODEL, input=SECOND, previous_response_id=created.id
        )
    assert continued.value.code == "previous_response_not_found"


@pytest.mark.usefixtures("backend")
async def test_tokens_are_counted_before_a_turn(openai_client: AsyncOpenAI) -> None:
    count = openai_client.responses.input_tokens.count
    short = await count(model=MODEL, input=FIRST)
    long = await count(model=MODEL, input=FIRST * 20)
    assert short.object == "response.input_tokens"
    assert 0 < short.input_tokens < long.input_tokens


async def test_a_history_is_compacted_and_goes_on(
    openai_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.always(TOWER)
    compacted = await openai_client.responses.compact(
        model=MODEL,
        input=[{"role": "user", "content": FIRST}, {"role": "assistant", "content": "Paris."}],
    )
    assert (compacted.object, compacted.output[-1].type) == ("response.compaction", "compaction")
    assert compacted.usage.total_tokens > 0
    kept = cast("list[ResponseInputItemParam]", [item.to_dict() for item in compacted.output])
    response = await openai_client.responses.create(
        model=MODEL, input=[*kept, {"role": "user", "content": SECOND}]
    )
    assert response.output_text == "Its tower."
    assert heard(backend)[-1] == ("user", SECOND)


async def test_an_error_is_an_exception_with_its_code(openai_client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        await openai_client.responses.create(
            model=MODEL, input=FIRST, previous_response_id="resp_unknown"
        )
    assert unknown.value.code == "previous_response_not_found"
    assert unknown.value.request_id
    with pytest.raises(openai.BadRequestError) as wrong:
        await openai_client.responses.create(model=MODEL, input=FIRST, temperature=3)
    assert (wrong.value.param, wrong.value.code) == ("temperature", "invalid_value")


def _said(item: ResponseItem) -> tuple[str, str]:
    assert item.type == "message"
    return item.role, "".join(getattr(part, "text", "") for part in item.content)
