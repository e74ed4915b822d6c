"""Which events a command leads to. Pure: the same turn and command always give the same events."""

from typing import assert_never

from turnwire_contracts.event_kinds import VERSIONS
from turnwire_contracts.events import (
    AnyEvent,
    Closed,
    Sampled,
    Screened,
    Started,
    TakenOver,
    ToolCalled,
    ToolReturned,
    ToolsListed,
    TurnUsage,
)
from turnwire_contracts.json_values import JSON
from turnwire_contracts.tool_rounds.tool_calls import is_waiting, summed, unmade_call
from turnwire_contracts.turn_state import (
    ClosedTurn,
    Erased,
    NotRequested,
    RefusedByGuard,
    Sampling,
    Screening,
    Turn,
)
from turnwire_orchestrator.deciding.commands import (
    Cancel,
    Command,
    Fail,
    Finish,
    Prepare,
    RecordVerdict,
    Return,
    Start,
    StartCalls,
    TakeOver,
)

Running = Screening | RefusedByGuard | Sampling


class ImpossibleCommandError(Exception):
    """The command makes no sense for a turn in this state."""


def decide(command: Command, turn: Turn) -> tuple[AnyEvent, ...]:
    """Give the events that `command` leads to; none if what it records stands there already.

    Raises `ImpossibleCommandError`.
    """
    match turn:
        case ClosedTurn() | Erased():
            return ()
        case NotRequested():
            raise ImpossibleCommandError("the turn was never requested")
        case Screening() | RefusedByGuard() | Sampling():
            return () if _is_past(command, turn) else (_event(command, turn),)
        case _:
            assert_never(turn)


def _is_past(command: Command, turn: Running) -> bool:
    """Tell whether a turn is beyond a command: its owner appended that and did not hear of it."""
    match command:
        case Start():
            return isinstance(turn, RefusedByGuard) or turn.started
        case RecordVerdict():
            return not (isinstance(turn, Screening) or (isinstance(turn, Sampling) and turn.is_new))
        case Prepare():
            return not isinstance(turn, Sampling) or (turn.listed and not command.items)
        case StartCalls():
            return not isinstance(turn, Sampling) or turn.called >= {*command.item_ids}
        case Return():
            waiting = turn.so_far.waiting if isinstance(turn, Sampling) else []
            return all(item["id"] != command.item_id for item in waiting)
        case Finish() | Fail() | Cancel() | TakeOver():
            return False
        case _:
            assert_never(command)


def _event(command: Command, turn: Running) -> AnyEvent:  # noqa: PLR0911 -- one line for each command
    match command:
        case Start():
            return Started(**_about(turn, Started, command.at))
        case RecordVerdict():
            about = _about(turn, Screened, command.at)
            return Screened(**about, violations=command.violations, output=command.output)
        case Prepare():
            return ToolsListed(**_about(turn, ToolsListed, command.at), items=command.items)
        case StartCalls():
            about = _about(turn, ToolCalled, command.at)
            return ToolCalled(**about, item_ids=command.item_ids)
        case Return():
            return ToolReturned(
                **_about(turn, ToolReturned, command.at),
                item_id=command.item_id,
                output=command.output,
                error=command.error,
            )
        case Finish():
            return _finished(command, turn)
        case Fail():
            return Closed(
                **_about(turn, Closed, command.at),
                status="failed",
                failure=command.failure,
                usage=_usage(turn),
                instructions=_inherited(turn, command.instructions),
                stored=_may_be_kept(turn) and command.keep_content,
                server=_server(turn),
            )
        case Cancel():
            return Closed(
                **_about(turn, Closed, command.at),
                status="cancelled",
                usage=_usage(turn),
                instructions=_inherited(turn, command.instructions),
                stored=_may_be_kept(turn),
                server=_server(turn),
            )
        case TakeOver():
            about: JSON = {**_about(turn, TakenOver, command.at), "cause": command.claim}
            return TakenOver(
                **about, abandoned=command.abandoned, cuts=command.cuts, runs=command.runs
            )
        case _:
            assert_never(command)


def _finished(command: Finish, turn: Running) -> AnyEvent:
    # Who cancelled the turn was told that its end will come: a late answer does not undo it.
    cancelled = isinstance(turn, Sampling) and turn.cancel is not None
    instructions = _inherited(turn, command.instructions)
    if command.status == "completed" and not cancelled and any(map(is_waiting, command.items)):
        return Sampled(
            **_about(turn, Sampled, command.at),
            output=command.items,
            cuts=command.cuts,
            usage=command.usage,
            instructions=instructions,
            runs=command.runs,
            server=command.server,
            sample=command.sample,
        )
    return Closed(
        **_about(turn, Closed, command.at),
        status="cancelled" if cancelled else command.status,
        output=[unmade_call(item) if is_waiting(item) else item for item in command.items],
        cuts=command.cuts,
        usage=summed(_usage(turn), command.usage),
        instructions=instructions,
        incomplete_reason=None if cancelled else command.incomplete_reason,
        failure=None if cancelled else command.failure,
        violations=command.violations,
        withheld=command.withheld,
        stored=_may_be_kept(turn),
        fields=command.fields,
        runs=command.runs,
        server=command.server or _server(turn),
        sample=command.sample,
    )


def _may_be_kept(turn: Running) -> bool:
    """Tell whether content may stay: what was not judged must not, or later turns would read it."""
    return turn.request.store and not isinstance(turn, Screening)


def _inherited(turn: Running, instructions: str | None) -> str | None:
    """Give the instructions that the request does not say itself."""
    return instructions if turn.request.instructions is None else None


def _usage(turn: Running) -> TurnUsage | None:
    return turn.usage if isinstance(turn, Sampling) else None


def _server(turn: Running) -> str | None:
    return turn.server if isinstance(turn, Sampling) else None


def without_content(closed: Closed) -> Closed:
    """Give what the log may keep of a turn that is not stored."""
    return Closed(
        v=closed.v,
        tenant=closed.tenant,
        response_id=closed.response_id,
        at=closed.at,
        cause=closed.cause,
        status=closed.status,
        usage=closed.usage,
        incomplete_reason=closed.incomplete_reason,
        failure=closed.failure,
        violations=closed.violations,
        stored=False,
        server=closed.server,
    )


def _about(turn: Running, event: type[AnyEvent], at: int) -> JSON:
    request = turn.request
    return {
        "v": VERSIONS[event],
        "tenant": request.tenant,
        "response_id": request.response_id,
        "at": at,
        "cause": request.cause,
    }
