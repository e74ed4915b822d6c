"""A turn that Llama Guard judges, with a policy that leaves out a stage that cannot judge."""

from collections.abc import AsyncGenerator, Generator

import aiohttp
import pytest

from e2e.conftest import running
from e2e.rig.conversation import asks
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api
from scripted_backend import ScriptedBackend, says
from turnwire_testing.llama_guard import LlamaGuardStub, llama_guard
from turnwire_testing.ports import free_port

BLOCKED = (400, "content_filter")
UNREADABLE = (503, "guard_unavailable")

modes = pytest.mark.parametrize("fields", [{}, {"stream": True}], ids=["plain", "stream"])


@pytest.fixture(scope="module")
def guard_port() -> int:
    """Where the stack expects the server with Llama Guard."""
    return free_port()


@pytest.fixture(scope="module")
def judged_stack(
    tmp_path_factory: pytest.TempPathFactory, backend_port: int, guard_port: int
) -> Generator[Stack]:
    policy = tmp_path_factory.mktemp("policy") / "policy.yaml"
    settings = f"{{base_url: 'http://127.0.0.1:{guard_port}/v1', model: 'llama-guard3:8b'}}"
    stage = f"{{stage: s, provider: llama-guard-3, on_error: allow, settings: {settings}}}"
    policy.write_text(f"policies:\n  default:\n    input: [{stage}]\n")
    yield from running(
        Stack(
            tmp_path_factory.mktemp("judged"),
            backend_url=f"http://127.0.0.1:{backend_port}/v1",
            guard_policy=str(policy),
        )
    )


@pytest.fixture
async def judged_api(session: aiohttp.ClientSession, judged_stack: Stack) -> Api:
    return Api(session, judged_stack.url, judged_stack.bearer)


@pytest.fixture
async def stub(guard_port: int) -> AsyncGenerator[LlamaGuardStub]:
    async with llama_guard(guard_port) as running_guard:
        yield running_guard


@modes
@pytest.mark.parametrize(
    ("verdict", "refused"),
    [
        ("unsafe S1", BLOCKED),
        ("**unsafe**\nS1", BLOCKED),
        ('"unsafe\nS1"', BLOCKED),
        ("<think>Is it safe?</think>\n\nUnsafe.", BLOCKED),
        ("The message is UNSAFE.", UNREADABLE),
        ('{"verdict": "unsafe"}', UNREADABLE),
    ],
)
async def test_what_speaks_of_unsafe_stops_a_turn(
    verdict: str, refused: tuple[int, str], fields: JSON, judged_api: Api, stub: LlamaGuardStub
) -> None:
    stub.says = verdict
    # The backend of these tests has nothing to say.
    status, body = await judged_api.post(asks("Hello?", **fields))
    assert (status, body["error"]["code"]) == refused


@pytest.mark.parametrize("verdict", ["safe<|eot_id|>", "**Safe.**", "I cannot help with that."])
async def test_what_is_safe_or_says_nothing_lets_a_turn_pass(
    verdict: str, judged_api: Api, backend: ScriptedBackend, stub: LlamaGuardStub
) -> None:
    backend.script(says("Hi."))
    stub.says = verdict
    status, _ = await judged_api.post(asks("Hello?"))
    assert status == 200
