"""What is decided: one event for a running turn, none for one that has ended."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from turnwire_contracts import codec
from turnwire_contracts.event_kinds import kind_of
from turnwire_contracts.events import (
    AnyEvent,
    Closed,
    Failure,
    Screened,
    Started,
    TakenOver,
    TurnUsage,
)
from turnwire_contracts.json_values import JSON
from turnwire_contracts.react import (
    CallTools,
    CloseCancelled,
    Dequeue,
    Erase,
    ListTools,
    Refuse,
    ReturnToClient,
    Sample,
    ScreenInput,
    react,
)
from turnwire_contracts.turn import evolve, fold
from turnwire_contracts.turn_state import ClosedTurn, Erased, RefusedByGuard, Sampling, Screening
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
from turnwire_orchestrator.deciding.decide import ImpossibleCommandError, decide, without_content
from turnwire_testing.examples import (
    AT,
    OWNER,
    RESPONSE_ID,
    TENANT,
    cancel_requested,
    closed,
    mcp_call,
    message,
    requested,
    sampled,
    screened,
    started,
    taken_over,
    tool_called,
    tool_returned,
    tools_listed,
)

MCP: JSON = {"tools": [{"type": "mcp", "server_label": "docs"}]}
MINE: JSON = {"id": "fc_1", "type": "function_call", "name": "mine"}
VIOLATION: JSON = {"category": "pii", "provider": "regex", "stage": "emails", "step": 0}
FAILURE = Failure(http_status=502, type="server_error", code="backend_error", message="It broke.")

screens, cancels, stores = st.booleans(), st.booleans(), st.booleans()


@st.composite
def running(draw: st.DrawFn) -> list[AnyEvent]:
    """Draw the events of a turn that has not ended."""
    screen, background = draw(screens), draw(st.booleans())
    instructions = draw(st.sampled_from([None, "", "Be brief."]))
    store = background or draw(stores)
    life: list[AnyEvent] = [
        requested(screen=screen, store=store, instructions=instructions, background=background)
    ]
    if background and draw(st.booleans()):
        life.append(started())
    if screen:
        verdict = draw(st.sampled_from([None, screened(), screened(violations=[VIOLATION])]))
        life += [verdict] if verdict else []
    if draw(cancels):
        life.insert(draw(st.integers(1, len(life))), cancel_requested())
    if draw(st.booleans()):
        life.append(taken_over(abandoned=[message("Hal", status="incomplete")], cuts=[["D"]]))
    return life


finishes = st.builds(
    Finish,
    st.just(AT),
    st.sampled_from(["completed", "incomplete", "failed", "cancelled"]),
    st.just([message("Hi.")]),
    st.just([["D"]]),
    instructions=st.none() | st.just("Inherited."),
    usage=st.none() | st.just(TurnUsage(1, 2)),
    incomplete_reason=st.none() | st.just("max_output_tokens"),
    failure=st.none() | st.just(FAILURE),
)
closings = (
    finishes | st.builds(Fail, st.just(AT), st.just(FAILURE)) | st.builds(Cancel, st.just(AT))
)
commands = (
    closings
    | st.builds(Start, st.just(AT))
    | st.builds(RecordVerdict, st.just(AT), st.just([]))
    | st.builds(TakeOver, st.just(AT), st.just("second:2"), st.just([]), st.just([]))
)


@given(running(), commands)
def test_what_is_decided_about_a_running_turn_can_be_folded_and_is_about_it(
    life: list[AnyEvent], command: Command
) -> None:
    turn = fold(life)
    for event in decide(command, turn):
        assert (event.tenant, event.response_id, event.at) == (TENANT, RESPONSE_ID, AT)
        assert codec.decode(kind_of(event), codec.encode(event)) == event
        # The log takes nothing that cannot be folded.
        evolve(turn, event)


@given(running(), commands)
def test_only_what_a_turn_is_beyond_leads_to_no_event(
    life: list[AnyEvent], command: Command
) -> None:
    turn = fold(life)
    match command:
        case Start():
            beyond = isinstance(turn, RefusedByGuard) or any(
                isinstance(each, Started) for each in life
            )
        case RecordVerdict():
            new = isinstance(turn, Sampling) and turn.is_new
            beyond = not isinstance(turn, Screening) and not new
        case _:
            beyond = False
    assert len(decide(command, turn)) == (0 if beyond else 1)


@given(
    running(), st.sampled_from([Start(AT), RecordVerdict(AT, []), RecordVerdict(AT, [VIOLATION])])
)
def test_what_is_recorded_twice_is_recorded_once(life: list[AnyEvent], command: Command) -> None:
    turn = fold(life)
    for event in decide(command, turn):
        turn = evolve(turn, event)
    assert decide(command, turn) == ()


@given(running())
def test_a_background_turn_leaves_the_queue_before_anything_else_and_once(
    life: list[AnyEvent],
) -> None:
    turn = fold(life)
    step = react(turn)
    if isinstance(turn, Screening | Sampling) and step == Dequeue():
        assert turn.request.background
        assert not turn.started
        (event,) = decide(Start(AT), turn)
        assert react(evolve(turn, event)) in (ScreenInput(turn.request), Sample(turn.request))
    elif isinstance(turn, Screening | Sampling) and turn.request.background:
        assert turn.started or turn.cancel
    else:
        assert step != Dequeue()


@given(running(), commands)
def test_the_same_command_is_decided_the_same_way_again(
    life: list[AnyEvent], command: Command
) -> None:
    turn = fold(life)
    assert decide(command, turn) == decide(command, turn)


@given(commands, st.sampled_from([[requested(), closed()], [closed(stored=False)]]))
def test_a_turn_that_has_ended_stays_as_it_is(command: Command, life: list[AnyEvent]) -> None:
    assert decide(command, fold(life)) == ()


@given(commands)
def test_nothing_is_decided_about_a_turn_that_nobody_requested(command: Command) -> None:
    with pytest.raises(ImpossibleCommandError):
        decide(command, fold([]))


@given(running(), closings)
def test_a_closing_command_closes_every_running_turn(
    life: list[AnyEvent], command: Finish | Fail | Cancel
) -> None:
    turn = fold(life)
    (event,) = decide(command, turn)
    assert isinstance(event, Closed)
    ended = evolve(turn, event)
    assert isinstance(ended, ClosedTurn)
    assert event.stored == (ended.request.store and not isinstance(turn, Screening))
    assert react(ended) == (None if event.stored else Erase())


@given(running(), finishes)
def test_an_answer_that_comes_after_a_wish_to_cancel_is_kept_but_does_not_undo_it(
    life: list[AnyEvent], finish: Finish
) -> None:
    turn = fold([*life, cancel_requested()])
    assume(isinstance(turn, Sampling))
    (event,) = decide(finish, turn)
    assert isinstance(event, Closed)
    assert (event.status, event.failure, event.incomplete_reason) == ("cancelled", None, None)
    assert (event.output, event.cuts, event.usage) == (finish.items, finish.cuts, finish.usage)


@pytest.mark.parametrize(("said", "kept"), [(None, "Inherited."), ("", None), ("Own.", None)])
def test_instructions_are_recorded_where_the_request_did_not_say_them(
    said: str | None, kept: str | None
) -> None:
    finish = Finish(AT, "completed", [], [], instructions=said or "Inherited.")
    (event,) = decide(finish, fold([requested(instructions=said)]))
    assert isinstance(event, Closed)
    assert event.instructions == kept


def test_a_take_over_names_its_new_owner_as_the_cause() -> None:
    seen = [message("Hal", status="incomplete")]
    (event,) = decide(TakeOver(AT, "second:2", seen, [["D"]]), fold([requested()]))
    assert isinstance(event, TakenOver)
    assert (event.cause, event.abandoned, event.cuts) == ("second:2", seen, [["D"]])


def test_a_verdict_keeps_its_violations() -> None:
    (event,) = decide(RecordVerdict(AT, [VIOLATION]), fold([requested(screen=True)]))
    assert isinstance(event, Screened)
    assert event.violations == [VIOLATION]


@given(running(), finishes)
def test_what_the_log_keeps_of_a_turn_that_is_not_stored_has_no_content(
    life: list[AnyEvent], finish: Finish
) -> None:
    (event,) = decide(finish, fold(life))
    assert isinstance(event, Closed)
    kept = without_content(event)
    assert isinstance(fold([kept]), Erased)
    body = codec.encode(kept)
    for content in (b"Hi.", b"Inherited.", b"Be brief.", OWNER.encode()):
        assert content not in body
    assert (kept.status, kept.usage, kept.failure) == (event.status, event.usage, event.failure)


@given(running())
def test_doing_what_a_turn_needs_brings_it_to_its_end(life: list[AnyEvent]) -> None:
    turn = fold(life)
    for _ in range(4):
        step = react(turn)
        if step is None or isinstance(step, Erase):
            break
        (event,) = decide(command_for(step), turn)
        turn = evolve(turn, event)
    assert isinstance(turn, ClosedTurn)


@pytest.mark.parametrize(
    ("life", "step"),
    [
        ([], None),
        ([requested(screen=True)], ScreenInput(requested(screen=True))),
        ([requested(screen=True), cancel_requested()], CloseCancelled()),
        ([requested(screen=True), screened()], Sample(requested(screen=True))),
        ([requested(screen=True), screened(violations=[VIOLATION])], Refuse([VIOLATION])),
        ([requested()], Sample(requested())),
        ([requested(), taken_over()], Sample(requested())),
        ([requested(), cancel_requested()], CloseCancelled()),
        ([requested(background=True)], Dequeue()),
        ([requested(background=True, screen=True)], Dequeue()),
        ([requested(background=True), cancel_requested()], CloseCancelled()),
        ([requested(background=True), taken_over()], Dequeue()),
        ([requested(background=True), started()], Sample(requested(background=True))),
        ([requested(), closed()], None),
        ([requested(store=False), closed(stored=False)], Erase()),
        ([closed(stored=False)], None),
    ],
)
def test_a_turn_needs_this_next(life: list[AnyEvent], step: object) -> None:
    assert react(fold(life)) == step


def command_for(step: object) -> Command:
    """Do a step well."""
    match step:
        case Dequeue():
            return Start(AT)
        case ScreenInput():
            return RecordVerdict(AT, [])
        case Sample():
            return Finish(AT, "completed", [message("Hi.")], [])
        case Refuse():
            return Fail(AT, FAILURE)
        case _:
            return Cancel(AT)


@pytest.mark.parametrize(
    "command",
    [
        Prepare(AT, []),
        StartCalls(AT, [mcp_call()["id"]]),
        Return(AT, mcp_call()["id"], "Found."),
    ],
)
def test_what_happens_with_tools_is_recorded_once(command: Command) -> None:
    turn = fold([requested(), sampled()])
    (event,) = decide(command, turn)
    assert decide(command, evolve(turn, event)) == ()


@pytest.mark.parametrize(
    ("life", "step"),
    [
        ([requested(params=MCP)], ListTools(requested(params=MCP))),
        ([requested(params=MCP), tools_listed(items=[])], Sample(requested(params=MCP))),
        ([requested(), sampled()], CallTools([mcp_call()], [])),
        ([requested(), sampled(), tool_called()], CallTools([], [mcp_call()])),
        ([requested(), sampled(), tool_returned()], Sample(requested())),
        ([requested(), sampled(), tool_called(), cancel_requested()], CloseCancelled()),
        ([requested(), sampled(output=[mcp_call(), MINE])], CallTools([mcp_call()], [])),
        ([requested(), sampled(output=[mcp_call(), MINE]), tool_returned()], ReturnToClient()),
    ],
)
def test_tools_are_listed_then_called_then_the_model_is_asked_again(
    life: list[AnyEvent], step: object
) -> None:
    assert react(fold(life)) == step
