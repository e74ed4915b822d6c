"""One system for all short scenarios: each leaves it as it was."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from chaos.faults.system import SERVICES, System, running_system


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[System]:
    """Two gateways and orchestrators, one of each other service, a replica set."""
    services = (*SERVICES, "orchestrator", "gateway")
    async with running_system(
        tmp_path_factory.mktemp("faults"), services, with_replicas=True
    ) as running:
        yield running
