"""What a turn does with MCP servers: learn what they offer, have their tools called."""

import asyncio

from turnwire_chassis.concurrency import ConcurrencyLimit
from turnwire_contracts.events import Item, Requested
from turnwire_contracts.ids import ItemId
from turnwire_contracts.queries import Refusal
from turnwire_contracts.react import CallTools
from turnwire_contracts.tool_rounds.tool_calls import protocol_error
from turnwire_contracts.tools import AskForCall, AskForTools, Called, ToolServer
from turnwire_contracts.turn_state import Sampling
from turnwire_contracts.wire.replay import write_item
from turnwire_orchestrator import failures
from turnwire_orchestrator.deciding.commands import Prepare, Return, StartCalls
from turnwire_orchestrator.failures import TurnFailedError
from turnwire_orchestrator.guarding.guard_session import GuardSession
from turnwire_orchestrator.ports import TurnRunnerPorts
from turnwire_orchestrator.prompting.history import HistoryTurn, PromptContext, remembered
from turnwire_orchestrator.prompting.sampled import listings_for
from turnwire_orchestrator.prompting.toolbox import (
    OfferedTool,
    Toolbox,
    listing_item,
    servers_of,
    toolbox,
)
from turnwire_orchestrator.turn_runner.channel import Channel
from turnwire_orchestrator.turn_runner.turn_session import TurnSession

_UNKNOWN_OUTCOME = (
    "Whether this call was made is not known: what worked on it was lost. It is not made again, "
    "because it may change something."
)
_CHANGED = "tool_changed"


class ToolRounds:
    """The tools of one turn, for as long as this process owns it."""

    def __init__(self, ports: TurnRunnerPorts, session: TurnSession, channel: Channel) -> None:
        self._ports = ports
        self._session = session
        self._channel = channel
        self._changed: list[ToolServer] = []
        self._boxes: dict[int, Toolbox] = {}

    def box(self, request: Requested, past: HistoryTurn | None) -> Toolbox:
        """Give what the model may call: newer listings count before older ones."""
        own_items = (
            self._session.turn.so_far.items if isinstance(self._session.turn, Sampling) else ()
        )
        listings = listings_for(request, own_items, past)
        if len(listings) not in self._boxes:
            # A turn's listings only grow, and nothing else of this changes while it runs.
            self._boxes[len(listings)] = toolbox(request, listings)
        return self._boxes[len(listings)]

    async def prepare(self, request: Requested, context: PromptContext) -> Prepare:
        """Ask servers that the history does not know, and find the calls that were approved.

        Raises `TurnFailedError`; nothing has been told then.
        """
        past = context.history
        listed = {item["server_label"] for item in listings_for(request, (), past)}
        unlisted = [server for server in servers_of(request) if server.label not in listed]
        items = [*await self._listings(request, unlisted), *_approved(request, past)]
        return await self._shown(items, context.instructions)

    async def call(self, step: CallTools, request: Requested, past: HistoryTurn | None) -> None:
        """Have calls made, and append how each ended; then their ends are told together."""
        await self._channel.flush()
        box = self.box(request, past)
        ready = [*step.new, *[item for item in step.lost if _is_safe(item, box)]]
        for item in step.lost:
            if item not in ready:
                await self._return(item, None, protocol_error(_UNKNOWN_OUTCOME))
        ready = await self._within_limit(ready, request)
        if ready:
            await self._session.carry_out(
                StartCalls(self._ports.now_ms(), [_id(item) for item in ready])
            )
            await self._run(ready, request, box)
        if isinstance(self._session.turn, Sampling):
            self._channel.end_calls(self._session.turn.so_far)
            await self._channel.flush()
            await self._list_again(request)

    async def _run(self, ready: list[Item], request: Requested, box: Toolbox) -> None:
        limit = ConcurrencyLimit(self._ports.policy.calls_at_once)
        running = [asyncio.create_task(self._one(item, request, box, limit)) for item in ready]
        try:
            for ended in asyncio.as_completed(running):
                item, output, error = await ended
                await self._return(item, output, error)
                if not isinstance(self._session.turn, Sampling):
                    break
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _one(
        self, item: Item, request: Requested, box: Toolbox, limit: ConcurrencyLimit
    ) -> tuple[Item, str | None, dict[str, object] | None]:
        exposed = box.tool(item["server_label"], item["name"])
        if exposed is None:
            return item, None, protocol_error("There is no such tool.", -32602)
        async with limit.slot():
            answer = await self._asked(item, request, exposed)
        match answer:
            case None:
                return item, None, protocol_error(_UNKNOWN_OUTCOME)
            case Refusal():
                return item, None, self._refused(exposed.server, answer)
            case Called():
                return await self._checked(item, request, answer)

    async def _asked(
        self, item: Item, request: Requested, exposed: OfferedTool
    ) -> Called | Refusal | None:
        question = AskForCall(
            tenant=request.tenant,
            server=exposed.server,
            call_id=item["id"],
            name=exposed.tool.name,
            arguments=item.get("arguments") or "{}",
            digest=exposed.tool.digest,
            timeout_s=self._ports.policy.call_timeout_s,
            response_id=request.response_id,
            approved=item.get("approval_request_id") is not None,
        )
        answer = await self._ports.tools.call(question)
        if answer is None and exposed.tool.may_be_repeated:
            return await self._ports.tools.call(question)
        return answer

    async def _checked(
        self, item: Item, request: Requested, called: Called
    ) -> tuple[Item, str | None, dict[str, object] | None]:
        """Have the guard judge what a tool answered, where it judges anything."""
        error = _error(called)
        text = (called.output or "") if called.error is None else called.error.message
        guard_session = GuardSession(self._ports, request)
        if guard_session.is_guarded:
            try:
                violations = await guard_session.tool_output(text)
            except TurnFailedError as failed:
                return item, None, protocol_error(failed.failure.message)
            if violations:
                broken = ", ".join(str(each["category"]) for each in violations)
                blocked = f"The tool's answer was blocked by the content policy ({broken})."
                return item, None, protocol_error(blocked)
        return item, text if error is None else None, error

    async def _within_limit(self, ready: list[Item], request: Requested) -> list[Item]:
        """Refuse calls beyond `max_tool_calls`; gives those that may be made."""
        limit = request.params.get("max_tool_calls")
        turn = self._session.turn
        if limit is None or not isinstance(turn, Sampling):
            return ready
        said = [*request.earlier_rounds, *turn.so_far.said]
        calls = [item for item in said if item["type"] == "mcp_call"]
        room = max(0, limit - (len(calls) - len(turn.so_far.waiting)))
        for item in ready[room:]:
            message = f"The response may make {limit} tool calls (`max_tool_calls`)."
            await self._return(item, None, protocol_error(message))
        return ready[:room]

    async def _return(
        self, item: Item, output: str | None, error: dict[str, object] | None
    ) -> None:
        await self._session.carry_out(Return(self._ports.now_ms(), _id(item), output, error))

    async def _listings(self, request: Requested, servers: list[ToolServer]) -> list[Item]:
        tenant, asking = request.tenant, request.response_id
        questions = [
            AskForTools(tenant, server, response_id=asking, call_id=f"list_{asking}_{server.label}")
            for server in servers
        ]
        offers = await asyncio.gather(*map(self._ports.tools.tools, questions))
        return [
            listing_item(server.label, offered)
            for server, offered in zip(servers, offers, strict=True)
        ]

    async def _shown(self, items: list[Item], instructions: str | None) -> Prepare:
        """Give items their ids, and write their frames, which leave when the event is durable."""
        turn = self._session.turn
        first_index = len(turn.so_far.items) if isinstance(turn, Sampling) else 0
        if items:
            await self._channel.open(instructions)
        assembler = self._channel.assembler(first_index)
        for item in items:
            write_item(assembler, item, [])
        return Prepare(self._ports.now_ms(), assembler.items)

    def _refused(self, server: ToolServer, refusal: Refusal) -> dict[str, object]:
        if refusal.failure.code == _CHANGED:
            self._changed = [*self._changed, server]
        return protocol_error(refusal.failure.message)

    async def _list_again(self, request: Requested) -> None:
        """Learn anew what servers offer whose tools have changed since they were listed."""
        changed, self._changed = self._changed, []
        if changed:
            prepared = await self._shown(await self._listings(request, changed), None)
            await self._session.carry_out(prepared)
            await self._channel.flush()


def _approved(request: Requested, past: HistoryTurn | None) -> list[Item]:
    """Give the calls that this request approves and that were not made yet.

    A client may send the whole history again, with answers that were heard long ago.
    """
    own = {item["id"]: item for item in request.input if item["type"] == "mcp_approval_request"}
    approval_requests = {
        item["id"]: item for item in remembered(past, "mcp_approval_request")
    } | own
    items = (*request.input, *remembered(past, "mcp_call"))
    made = {item.get("approval_request_id") for item in items if item["type"] == "mcp_call"}
    calls: list[Item] = []
    for answer in request.input:
        if answer["type"] != "mcp_approval_response":
            continue
        name = answer.get("approval_request_id")
        if name not in approval_requests:
            raise TurnFailedError(failures.approval_not_found(str(name)))
        if answer.get("approve") and name not in made:
            made.add(name)
            call = {
                field: approval_requests[name][field]
                for field in ("server_label", "name", "arguments")
            }
            calls.append({"type": "mcp_call", **call, "approval_request_id": name})
    return calls


def _is_safe(item: Item, box: Toolbox) -> bool:
    exposed = box.tool(item["server_label"], item["name"])
    return exposed is not None and exposed.tool.may_be_repeated


def _id(item: Item) -> ItemId:
    return ItemId(item["id"])


def _error(called: Called) -> dict[str, object] | None:
    error = called.error
    if error is None:
        return None
    if error.type == "mcp_tool_execution_error":
        return {"type": error.type, "content": [{"type": "text", "text": error.message}]}
    return {"type": error.type, "code": error.code, "message": error.message}
