"""Open Responses' `POST /responses/compact`, restated."""

from conformance.checked_service import Service
from turnwire_contracts.json_values import JSON
from turnwire_testing.open_responses import problems_of_compaction


async def compacted(service: Service) -> JSON:
    """Have a short conversation compacted; the answer must be a valid one."""
    history = [
        {"type": "message", "role": "user", "content": "My name is Ada, and I like cobalt."},
        {"type": "message", "role": "assistant", "content": "Hello Ada."},
    ]
    status, compaction = await service.post(
        "/responses/compact", model=service.model, input=history, prompt_cache_key="conformance"
    )
    assert status == 200, compaction
    assert problems_of_compaction(compaction) == []
    return compaction


async def test_a_conversation_is_compacted_into_an_item(service: Service) -> None:
    compaction = await compacted(service)
    assert compaction["object"] == "response.compaction"
    assert "compaction" in {item["type"] for item in compaction["output"]}


async def test_compacting_needs_a_model(service: Service) -> None:
    status, answer = await service.post("/responses/compact", input="Compact this.")
    assert status in {400, 422}
    assert answer["error"]["param"] == "model"
