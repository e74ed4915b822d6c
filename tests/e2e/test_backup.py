"""`turnwire backup` and `turnwire restore`: a whole stack in another folder, as it was."""

import asyncio
import json
import stat
import subprocess
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from e2e.rig.conversation import asks
from e2e.rig.stack import Stack
from e2e.rig.wire import Api
from scripted_backend import ScriptedBackend, says

pytestmark = pytest.mark.process


def turnwire(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user does."""
    return subprocess.run(
        stack.command(*arguments),
        env=stack.environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def two_stacks(tmp_path: Path, backend_port: int) -> Generator[tuple[Stack, Stack]]:
    """Two folders: in the first a Turnwire runs, the second is not there yet."""
    url = f"http://127.0.0.1:{backend_port}/v1"
    first = Stack(tmp_path / "first", backend_url=url).start()
    second = Stack(tmp_path / "second", backend_url=url)
    yield first, second
    first.stop()
    second.stop()


async def test_a_restored_stack_answers_as_the_one_that_was_backed_up(
    two_stacks: tuple[Stack, Stack], backend: ScriptedBackend, tmp_path: Path
) -> None:
    first, second = two_stacks
    backend.always(says("Hello."))
    folder = tmp_path / "backup"
    async with aiohttp.ClientSession() as session:
        api = Api(session, first.url, first.bearer)
        conversation = (await api.call("POST", "/conversations", {}))[1]["id"]
        last = (await api.post(asks("In it.", conversation=conversation)))[1]["id"]
        ids = [last]
        for number in range(5):
            last = (await api.post(asks(f"{number}.", previous_response_id=last)))[1]["id"]
            ids.append(last)
        # More turns are accepted and run while it is made.
        busy = asyncio.create_task(while_it_is_busy(api))
        made = await asyncio.to_thread(turnwire, first, "backup", str(folder), "-o", "json")
        busy.cancel()
        assert made.returncode == 0, made.stderr + made.stdout
        expected = {one: await api.get(f"/responses/{one}") for one in ids}
        items = await api.get(f"/conversations/{conversation}/items")

    facts = json.loads(made.stdout.splitlines()[-1])
    assert facts["sealed"]
    assert {"key.pepper", "view.key", "seal.key", "nats.key"} <= {*facts["secrets"]}
    for path in folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 or path.name.startswith("manifest")
        assert path.is_dir() or b"Hello." not in path.read_bytes()
    a_damaged_file_is_refused(second, folder)

    done = await asyncio.to_thread(turnwire, second, "restore", str(folder))

    assert done.returncode == 0, done.stderr + done.stdout
    again = turnwire(second, "restore", str(folder))
    assert again.returncode == 1
    assert "--replace" in again.stdout
    second.key = first.key
    await asyncio.to_thread(second.start)
    async with aiohttp.ClientSession() as session:
        api = Api(session, second.url, second.bearer)
        assert {one: await api.get(f"/responses/{one}") for one in ids} == expected
        assert await api.get(f"/conversations/{conversation}/items") == items
        status, continued = await api.post(asks("More.", previous_response_id=last))
        assert (status, continued["status"]) == (200, "completed")
        texts = json.dumps(backend.requests[-1].body)
        assert all(f"{number}." in texts for number in range(5))
        assert (await Api(session, second.url, {"Authorization": "Bearer x"}).get("/models"))[
            0
        ] == 401
    second_rebuild = turnwire(second, "rebuild", "-o", "json")
    rebuilt: Mapping[str, Any] = json.loads(second_rebuild.stdout.splitlines()[-1])
    assert rebuilt["digest_of_old"] == rebuilt["digest_of_log"] == rebuilt["digest"]


async def while_it_is_busy(api: Api) -> None:
    """Ask on and on, one after the other."""
    while True:
        await api.post(asks("Meanwhile."))


def a_damaged_file_is_refused(stack: Stack, folder: Path) -> None:
    """Change one byte of the log, and see the file named and nothing written."""
    path = folder / "streams" / "TURNS.snapshot"
    whole = path.read_bytes()
    path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])

    done = turnwire(stack, "restore", str(folder))

    assert done.returncode == 1
    assert f"{path} is damaged" in done.stdout
    assert not stack.data.exists() or not (stack.data / "nats").exists()
    path.write_bytes(whole)
