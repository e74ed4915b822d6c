"""Which events a command leads to. Pure: the same turn and command always give the same events."""

from typing import assert_never

from turnwire_contracts.events import (
    VERSIONS,
    AnyEvent,
    Closed,
    Sampled,
    Screened,
    Started,
    TakenOver,
    ToolCalled,
    ToolReturned,
    ToolsListed,
    Usage,
)
from turnwire_contracts.json_values import JSON
from turnwire_contracts.rounds.tool_calls import is_waiting, summed, unmade_call
from turnwire_contracts.turn import (
    ClosedTurn,
    Erased,
    Refused,
    Sampling,
    Screening,
    Turn,
    Unborn,
)
from turnwire_orchestrator.deciding.commands import (
    Call,
    Cancel,
    Command,
    Fail,
    Finish,
    Judge,
    Prepare,
    Return,
    Start,
    TakeOver,
)

Running = Screening | Refused | Sampling


class ImpossibleCommandError(Exception):
    """The command makes no sense for a turn in this state."""


def decide(command: Command, turn: Turn) -> tuple[AnyEvent, ...]:
    """Give the events that `command` leads to; none if what it records stands there already.

    Raises `ImpossibleCommandError`.
    """
    match turn:
        case ClosedTurn() | Erased():
            return ()
        case Unborn():
            raise ImpossibleCommandError("the turn was never requested")
        case Screening() | Refused() | Sampling():
            return () if _is_past(command, turn) else (_event(command, turn),)
        case _:
            assert_never(turn)


def _is_past(command: Command, turn: Running) -> bool:
    """Tell whether a turn is beyond a command: its owner appended that and did not hear of it."""
    match command:
        case Start():
            return isinstance(turn, Refused) or turn.started
        case Judge():
            return not (isinstance(turn, Screening) or (isinstance(turn, Sampling) and turn.is_new))
        case Prepare():
            return not isinstance(turn, Sampling) or (turn.listed and not command.items)
        case Call():
            return not isinstance(turn, Sampling) or turn.called >= {*command.item_ids}
        case Return():
            waiting = turn.told.waiting if isinstance(turn, Sampling) else []
            return all(item["id"] != command.item_id for item in waiting)
        case Finish() | Fail() | Cancel() | TakeOver():
            return False
        case _:
            assert_never(command)


def _event(command: Command, turn: Running) -> AnyEvent:  # noqa: PLR0911 -- one line for each command
    match command:
        case Start():
            return Started(**_about(turn, "started", command.at))
        case Judge():
            about = _about(turn, "screened", command.at)
            return Screened(**about, violations=command.violations, output=command.output)
        case Prepare():
            return ToolsListed(**_about(turn, "tools_listed", command.at), items=command.items)
        case Call():
            about = _about(turn, "tool_called", command.at)
            return ToolCalled(**about, item_ids=command.item_ids)
        case Return():
            return ToolReturned(
                **_about(turn, "tool_returned", command.at),
                item_id=command.item_id,
                output=command.output,
                error=command.error,
            )
        case Finish():
            return _finished(command, turn)
        case Fail():
            return Closed(
                **_about(turn, "closed", command.at),
                status="failed",
                failure=command.failure,
                usage=_usage(turn),
                instructions=_inherited(turn, command.instructions),
                stored=_may_be_kept(turn) and command.keep_content,
            )
        case Cancel():
            return Closed(
                **_about(turn, "closed", command.at),
                status="cancelled",
                usage=_usage(turn),
                instructions=_inherited(turn, command.instructions),
                stored=_may_be_kept(turn),
            )
        case TakeOver():
            about: JSON = {**_about(turn, "taken_over", command.at), "cause": command.claim}
            return TakenOver(
                **about, abandoned=command.abandoned, cuts=command.cuts, runs=command.runs
            )
        case _:
            assert_never(command)


def _finished(command: Finish, turn: Running) -> AnyEvent:
    # Whoever asked for the end was told that it will come, so a late answer does not undo it.
    cancelled = isinstance(turn, Sampling) and turn.cancel is not None
    instructions = _inherited(turn, command.instructions)
    if command.status == "completed" and not cancelled and any(map(is_waiting, command.items)):
        return Sampled(
            **_about(turn, "sampled", command.at),
            output=command.items,
            cuts=command.cuts,
            usage=command.usage,
            instructions=instructions,
            runs=command.runs,
        )
    return Closed(
        **_about(turn, "closed", command.at),
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
    )


def _may_be_kept(turn: Running) -> bool:
    """Tell whether content may stay: what nobody judged must not, or later turns would read it."""
    return turn.request.store and not isinstance(turn, Screening)


def _inherited(turn: Running, told: str | None) -> str | None:
    """Give the instructions that the request does not say itself."""
    return told if turn.request.instructions is None else None


def _usage(turn: Running) -> Usage | None:
    return turn.usage if isinstance(turn, Sampling) else None


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
    )


def _about(turn: Running, kind: str, at: int) -> JSON:
    request = turn.request
    return {
        "v": VERSIONS[kind],
        "tenant": request.tenant,
        "response_id": request.response_id,
        "at": at,
        "cause": request.cause,
    }
