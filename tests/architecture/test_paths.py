"""A reader's way is short: a request, a turn and an event open few files of a service."""

from architecture.paths import MOST_FILES, event_path, request_path, turn_path


async def test_a_plain_request_opens_few_files_of_the_gateway(nats_url: str) -> None:
    files = await request_path(nats_url)
    assert 0 < len(files) <= MOST_FILES["gateway"], files


async def test_a_plain_turn_opens_few_files_of_the_orchestrator() -> None:
    files = await turn_path()
    assert 0 < len(files) <= MOST_FILES["orchestrator"], files


async def test_an_event_opens_few_files_of_the_store(mongodb_url: str) -> None:
    files = await event_path(mongodb_url)
    assert 0 < len(files) <= MOST_FILES["store"], files
