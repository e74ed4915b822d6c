"""One stack for all cells of a session: it heals between them."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from chaos.rig.stage import Stage, running_stage


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """A running stack, armed."""
    async with running_stage(tmp_path_factory.mktemp("chaos")) as running:
        yield running
