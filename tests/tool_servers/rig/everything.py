"""MCP's reference server with everything in it, from npm: streamable HTTP with sessions (2025)."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from clients.rig.programs import NODE, NPM, require_installed
from turnwire_testing.waiting import eventually

_UP_WITHIN = 30.0
_SCRIPT = NPM / "node_modules" / "@modelcontextprotocol" / "server-everything" / "dist" / "index.js"


@asynccontextmanager
async def running_everything(port: int) -> AsyncGenerator[str]:
    """Run it on a port; gives its URL."""
    require_installed(_SCRIPT)
    process = await asyncio.create_subprocess_exec(
        str(NODE),
        str(_SCRIPT),
        "streamableHttp",
        env={**os.environ, "PORT": str(port)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def listens() -> bool:
        assert process.returncode is None
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await eventually(listens, _UP_WITHIN)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        await process.wait()
