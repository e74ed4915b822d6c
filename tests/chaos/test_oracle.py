"""The oracle: it passes what is right, and finds each kind of wrong that is put into a history."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from chaos.oracle import LAWS, BackendRequest, Fault, LoggedTurn, Run, SeenTurn, ToolCall, problems
from chaos.oracle.examples import IDS, PLAIN, STREAM, good_run
from chaos.oracle.records import Request
from turnwire_chassis.event_log import Recorded
from turnwire_contracts.events import AnyEvent, Closed, Failure, Requested
from turnwire_testing import examples
from turnwire_testing.examples import AT, user

Break = Callable[[Run], None]


def seen(run: Run, name: str) -> SeenTurn:
    """What the client of a turn saw."""
    return next(each for each in run.seen if each.response_id == IDS[name])


def logged(run: Run, name: str) -> LoggedTurn:
    """What the log has of a turn."""
    return next(each for each in run.log if each.response_id == IDS[name])


def rewrite(run: Run, name: str, events: list[AnyEvent]) -> None:
    """Put other events in the place of a turn's."""
    recorded = [Recorded(number, event) for number, event in enumerate(events, start=1)]
    place = run.log.index(logged(run, name))
    run.log[place] = LoggedTurn(IDS[name], recorded)


def lose_a_turn(run: Run) -> None:
    run.log.remove(logged(run, "plain"))


def leave_a_turn_open(run: Run) -> None:
    rewrite(run, "plain", logged(run, "plain").events[:-1])


def end_a_turn_twice(run: Run) -> None:
    events = logged(run, "plain").events
    rewrite(run, "plain", [*events, events[-1]])


def take_a_turn_over_after_its_end(run: Run) -> None:
    events = logged(run, "plain").events
    rewrite(run, "plain", [*events, examples.taken_over(response_id=IDS["plain"])])


def run_a_request_twice(run: Run) -> None:
    first = logged(run, "plain")
    again = examples.fresh_id()
    events = [replace(event, response_id=again) for event in first.events]
    run.log.append(LoggedTurn(again, [Recorded(90 + n, e) for n, e in enumerate(events)]))


def swap_the_answers_of_two_clients(run: Run) -> None:
    one, other = seen(run, "plain"), seen(run, "child")
    one.response_id, other.response_id = other.response_id, one.response_id


def tell_a_client_no_end(run: Run) -> None:
    seen(run, "plain").done = False


def lose_a_frame(run: Run) -> None:
    del seen(run, "stream").frames[4]


def show_a_frame_twice(run: Run) -> None:
    frames = seen(run, "stream").frames
    frames.insert(4, frames[4])


def change_a_frame(run: Run) -> None:
    frames = seen(run, "stream").frames
    frames[4] = frames[4].replace(b"bb", b"xx")


def retract_what_was_shown(run: Run) -> None:
    frames = seen(run, "stream").frames
    seen(run, "stream").done = False
    del frames[6:]
    frames[-1] = frames[-1].replace(b"bb.1", b"bb.7")


def call_a_stream_done_before_its_end(run: Run) -> None:
    del seen(run, "stream").frames[-1]


def break_a_stream_off_with_an_error(run: Run) -> None:
    seen(run, "stream").frames.append(b'event: error\ndata: {"type":"error","code":"x"}\n\n')


def answer_what_is_not_in_the_log(run: Run) -> None:
    answer = seen(run, "plain").answer
    assert answer is not None
    seen(run, "plain").answer = {**answer, "output": []}


def show_another_view(run: Run) -> None:
    run.views[IDS["plain"]] = {**run.views[IDS["plain"]], "status": "failed"}


def lose_a_view(run: Run) -> None:
    del run.views[IDS["plain"]]


def close_with(run: Run, name: str, **changes: Any) -> None:
    """Change a turn's end everywhere, so that all sides agree on what is wrong."""
    *before, closed = logged(run, name).events
    assert isinstance(closed, Closed)
    rewrite(run, name, [*before, replace(closed, **changes)])
    seen(run, name).answer, seen(run, name).frames = None, []
    run.views.clear()


def garble_the_output(run: Run) -> None:
    close_with(run, "plain", output=[examples.message("aa.0 aa.2 aa.1 aa.3 ")], cuts=[])


def mix_two_turns(run: Run) -> None:
    close_with(run, "plain", output=[examples.message(STREAM.answer)], cuts=[])


def cut_the_output_short(run: Run) -> None:
    close_with(run, "plain", output=[examples.message("aa.0 ")], cuts=[])


def say_the_answer_twice(run: Run) -> None:
    both = [examples.message(PLAIN.answer, number) for number in range(2)]
    close_with(run, "plain", output=both, cuts=[])


def fail_without_a_fault(run: Run) -> None:
    run.faults.clear()
    failure = Failure(503, "server_error", "guard_unavailable", "Away.")
    close_with(run, "plain", status="failed", output=[], cuts=[], failure=failure)


def fail_with_another_code(run: Run) -> None:
    run.faults.append(Fault("guard", AT / 1000 - 1, AT / 1000 + 9))
    failure = Failure(500, "server_error", "internal_error", "Broken.")
    close_with(run, "plain", status="failed", output=[], cuts=[], failure=failure)


def cancel_unasked(run: Run) -> None:
    close_with(run, "plain", status="cancelled", output=[], cuts=[])


def forget_the_history(run: Run) -> None:
    run.sent = [
        BackendRequest(request.items[-1:]) if len(request.items) > 2 else request
        for request in run.sent
    ]


def send_the_history_of_another(run: Run) -> None:
    run.sent.append(BackendRequest([user("word=zz tokens=1 tool= delay_ms=0"), user(str(PLAIN))]))


def continue_another_turn(run: Run) -> None:
    seen(run, "child").previous = IDS["stream"]


def fork_a_conversation(run: Run) -> None:
    asked, *rest = logged(run, "second").events
    assert isinstance(asked, Requested)
    rewrite(run, "second", [replace(asked, previous_response_id=None), *rest])
    run.sent.clear()


def call_an_unsafe_tool_twice(run: Run) -> None:
    run.faults.append(Fault("tool-runner", AT / 1000 - 1, AT / 1000 + 9))
    run.ledger.append(ToolCall("note", "dd", AT / 1000 + 1))


def call_a_safe_tool_twice_for_nothing(run: Run) -> None:
    run.ledger.append(ToolCall("echo", "ee", AT / 1000 + 1))


def tell_of_a_call_that_was_not_made(run: Run) -> None:
    run.ledger = [each for each in run.ledger if each.word != "dd"]


def call_for_nothing(run: Run) -> None:
    run.ledger.append(ToolCall("echo", "zz", AT / 1000))


def call_without_approval(run: Run) -> None:
    run.seen.remove(seen(run, "approves"))


def forget_an_approval(run: Run) -> None:
    run.log[run.log.index(logged(run, "approves"))] = LoggedTurn(
        IDS["approves"],
        [logged(run, "approves").recorded[0], logged(run, "approves").recorded[-1]],
    )


def keep_what_is_not_stored(run: Run) -> None:
    seen(run, "plain").stored = False


def refuse_without_a_word(run: Run) -> None:
    seen(run, "plain").requests.append(Request("POST", at=0.0, status=503, code="x"))


def refuse_what_is_right(run: Run) -> None:
    seen(run, "plain").error = {"code": "invalid_value", "message": "No."}


def tell_no_webhook(run: Run) -> None:
    run.ends.clear()


def lose_an_answer_and_tell_no_webhook(run: Run) -> None:
    turn = seen(run, "stream")
    turn.response_id, turn.error = "", {"code": "answer_lost"}
    run.ends.clear()


def tell_a_webhook_another_end(run: Run) -> None:
    run.ends[0] = replace(run.ends[0], type="response.failed")


def tell_a_webhook_by_two_events(run: Run) -> None:
    run.ends[0] = replace(run.ends[0], event_id="evt_2")


BREAKS: list[tuple[str, Break]] = [
    ("lost", lose_a_turn),
    ("ends once", leave_a_turn_open),
    ("ends once", end_a_turn_twice),
    ("ends once", take_a_turn_over_after_its_end),
    ("doubled", run_a_request_twice),
    ("doubled", swap_the_answers_of_two_clients),
    ("told its end", tell_a_client_no_end),
    ("streams", lose_a_frame),
    ("streams", show_a_frame_twice),
    ("streams", change_a_frame),
    ("streams", retract_what_was_shown),
    ("streams", call_a_stream_done_before_its_end),
    ("streams", break_a_stream_off_with_an_error),
    ("answers and views", answer_what_is_not_in_the_log),
    ("answers and views", show_another_view),
    ("answers and views", lose_a_view),
    ("said", garble_the_output),
    ("said", mix_two_turns),
    ("said", cut_the_output_short),
    ("said", say_the_answer_twice),
    ("fails with cause", fail_without_a_fault),
    ("fails with cause", fail_with_another_code),
    ("fails with cause", cancel_unasked),
    ("history", forget_the_history),
    ("history", send_the_history_of_another),
    ("conversations", continue_another_turn),
    ("conversations", fork_a_conversation),
    ("tools once", call_an_unsafe_tool_twice),
    ("tools once", call_a_safe_tool_twice_for_nothing),
    ("tools once", tell_of_a_call_that_was_not_made),
    ("tools once", call_for_nothing),
    ("approvals", call_without_approval),
    ("approvals", forget_an_approval),
    ("refusals", refuse_without_a_word),
    ("refusals", refuse_what_is_right),
    ("not stored", keep_what_is_not_stored),
    ("webhooks", tell_no_webhook),
    ("webhooks", lose_an_answer_and_tell_no_webhook),
    ("webhooks", tell_a_webhook_another_end),
    ("webhooks", tell_a_webhook_by_two_events),
]


def test_a_run_in_which_all_is_right_has_no_problem() -> None:
    assert problems(good_run()) == []


@pytest.mark.parametrize(("law", "wrong"), BREAKS, ids=lambda each: getattr(each, "__name__", each))
def test_what_is_wrong_is_found_by_its_law(law: str, wrong: Break) -> None:
    run = good_run()
    wrong(run)
    found = problems(run)
    assert any(problem.startswith(f"{law}: ") for problem in found), found


def test_every_law_was_seen_to_be_broken() -> None:
    assert {law for law, _ in BREAKS} == set(LAWS)
