"""No wait without a deadline in what ships, but for those below, each with its reason."""

import pytest

from architecture.house import ROOT, Module, modules
from architecture.waits import unbounded

_DRAIN = "`Lifecycle.drain` bounds it: TURNWIRE_DRAIN_S"
_ENDS = "waits for the end of the process, which is what it is for"
_OWN_DEADLINE = "what it waits for has a deadline of its own: "
_CLIENT = "a client may be silent as long as it is connected; what it waits for has a deadline"

REASONS = {
    "chassis/broker.py: BrokerConnection.drain: await super().drain()": "nats-py: drain_timeout",
    "chassis/client.py: DirectClient._request_new_style: await answered": "a timer ends it",
    "chassis/asking.py: ask_patiently: await (asking[0] if len(asking) == 1 else "
    "_first_answer(asking))": _OWN_DEADLINE + "the question's timeout",
    "chassis/asking.py: _first_answer: await answered": _OWN_DEADLINE + "the question's timeout",
    "chassis/concurrency.py: BoundedTasks.finish: await asyncio.wait(self._running)": _DRAIN,
    "chassis/concurrency.py: ConcurrencyLimit.enter: await self._free.acquire()": "all who hold a "
    "place do work with a deadline, and the number of those that wait is bounded, too",
    "chassis/server.py: TaskServer.finish: await self._ended.wait()": _DRAIN,
    "chassis/server.py: TaskServer.run_until_cancelled: await asyncio.shield(serving)": _ENDS,
    "chassis/server.py: TaskServer.run_until_cancelled: await serving": _OWN_DEADLINE
    + "uvicorn's timeout_graceful_shutdown",
    "chassis/inbox.py: Inbox.finish: await asyncio.wait(self._owned.values())": _DRAIN,
    "chassis/inbox.py: Inbox.finish: await pull.drain()": _DRAIN,
    "chassis/pull.py: Pull.drain: await subscription.drain()": _DRAIN,
    "chassis/health_server.py: HealthServer.run: await asyncio.Event().wait()": _ENDS,
    "chassis/responder.py: Responder._leave: await subscription.drain()": _DRAIN,
    "chassis/run.py: _End._drain: await self._lifecycle.drain(self._drain_s)": "the argument is "
    "the deadline",
    "chassis/run.py: _freeze_when_started: await lifecycle.started.wait()": "beside the service; "
    "a probe of the process finds one that does not start",
    "chassis/run.py: _until_told: await answering": "cancelled just before",
    "chassis/run.py: _until_told: await asyncio.wait({serving, answering}, "
    "return_when=asyncio.FIRST_COMPLETED)": _ENDS,
    "chassis/run.py: _until_told: await serving": "cancelled just before; a second signal and the "
    "supervisor end a service that does not end",
    "chassis/output_log.py: JetStreamOutputLog._listen: await asyncio.shield(shared.listens)": (
        "the first watcher sets it, however its subscription ends"
    ),
    "gateway/answers.py: FrameStream._listen: await receive()": "beside the answer: until the "
    "client leaves or all is sent",
    "gateway/answers.py: gone: await request.receive()": "beside the answer, which cancels it",
    "gateway/feed.py: FrameFeed.read: await self._queue.wait()": "a timer wakes it every 5 s",
    "gateway/frame_queue.py: FrameQueue.wait: await self.news.wait()": "a timer of the feed wakes "
    "it every 5 s",
    "gateway/guard_check.py: CheckHandlers.check: await limits.acquire()": _OWN_DEADLINE
    + "TenantLimiter",
    "gateway/token_counting.py: TokenCountingHandlers.input_tokens: await limits.acquire()": (
        _OWN_DEADLINE + "TenantLimiter"
    ),
    "gateway/limiter.py: Limiter.acquire: await tenant_limiter.acquire(acquisition)": _OWN_DEADLINE
    + "TenantLimiter",
    "gateway/request_quota.py: RequestQuota._acquire: "
    "await self._limiter.acquire(self._tenant, acquisition)": _OWN_DEADLINE + "TenantLimiter",
    "gateway/tenant_limiter.py: TenantLimiter.acquire: await result": _OWN_DEADLINE
    + "each step has ten seconds, and whatever its end, all who wait for it are answered",
    "gateway/turns.py: Turns.graces_end: await asyncio.wait(self._graces)": _OWN_DEADLINE
    + "TURNWIRE_STREAM_GRACE_S, and the appends of the log",
    "gateway/connection.py: SocketConnection._grow_old: await asyncio.wait(self._working)": (
        _OWN_DEADLINE + "turns"
    ),
    "gateway/connection.py: SocketConnection.run: await self._websocket.receive()": _CLIENT
    + ": pings, and the lifetime of the connection",
    "gateway/oidc_issuer.py: OidcIssuer._refresh: async with self._asking": _OWN_DEADLINE
    + "the request of the one that holds the lock",
    "gateway/serving.py: serve.restore: await reconnected.wait()": _ENDS,
    "guard/app.py: serve: await asyncio.Event().wait()": _ENDS,
    "guard/policy_file.py: _stop_when_unused: await retired.unused.wait()": _OWN_DEADLINE
    + "checks, by TURNWIRE_GUARD_TIMEOUT_S",
    "guard/batches.py: BatchClassifier._judged: await asyncio.wait([scores])": "a thread cannot be "
    "stopped; those that wait for it have TURNWIRE_GUARD_TIMEOUT_S",
    "orchestrator/app.py: serve.restore: await reconnected.wait()": _ENDS,
    "orchestrator/heartbeats.py: Heartbeats.hear: await asyncio.shield(self._hearing)": (
        _OWN_DEADLINE + "subscribing writes, and waits for no answer"
    ),
    "orchestrator/guard_session.py: GuardSession.input: await asyncio.wait({reading})": (
        _OWN_DEADLINE + "questions to the store, and the turn's"
    ),
    "orchestrator/guard_session.py: GuardSession.input.earlier: await asyncio.shield(reading)": (
        _OWN_DEADLINE + "questions to the store, and the turn's"
    ),
    "orchestrator/handlers.py: TurnHandlers.requested: await asyncio.shield(owner)": _OWN_DEADLINE
    + "the turn's",
    "orchestrator/backend.py: HttpBackend.look: await asyncio.shield(self._looking)": _OWN_DEADLINE
    + "of connecting, and TURNWIRE_BACKEND_IDLE_TIMEOUT_S",
    "orchestrator/backends.py: Backends._look_again: await asyncio.shield(self._looking)": (
        _OWN_DEADLINE + "as that of one backend"
    ),
    "orchestrator/answer.py: Answer._more: await self._waiter": "`ServerConnections` ends it when "
    "the server falls silent: TURNWIRE_BACKEND_IDLE_TIMEOUT_S",
    "orchestrator/backends.py: Backends.keep_looking: await asyncio.Event().wait()": _ENDS,
    "orchestrator/tool_rounds.py: ToolRounds._run: await ended": _OWN_DEADLINE
    + "TURNWIRE_TOOL_CALL_TIMEOUT_S, and the turn's",
    "tool_runner/app.py: serve: await asyncio.Event().wait()": _ENDS,
    "tool_runner/call_limiter.py: CallLimiter.admitted: async with waiting": "it is the deadline",
    "tool_runner/call_supervisor.py: CallSupervisor.prepared: await preparing": (
        "an import in a thread, which ends"
    ),
    "tool_runner/call_supervisor.py: CallSupervisor.run: await task": "it has ended",
    "tool_runner/incoming.py: Incoming.over: async with streams": "two streams in memory: closing "
    "them waits for nothing",
    "tool_runner/incoming.py: _Cleaned.receive: await self._inner.receive()": "an idle session "
    "hears nothing; it is closed after its idle time",
    "tool_runner/on_demand.py: ToolServersOnDemand._made: await asyncio.shield(self._making)": (
        "an import in a thread, which ends"
    ),
    "tool_runner/on_demand.py: ToolServersOnDemand.aclose: await self._making": (
        "an import in a thread, which ends"
    ),
    "tool_runner/session.py: Session.ready: await asyncio.wait({self._opened, self.owner}, "
    "return_when=asyncio.FIRST_COMPLETED)": _OWN_DEADLINE + "the handshake's, and the call's",
    "tool_runner/session.py: Session.tools: async with self._listing": _OWN_DEADLINE
    + "the call's, which is cancelled",
    "tool_runner/sessions.py: Sessions.aclose: await asyncio.wait(self._owners)": "its caller "
    "gives it some seconds, and then cuts off what is left",
}
"""By place and text of the wait. One that is new has a deadline, or its reason here."""


def found_in(text: str) -> list[str]:
    """Give the waits without a deadline in a source text."""
    module = Module(ROOT / "libs/x/src/turnwire_x/m.py", text)
    return [wait.what for wait in unbounded(module)]


def test_every_wait_has_a_deadline_or_a_reason() -> None:
    found = {
        f"{wait.where}: {wait.what}"
        for module in modules()
        if module.ships and module.place.startswith(("services/", "libs/"))
        for wait in unbounded(module)
    }
    assert found - REASONS.keys() == set(), "give it a deadline, or say why it needs none"
    assert REASONS.keys() - found == set(), "there is no such wait any longer"


@pytest.mark.parametrize(
    "wait",
    [
        "await event.wait()",
        "await future",
        "await self._ended",
        "await self.queue.get()",
        "await work_queue.put(1)",
        "await asyncio.wait({task})",
        "await asyncio.shield(task)",
        "await lock.acquire()",
        "await process.wait()",
        "await process.communicate()",
        "await subscription.next_msg()",
    ],
)
def test_a_wait_without_a_deadline_is_found_wherever_it_stands(wait: str) -> None:
    assert found_in(f"async def f():\n    {wait}") == [wait]
    assert found_in(f"async def f():\n    async with timeout(1):\n        {wait}") == []
    nested = (
        f"async def f():\n    async with timeout(1):\n        async def g():\n            {wait}"
    )
    assert found_in(nested) == [wait]


def test_a_lock_is_a_wait() -> None:
    assert found_in("async def f():\n    async with self._lock:\n        pass") == [
        "async with self._lock"
    ]


@pytest.mark.parametrize(
    "wait",
    [
        "await asyncio.wait_for(event.wait(), 1)",
        "await asyncio.wait({task}, timeout=1)",
        "await subscription.next_msg(timeout=1)",
        "await session.get(url)",
        "await self.read()",
        "await asyncio.sleep(1)",
    ],
)
def test_what_ends_by_itself_is_not_found(wait: str) -> None:
    assert found_in(f"async def f():\n    {wait}") == []
