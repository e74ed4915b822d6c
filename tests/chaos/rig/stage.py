"""The whole stack with everything around it that is watched: backend, tool server, log, clients."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from nats.aio.client import Client as BrokerClient

from chaos.oracle import BackendRequest, Fault, LoggedTurn, Run, ToldEnd, ToolCall
from chaos.rig.answering import answer_to
from chaos.rig.clients import Client
from chaos.rig.crash_orders import CrashOrders
from chaos.rig.guard_policy import POLICY
from chaos.rig.log import read_log
from e2e.rig.desk import Desk, running_desk
from e2e.rig.stack import Stack
from scripted_backend import ScriptedBackend, running_backend
from turnwire_chassis.api_keys.key_text import id_of_key
from turnwire_chassis.broker import connect
from turnwire_chassis.broker_access.access import Access
from turnwire_chassis.broker_authorization.rights import User
from turnwire_chassis.crash_points import SWITCH
from turnwire_contracts import subjects
from turnwire_testing.ports import free_port
from turnwire_testing.waiting import eventually
from turnwire_testing.webhook_receivers import WebhookReceiver, receiving

BROKER, DATABASE = "nats", "mongo"
SERVICES = ("gateway", "orchestrator", "guard", "tool-runner", "store")
PROCESSES = (*SERVICES, BROKER, DATABASE)

ENDED_WITHIN_S = 30.0
_SETTINGS = {
    "encrypt_log": "false",
    "turn_lease_s": "1.5",
    "max_restart_pause_s": "0.2",
    "stream_grace_s": "5",
    # Every chain is read from the store, so that there is something to lose.
    "history_cache_bytes": "0",
}
_LOOK_AGAIN_S = 0.1


@dataclass
class Stage:
    """A running stack; what happens on it is gathered from `begin` on."""

    stack: Stack
    backend: ScriptedBackend
    desk: Desk
    session: aiohttp.ClientSession
    broker: BrokerClient
    orders: CrashOrders
    receiver: WebhookReceiver | None = None
    """Who is told the ends of turns that name a webhook."""
    run: Run = field(default_factory=Run)
    _from: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def client(self) -> Client:
        """A client of the stack."""
        return Client(self.session, self.stack.url, self.stack.bearer)

    async def begin(self) -> Run:
        """Begin a new run: what was before is none of it."""
        last = await self._last_sequence()
        told = len(self.receiver.posted) if self.receiver else 0
        self._from = (last, len(self.desk.journal), len(self.backend.requests), told)
        self.run = Run()
        return self.run

    async def kill(self, process: str) -> Fault:
        """Kill a process, and wait until it is back; gives the fault."""
        began = time.time()
        self.stack.kill(process)
        await asyncio.to_thread(self.stack.wait_until_back, process)
        return self.note(process, began)

    def note(self, process: str, began: float, what: str = "killed") -> Fault:
        """Note a fault that is over now."""
        fault = Fault(process, began, time.time(), what)
        self.run.faults.append(fault)
        return fault

    async def until_well(self) -> None:
        """Wait until the gateway says that everything behind it answers."""

        async def is_well() -> bool:
            url = self.stack.url.removesuffix("v1") + "health"
            try:
                async with self.session.get(url) as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await eventually(is_well, ENDED_WITHIN_S)

    async def gather(self) -> Run:
        """Wait until all turns have ended, and add what every side says of them."""
        run, (last, calls, requests, told) = self.run, self._from
        until = time.monotonic() + ENDED_WITHIN_S
        while True:
            run.log = await read_log(self.broker, last)
            run.ends = self._ends(told)
            settled = all(map(self._is_settled, run.log)) and not run.untold
            if settled or time.monotonic() > until:
                break
            await asyncio.sleep(_LOOK_AGAIN_S)
        run.ledger = [
            ToolCall(fact["params"]["name"], fact["params"]["arguments"]["text"], fact["at"])
            for fact in self.desk.journal[calls:]
            if fact.get("asked") == "tools/call"
        ]
        run.sent = [
            BackendRequest(list(request.body["input"]))
            for request in self.backend.requests[requests:]
        ]
        async with asyncio.timeout(ENDED_WITHIN_S):
            for turn in run.log:
                if (view := await self.client.view(turn.response_id)) is not None:
                    run.views[turn.response_id] = view
        return run

    def _is_settled(self, turn: LoggedTurn) -> bool:
        """Whether a turn has ended, and what it was not to leave behind is gone."""
        unstored = any(
            seen.response_id == turn.response_id and not seen.stored for seen in self.run.seen
        )
        return bool(turn.closes) and not (unstored and turn.request is not None)

    def _ends(self, begin: int) -> list[ToldEnd]:
        posted = self.receiver.posted[begin:] if self.receiver else []
        events = [each.event for each in posted]
        return [ToldEnd(each["id"], each["type"], each["data"]["id"]) for each in events]

    async def _last_sequence(self) -> int:
        jetstream = self.broker.jetstream()
        return (await jetstream.stream_info(subjects.TURNS_STREAM)).state.last_seq


async def _tell(stage: Stage, receiver: WebhookReceiver) -> None:
    """Give the key of the clients a webhook, for requests that name it."""
    url = f"{stage.stack.url}/admin/keys/{id_of_key(stage.stack.key)}/webhook"
    body = {"url": receiver.url}
    async with stage.session.put(url, json=body, headers=stage.stack.bearer) as answer:
        assert answer.status == 200, await answer.text()


@asynccontextmanager
async def running_stage(folder: Path, **settings: str) -> AsyncGenerator[Stage]:
    """Run a stack with short leases and pauses on fresh data, armed for crashes."""
    (folder / "policy.yaml").write_text(POLICY)
    for name in ("data", "desk"):
        (folder / name).mkdir()
    orders = CrashOrders(folder / "crash-order")
    async with AsyncExitStack() as running:
        backend = await running.enter_async_context(running_backend())
        backend.answers_by(answer_to)
        desk = running.enter_context(running_desk(folder / "desk", free_port()))
        told = {"backend_url": backend.url, "guard_policy": str(folder / "policy.yaml")}
        all_settings = {**_SETTINGS, **told, **settings}
        stack = Stack(folder / "data", keyless=False, **all_settings)
        stack.environment[SWITCH] = str(orders.file)
        running.callback(stack.stop)
        await asyncio.to_thread(stack.start)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=30)
        session = await running.enter_async_context(
            aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))
        )
        access = Access(seed_file=stack.seed_of(User.OPERATOR))
        broker = await connect(stack.run()["nats_url"], User.OPERATOR, access=access)
        running.push_async_callback(broker.close)
        receiver = await running.enter_async_context(receiving())
        stage = Stage(stack, backend, desk, session, broker, orders, receiver)
        await stage.until_well()
        await _tell(stage, receiver)
        await stage.begin()
        yield stage
