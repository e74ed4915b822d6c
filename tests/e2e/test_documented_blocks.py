"""The code blocks of the pages run as they stand, on the running stack.

Only the address, the model and the key are those of the tests. The shell blocks of a page run one
after the other in one shell, as a reader would do it.
"""

import asyncio
import os
from pathlib import Path

import pytest

from e2e.rig.conversation import MODEL, asks
from e2e.rig.stack import Stack
from e2e.rig.wire import Api
from scripted_backend import ScriptedBackend, says
from turnwire_testing.fences import Fence, documented_pages, to_run
from turnwire_testing.python_programs import OF_CLIENTS

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
PAGES = documented_pages(ROOT)
WITH_SHELL = [page for page in PAGES if to_run(page, "bash")]
PYTHON = [block for page in PAGES for block in to_run(page, "python")]
RUN_WITHIN = 240.0

# A request that says nothing of its caller is made by the tests' own; an HTTP error is an error.
PREAMBLE = """
set -euo pipefail
curl() {
  case "$*" in
    *Authorization*) command curl --silent --show-error --fail-with-body "$@" ;;
    *) command curl --silent --show-error --fail-with-body -H "Authorization: Bearer $TOKEN" "$@" ;;
  esac
}
trap 'echo "failed: $BLOCK" >&2' ERR
"""


@pytest.fixture
def answering(backend: ScriptedBackend) -> ScriptedBackend:
    """A backend that always has an answer, of more events than any page reads over."""
    backend.always(says(*(f"word {number} " for number in range(60))))
    return backend


@pytest.fixture
def folder(tmp_path: Path, stack: Stack) -> Path:
    """The folder in which a reader works: a clone in which Turnwire runs."""
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / ".turnwire").symlink_to(stack.data)
    return tmp_path


@pytest.mark.parametrize("page", WITH_SHELL, ids=lambda page: page.name)
async def test_the_shell_blocks_of_a_page_run(
    page: Path, stack: Stack, answering: ScriptedBackend, api: Api, folder: Path
) -> None:
    conversation = (await api.call("POST", "/conversations", {}))[1]["id"]
    response = (await api.post(asks("Hello.", background=True, conversation=conversation)))[1]["id"]
    await api.ended(response)
    told = {"URL": stack.url, "ID": response, "CONVERSATION": conversation}
    blocks = [f"BLOCK={block}\n{filled(block, stack)}" for block in to_run(page, "bash")]
    assert answering.requests
    await run(("bash", "-c", "\n".join([PREAMBLE, *blocks])), stack, folder, told)


@pytest.mark.parametrize("block", PYTHON, ids=str)
async def test_a_python_block_runs(
    block: Fence, stack: Stack, answering: ScriptedBackend, folder: Path
) -> None:
    program = folder / "documented_block.py"
    program.write_text(filled(block, stack), encoding="utf-8")
    ran = await OF_CLIENTS.run([str(program)], environment(stack), folder, RUN_WITHIN)
    assert ran.exit_code == 0, ran.printed + ran.errors
    assert answering.requests


def filled(block: Fence, stack: Stack) -> str:
    """Give a block with the tests' address, model and key."""
    text = block.text.replace("http://127.0.0.1:8080", stack.url.removesuffix("/v1"))
    text = text.replace("localhost:8080", f"127.0.0.1:{stack.port}")
    return text.replace("smollm2", MODEL).replace('api_key="local"', f'api_key="{stack.key}"')


def environment(stack: Stack) -> dict[str, str]:
    """Give what a reader's shell has after the first steps."""
    path = os.pathsep.join((str(ROOT / ".venv" / "bin"), os.environ["PATH"]))
    caller = {"TOKEN": stack.key, "TURNWIRE_URL": stack.url, "TURNWIRE_API_KEY": stack.key}
    return {**stack.environment, **caller, "PATH": path}


async def run(call: tuple[str, ...], stack: Stack, folder: Path, told: dict[str, str]) -> None:
    """Run a program to its good end."""
    process = await asyncio.create_subprocess_exec(
        *call,
        cwd=folder,
        env={**environment(stack), **told},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(RUN_WITHIN):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, printed.decode()
