"""Open Responses over HTTP, restated: what a conforming service answers to `POST /responses`.

After the public compliance suite of the release 2026-04-24.
"""

from conformance.checked_service import Service, assert_completed
from e2e.rig.wire import JSON
from turnwire_testing.open_responses import problems_of_response

# One red pixel.
_IMAGE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ"
    "/pLvAAAAAElFTkSuQmCC"
)

WEATHER: JSON = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells the weather at a place.",
    "parameters": {
        "type": "object",
        "properties": {"place": {"type": "string", "description": "A city."}},
        "required": ["place"],
    },
}


def said(role: str, text: str, **fields: object) -> JSON:
    """A message as an input item."""
    return {"type": "message", "role": role, "content": text, **fields}


async def test_a_message_of_a_user_is_answered(service: Service) -> None:
    assert_completed(await service.respond(input=[said("user", "Say hello in three words.")]))


async def test_an_assistants_messages_may_tell_their_phase(service: Service) -> None:
    history = [
        said("user", "Add 1 and 1."),
        said("assistant", "I am adding.", phase="commentary"),
        said("assistant", "2.", phase="final_answer"),
        said("user", "Now say hello."),
    ]
    assert_completed(await service.respond(input=history))


async def test_a_message_in_the_output_may_tell_its_phase(service: Service) -> None:
    response = await service.respond(input=[said("user", "Say hello.")])
    (first, *rest) = response["output"]
    for phase in ("commentary", "final_answer"):
        told = {**response, "output": [{**first, "phase": phase}, *rest]}
        assert problems_of_response(told) == []
    nonsense = {**response, "output": [{**first, "phase": "nonsense"}, *rest]}
    assert problems_of_response(nonsense) != []


async def test_a_stream_is_made_of_known_events_and_ends_completed(service: Service) -> None:
    events = await service.stream(input=[said("user", "Say hello in three words.")])
    assert_completed(events[-1]["response"])


async def test_a_system_message_may_lead_the_input(service: Service) -> None:
    system = said("system", "You are a pirate and speak like one.")
    assert_completed(await service.respond(input=[system, said("user", "Say hello.")]))


async def test_a_function_tool_is_called(service: Service) -> None:
    choice = {} if service.calls_unasked else {"tool_choice": "required"}
    response = await service.respond(
        input=[said("user", "What is the weather in Berlin?")], tools=[WEATHER], **choice
    )
    calls = [item for item in response["output"] if item["type"] == "function_call"]
    assert {call["name"] for call in calls} == {"get_weather"}


async def test_an_image_may_be_part_of_a_message(service: Service) -> None:
    parts = [
        {"type": "input_text", "text": "What is in this image?"},
        {"type": "input_image", "image_url": _IMAGE},
    ]
    message = {"type": "message", "role": "user", "content": parts}
    if service.sees_images:
        assert_completed(await service.respond(input=[message]))
        return
    # A model that reads text only says so; the image was passed on to it.
    status, answer = await service.post("/responses", **service.asking(input=[message]))
    assert status >= 400
    assert "image" in answer["error"]["message"]


async def test_a_conversation_may_be_sent_as_a_whole(service: Service) -> None:
    history = [
        said("user", "My name is Ada."),
        said("assistant", "Hello Ada."),
        said("user", "What is my name?"),
    ]
    assert_completed(await service.respond(input=history))
