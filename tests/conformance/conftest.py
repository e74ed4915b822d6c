"""The services that are checked: a stack with a scripted backend, and one with the real model."""

from collections.abc import AsyncGenerator, Generator

import aiohttp
import pytest

from conformance.checked_service import Service
from e2e.conftest import running
from e2e.rig.stack import Stack
from scripted_backend import running_backend
from turnwire_testing.ports import free_port

_SCRIPTED = "mock-tool"
"""The scripted model that calls the first function tool it is given."""

_REAL = "smollm2"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Say which backends a test wants behind the service: the real model answers all checks once.

    That is when they are asked at the same time; one after the other they would ask it the same.
    """
    if "kind" in metafunc.fixturenames:
        real = [pytest.param("real", marks=pytest.mark.model)]
        at_once = metafunc.definition.name == "test_all_checks_hold_at_the_same_time"
        kinds = ["scripted", *(real if at_once else [])]
        metafunc.parametrize("kind", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def kind(request: pytest.FixtureRequest) -> str:
    """Which backend stands behind the service."""
    return request.param


@pytest.fixture(scope="session")
def conformance_stack(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Stack]:
    """A stack of its own for the checks."""
    folder = tmp_path_factory.mktemp(f"conformance-{kind}")
    if kind == "scripted":
        yield from running(Stack(folder, backend_url=f"http://127.0.0.1:{free_port()}/v1"))
    else:
        yield from running(Stack(folder))


@pytest.fixture
async def service(kind: str, conformance_stack: Stack) -> AsyncGenerator[Service]:
    """The service, with its backend, for one check."""
    # Only against hanging: a real model on busy cores may take minutes for all checks at once.
    timeout = aiohttp.ClientTimeout(total=600)
    async with aiohttp.ClientSession(timeout=timeout, headers=conformance_stack.bearer) as session:
        if kind == "real":
            # A hundred million parameters read text only, call a tool only when made to, and would
            # now and then not find an end.
            yield Service(
                conformance_stack.url,
                _REAL,
                session,
                calls_unasked=False,
                sees_images=False,
                sampling={"temperature": 0},
            )
            return
        port = int(conformance_stack.environment["TURNWIRE_BACKEND_URL"].split(":")[2][:-3])
        async with running_backend(port=port):
            yield Service(conformance_stack.url, _SCRIPTED, session)
