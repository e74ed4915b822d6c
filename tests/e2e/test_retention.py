"""What is older than the operator keeps is gone, everywhere and from the disk."""

import time
from collections.abc import Generator
from pathlib import Path
from secrets import token_hex

import pytest

from e2e.conftest import running
from e2e.rig.conversation import asks
from e2e.rig.remains import nothing_says
from e2e.rig.stack import Stack
from e2e.rig.wire import Api
from scripted_backend import ScriptedBackend, says
from turnwire_testing.waiting import eventually

KEPT_S = 6.0


@pytest.fixture(scope="module")
def short_stack(tmp_path_factory: pytest.TempPathFactory, backend_port: int) -> Generator[Stack]:
    """A stack that keeps responses for some seconds; its files can be searched for words."""
    url = f"http://127.0.0.1:{backend_port}/v1"
    data: Path = tmp_path_factory.mktemp("short")
    yield from running(Stack(data, backend_url=url, retention_days=str(KEPT_S / 86_400)))


@pytest.fixture
async def short_api(api: Api, short_stack: Stack) -> Api:
    """The API of that stack."""
    return api.under(short_stack.url).of(short_stack.bearer)


async def test_a_response_is_gone_when_its_time_is_over_and_a_conversation_stays(
    short_api: Api, short_stack: Stack, backend: ScriptedBackend
) -> None:
    asked, said = token_hex(12), token_hex(12)
    backend.script(says("Kept."), says(said))
    _, conversation = await short_api.call("POST", "/conversations", {})
    _, kept = await short_api.post(asks("Stay?", conversation=conversation["id"]))
    began = time.time()
    _, response = await short_api.post(asks(asked))
    made = time.time()
    one = f"/responses/{response['id']}"

    async def is_gone() -> bool:
        before = time.time()
        status, _ = await short_api.get(one)
        if status == 200:
            assert before < made + KEPT_S, "it was there longer than its time"
        return status == 404

    assert not await is_gone()
    await eventually(is_gone, KEPT_S + 30)
    assert time.time() >= began + KEPT_S, "it was not there for all of its time"

    for path in (f"{one}?include_deleted=true", f"{one}?stream=true", f"{one}/input_items"):
        assert (await short_api.get(path))[0] == 404
    status, error = await short_api.post(asks("Go on.", response["id"]))
    assert (status, error["error"]["code"]) == (404, "previous_response_not_found")
    assert (await short_api.get(f"/responses/{kept['id']}"))[0] == 200
    for each in (asked, said):
        await nothing_says(short_stack, each)


async def test_a_key_of_a_response_that_is_gone_is_spent(
    short_api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Once."))
    key = token_hex(8)
    _, first = await short_api.post(asks("Once?"), Idempotency_Key=key)

    async def is_spent() -> bool:
        status, told = await short_api.post(asks("Once?"), Idempotency_Key=key)
        if status == 200:
            assert told == first
        return (status, (told.get("error") or {}).get("code")) == (409, "idempotency_key_spent")

    await eventually(is_spent, KEPT_S + 30)
