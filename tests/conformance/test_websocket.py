"""Open Responses over WebSockets, restated: turns on one connection, and what it remembers.

After the public compliance suite of the release 2026-04-24, and OpenAI's warm-up.
"""

from conformance.checked_service import Service, assert_completed
from conformance.test_compact import compacted
from turnwire_testing.sockets import connected

_NOT_FOUND = "previous_response_not_found"
_REMEMBER = "Remember the word cobalt, and say OK."


async def test_a_turn_on_a_websocket_is_told_in_events(service: Service) -> None:
    message = {"type": "message", "role": "user", "content": "Say hello in three words."}
    async with connected(service.url, service.bearer) as socket:
        assert_completed(await service.turn(socket, input=[message]))


async def test_one_connection_takes_turn_after_turn(service: Service) -> None:
    async with connected(service.url, service.bearer) as socket:
        for word in ("first", "second"):
            assert_completed(await service.turn(socket, input=f"Say {word}.", store=False))


async def test_a_connection_remembers_what_is_not_stored(service: Service) -> None:
    async with connected(service.url, service.bearer) as socket:
        first = await service.turn(socket, input=_REMEMBER, store=False)
        second = await service.turn(
            socket, input="Which word?", previous_response_id=first["id"], store=False
        )
    assert_completed(second)
    assert second["previous_response_id"] == first["id"]


async def test_a_new_connection_knows_nothing_of_it_and_works(service: Service) -> None:
    async with connected(service.url, service.bearer) as socket:
        lost = await service.turn(socket, input=_REMEMBER, store=False)
    async with connected(service.url, service.bearer) as socket:
        code = await service.failure(
            socket, input="Which word?", previous_response_id=lost["id"], store=False
        )
        assert code == _NOT_FOUND
        assert_completed(await service.turn(socket, input="Say fresh.", store=False))


async def test_a_previous_response_that_never_was_is_not_found(service: Service) -> None:
    async with connected(service.url, service.bearer) as socket:
        code = await service.failure(
            socket, input="Go on.", previous_response_id="resp_that_never_was", store=False
        )
    assert code == _NOT_FOUND


async def test_a_continuation_that_failed_cannot_be_tried_again(service: Service) -> None:
    orphan = {"type": "function_call_output", "call_id": "call_nobody_made", "output": "?"}
    async with connected(service.url, service.bearer) as socket:
        first = await service.turn(socket, input=_REMEMBER, store=False)
        previous = {"previous_response_id": first["id"], "store": False}
        assert await service.failure(socket, input=[orphan], **previous)
        assert await service.failure(socket, input="Which word?", **previous) == _NOT_FOUND


async def test_what_was_compacted_begins_a_new_chain(service: Service) -> None:
    compaction = await compacted(service)
    message = {"type": "message", "role": "user", "content": "Say hello."}
    async with connected(service.url, service.bearer) as socket:
        response = await service.turn(
            socket, input=[*compaction["output"], message], tools=[], store=False
        )
    assert_completed(response)


async def test_a_warm_up_has_no_output_and_is_continued(service: Service) -> None:
    async with connected(service.url, service.bearer) as socket:
        warm = await service.turn(socket, input=_REMEMBER, generate=False, store=False)
        assert (warm["status"], warm["output"]) == ("completed", [])
        response = await service.turn(
            socket, input="Which word?", previous_response_id=warm["id"], store=False
        )
    assert_completed(response)
