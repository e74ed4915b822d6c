"""What is deleted for ever leaves no byte of content anywhere in the data folder."""

import json
from collections.abc import Generator
from pathlib import Path
from secrets import token_hex

import pytest

from e2e.conftest import running
from e2e.rig.conversation import asks
from e2e.rig.remains import nothing_says, places, somebody_says
from e2e.rig.stack import Stack
from e2e.rig.wire import Api
from scripted_backend import ScriptedBackend, says
from turnwire_testing.python_programs import turnwire

WITHIN_S = 60.0


@pytest.fixture(scope="module")
def open_stack(tmp_path_factory: pytest.TempPathFactory, backend_port: int) -> Generator[Stack]:
    """A stack of which everything may be erased; its files can be searched for words."""
    url = f"http://127.0.0.1:{backend_port}/v1"
    data: Path = tmp_path_factory.mktemp("erased")
    yield from running(Stack(data, backend_url=url, log_level="debug"))


@pytest.fixture
async def open_api(api: Api, open_stack: Stack) -> Api:
    """The API of that stack."""
    return api.under(open_stack.url).of(open_stack.bearer)


async def test_the_database_never_has_what_was_said_and_after_a_purge_nobody_has(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    words = {name: token_hex(12) for name in ("asked", "said", "metadata", "named", "item")}
    _, conversation = await api.call(
        "POST",
        "/conversations",
        {
            "metadata": {"project": words["named"]},
            "items": [{"type": "message", "role": "user", "content": words["item"]}],
        },
    )
    backend.script(says(words["said"]))
    body = asks(words["asked"], conversation=conversation["id"], metadata={"m": words["metadata"]})
    async with api.stream(body) as stream:
        response = (await stream.to_the_end())[-1]["response"]
    listed = await api.get(f"/conversations/{conversation['id']}/responses")
    assert [node["id"] for node in listed[1]["data"]] == [response["id"]]
    for each in words.values():
        kept = await somebody_says(stack, each)
        assert {place.partition("/")[0] for place in kept} == {"nats"}

    status, _ = await api.call("DELETE", f"/conversations/{conversation['id']}?hard_delete=true")

    assert status == 200
    for each in words.values():
        await nothing_says(stack, each)
    assert places(stack, response["id"]), "its id is kept, with the fact that it is gone"


async def operator(stack: Stack, *arguments: str) -> tuple[int, str]:
    """Run a command of the operator; gives its exit code and what it printed."""
    ran = await turnwire(arguments, stack.environment, Path.cwd(), WITHIN_S, in_one=True)
    return ran.exit_code, ran.printed


async def test_a_tenant_is_erased_with_all_it_said_while_a_turn_runs(
    open_api: Api, open_stack: Stack, backend: ScriptedBackend
) -> None:
    words = [token_hex(12) for _ in range(3)]
    backend.script(says("One."), says("Two."), says("Thr", "ee.").paused(after=1))
    _, named = await open_api.call("POST", "/conversations", {"metadata": {"project": words[0]}})
    _, first = await open_api.post(asks(words[1], conversation=named["id"]))
    _, second = await open_api.post(asks("on", first["id"], store=False))
    _, third = await open_api.post(asks(words[2], first["id"], background=True))
    await backend.saw_pause()

    code, told = await operator(open_stack, "erase", "--tenant", "local", "--yes")

    assert code == 0, told
    assert "Erased for ever: 3 turns and 1 conversations of tenant local." in told
    for each in words:
        await nothing_says(open_stack, each)
    for one in (first, second, third):
        assert (await open_api.get(f"/responses/{one['id']}"))[0] == 404
    assert (await open_api.get("/conversations?include_deleted=true"))[1]["data"] == []
    code, told = await operator(open_stack, "broker-replay", first["id"])
    assert code == 0
    assert "purged" in told

    again = await operator(open_stack, "erase", "--tenant", "local", "--yes")
    assert again[0] == 0
    _, told = await operator(open_stack, "audit", "--json", "--since", "10m")
    noted = [json.loads(line) for line in told.splitlines()]
    ended = [each for each in noted if each["kind"] == "erasure_finished"]
    assert [each["conversations"] for each in ended] == [1, 0]

    backend.script(says("Back."))
    _, later = await open_api.post(asks("New?"))
    assert (await open_api.get(f"/responses/{later['id']}"))[1] == later


async def test_one_user_is_erased_and_nobody_else(
    open_api: Api, open_stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("Mine."))
    _, mine = await open_api.post(asks("Mine?"))
    code, told = await operator(
        open_stack, "erase", "--tenant", "local", "--user", "nobody", "--yes"
    )
    assert (code, "0 turns and 0 conversations" in told) == (0, True), told
    assert (await open_api.get(f"/responses/{mine['id']}"))[0] == 200
