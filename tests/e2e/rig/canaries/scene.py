"""One stack with all that an operator can write, what callers tell it, and a look everywhere."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import aiohttp
import psutil

from e2e.rig.canaries import sinks
from e2e.rig.canaries.callers import tell_everything
from e2e.rig.canaries.questioner import Questioner
from e2e.rig.canaries.told import COLLECTOR, OPERATORS, Canary, all_told
from e2e.rig.desk import Desk
from e2e.rig.remains import somebody_says
from e2e.rig.stack import Stack
from scripted_backend import ScriptedBackend, running_backend
from turnwire_dev.components.members import MODULES
from turnwire_testing.llama_guard import LlamaGuardStub, llama_guard
from turnwire_testing.otlp import collecting

SERVERS = """
servers:
  office:
    url: {url}
    authorization_env: OFFICE_TOKEN
    headers_env: {{ X-Office: OFFICE_HEADER }}
    require_approval: never
"""
POLICY = """
policies:
  default:
    input:
      - stage: words
        provider: regex
        settings: {{ patterns: {{ secret: ['zz-[0-9a-f]+'] }} }}
      - stage: model
        provider: llama-guard-3
        settings: {{ base_url: '{url}', model: llama-guard-3-8b, api_key_env: JUDGE_KEY }}
    output:
      - stage: words
        provider: regex
        settings: {{ patterns: {{ secret: ['zz-[0-9a-f]+'] }} }}
"""
TRACED = {f"turnwire-{name}" for name in MODULES}
OPEN_WORD = token_hex(16)
"""No secret: it must be found."""


@dataclass(frozen=True)
class Evidence:
    """What was told and what was found, after everything was asked."""

    canaries: Mapping[str, Canary]
    sinks: sinks.Sinks
    heard: str
    """The headers with which the MCP server, the guard's model and the backend were asked."""

    def found(self, secret: str) -> set[str]:
        """Name the sinks in which it stands."""
        return sinks.found_in(self.sinks, secret)


class Scene:
    """The stack and the servers behind it."""

    def __init__(self, folder: Path, backend_port: int, desk: Desk) -> None:
        """The folder must be empty; the desk runs."""
        self._folder = folder
        self._backend_port = backend_port
        self._desk = desk

    async def played(self) -> Evidence:
        """Start the stack, tell it every secret, and look everywhere while it runs."""
        async with AsyncExitStack() as around:
            judge = await around.enter_async_context(llama_guard())
            backend = await around.enter_async_context(running_backend(port=self._backend_port))
            session = await around.enter_async_context(aiohttp.ClientSession())
            collector = around.enter_context(collecting())
            stack = self._stack(judge)
            stack.environment |= {
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
                "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={COLLECTOR.secret}",
                "OTEL_TRACES_SAMPLER": "always_on",
                "OTEL_BSP_SCHEDULE_DELAY": "100",
            }
            around.callback(stack.pull_the_plug)
            await asyncio.to_thread(stack.start)
            caller = Questioner(session, stack)
            commands = await tell_everything(caller, backend, self._desk, OPEN_WORD)
            await _visit_pages(caller, stack)
            await somebody_says(stack, OPEN_WORD)
            await collector.until(lambda: {each.service for each in collector.spans} == TRACED)
            return Evidence(
                all_told(stack),
                {
                    **caller.answers,
                    **await asyncio.to_thread(_everywhere, stack, commands),
                    "traces": tuple(collector.bodies),
                },
                self._heard(judge, backend),
            )

    def _stack(self, judge: LlamaGuardStub) -> Stack:
        servers, policy = self._folder / "servers.yaml", self._folder / "policy.yaml"
        servers.write_text(SERVERS.format(url=self._desk.url))
        policy.write_text(POLICY.format(url=judge.url))
        stack = Stack(
            self._folder / "data",
            backend_url=f"http://127.0.0.1:{self._backend_port}/v1",
            mcp_servers=str(servers),
            guard_policy=str(policy),
            log_level="debug",
            encrypt_log="false",
        )
        stack.environment |= {variable: told.secret for variable, (_, told) in OPERATORS.items()}
        return stack

    def _heard(self, judge: LlamaGuardStub, backend: ScriptedBackend) -> str:
        by_desk = [fact["headers"] for fact in self._desk.asked("tools/call")]
        return str([by_desk, judge.headers, [dict(each.headers) for each in backend.requests]])


async def _visit_pages(caller: Questioner, stack: Stack) -> None:
    run = stack.run()
    for page in ("", "health", "openapi.json", "docs"):
        await caller.visits(f"{run['url']}/{page}")
    for child in run["children"].values():
        port = psutil.Process(child["pid"]).environ().get("TURNWIRE_HEALTH_PORT")
        if port is not None:
            await caller.visits(f"http://127.0.0.1:{port}/healthz")
            await caller.visits(f"http://127.0.0.1:{port}/metrics")


def _everywhere(stack: Stack, commands: Iterable[tuple[str, ...]]) -> sinks.Sinks:
    return {
        **sinks.files_of(stack),
        **sinks.processes_of(stack),
        **sinks.commands_of(stack, commands),
        "screen": (stack.screen.encode(),),
    }
