"""Calls and their outputs along a chain: what is refused, and what a strict backend is sent."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.events import Item
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.json_values import JSON
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_orchestrator.prompting.history import HistoryTurn, mistake_in_pairs, past_of
from turnwire_testing.examples import closed, message, requested, user
from turnwire_testing.prompts import as_chat, as_response, prompt


def call(call_id: str, kind: str = "function_call", **more: Any) -> Item:
    """A call of a tool that the client runs."""
    said = {"arguments": "{}"} if kind == "function_call" else {"input": "x"}
    return {"type": kind, "call_id": call_id, "name": "f", **said, **more}


def output(call_id: str, told: str = "done", kind: str = "function_call_output") -> Item:
    """What it gave."""
    return {"type": kind, "call_id": call_id, "output": told}


def chain(*turns: tuple[list[Item], list[Item]], **ends: Any) -> HistoryTurn:
    """Give the last of turns that follow one another: what each heard and said."""
    past: HistoryTurn | None = None
    for number, (heard, said) in enumerate(turns, 1):
        name = ResponseId(f"resp_{number:032x}")
        request = requested(response_id=name, input=heard)
        ended = fold([request, closed(response_id=name, output=said, **ends)])
        assert isinstance(ended, ClosedTurn)
        past = past_of(ended, past)
    assert past is not None
    return past


def refused(past: HistoryTurn | None, *items: Item) -> str | None:
    """Give the place of what is wrong."""
    failure = mistake_in_pairs(requested(input=[*items]), past)
    return failure.param if failure else None


def roles(told: JSON) -> list[str]:
    """Read the messages of a chat completion: `call a b`, `tool a`, or who speaks."""
    return [
        "call " + " ".join(each["id"] for each in message["tool_calls"])
        if "tool_calls" in message
        else f"tool {message['tool_call_id']}"
        if message["role"] == "tool"
        else message["role"]
        for message in told["messages"]
    ]


CALLED = ([user("Look.")], [call("a", id="fc_1"), call("b", id="fc_2")])
ANSWERED = ([output("a"), output("b")], [{**message("Seen."), "id": "msg_1"}])


def test_what_the_user_says_before_the_outputs_comes_behind_them() -> None:
    past = chain(CALLED)
    new = [user("Hurry."), output("b"), output("a")]
    assert refused(past, *new) is None
    asked = prompt(past=past, input=new)
    assert roles(as_chat(asked)) == ["user", "call a b", "tool b", "tool a", "user"]
    assert [item["type"] for item in as_response(asked)["input"]] == [
        "message", "function_call", "function_call", "function_call_output",
        "function_call_output", "message",
    ]  # fmt: skip


def test_it_stays_so_in_later_turns() -> None:
    late = ([user("Hurry."), output("b"), output("a")], [message("Seen.")])
    asked = prompt(past=chain(CALLED, late), input=[user("And?")])
    assert roles(as_chat(asked)) == [
        "user", "call a b", "tool b", "tool a", "user", "assistant", "user",
    ]  # fmt: skip


@pytest.mark.parametrize("told", ["done", "something else"])
def test_a_call_that_was_answered_in_an_earlier_turn_takes_no_second_output(told: str) -> None:
    past = chain(CALLED, ANSWERED)
    assert refused(past, user("Well?"), output("a", told)) == "input[1]"
    assert refused(chain(CALLED), output("a"), output("b"), output("a", told)) == "input[2]"


def test_a_call_that_was_cancelled_by_going_on_takes_no_output_any_more() -> None:
    past = chain(CALLED, ([user("Never mind.")], [message("All right.")]))
    assert refused(past, output("a"), output("b")) == "input[0]"


def test_who_sends_everything_again_answers_nothing_twice() -> None:
    """LangGraph: items that have ids keep them, outputs have none, and are written anew."""
    past = chain(CALLED, ANSWERED)
    again = [*CALLED[0], *CALLED[1], *ANSWERED[0]]
    for items in (
        [*again, *ANSWERED[1], user("More.")],
        [*again, user("More.")],
        [*CALLED[1], output("a", "Done"), output("b", "Done"), user("More.")],
    ):
        assert refused(past, *items) is None
        told = roles(as_chat(prompt(past=past, input=items)))
        assert [role for role in told if role not in ("user", "assistant")] == [
            "call a b", "tool a", "tool b",
        ]  # fmt: skip


def test_who_was_cut_off_may_send_the_same_outputs_again() -> None:
    """In a conversation the cancelled turn stays, so this is no second output."""
    before, after = CALLED, ([*ANSWERED[0], user("Well?")], [message("Se")])
    first = chain(before)
    request = requested(response_id=ResponseId("resp_" + "9" * 32), input=after[0])
    cut_off = fold([request, closed(output=after[1], status="cancelled")])
    assert isinstance(cut_off, ClosedTurn)
    past = past_of(cut_off, first)
    assert refused(past, *after[0]) is None
    told = roles(as_chat(prompt(past=past, input=after[0])))
    assert [role for role in told if role[:4] in ("call", "tool")] == [
        "call a b",
        "tool a",
        "tool b",
    ]
    assert refused(past, output("a", "something else")) == "input[0]"


def test_an_id_that_is_used_in_every_turn_means_its_newest_call() -> None:
    turns = [
        ([user("One.")], [call("call_0")]),
        ([output("call_0", "1")], [call("call_0")]),
        ([output("call_0", "2"), user("Two.")], [call("call_0")]),
    ]
    past = chain(*turns)
    assert refused(past, output("call_0", "3")) is None
    told = as_chat(prompt(past=past, input=[output("call_0", "3")]))
    assert roles(told) == [
        "user", "call call_0", "tool call_0", "call call_0", "tool call_0", "user",
        "call call_0", "tool call_0",
    ]  # fmt: skip
    assert [each["content"] for each in told["messages"] if each["role"] == "tool"] == [*"123"]
    assert refused(chain(*turns, ([output("call_0")], [])), output("call_0")) == "input[0]"


def test_calls_of_custom_tools_are_held_to_the_same() -> None:
    made = call("a", "custom_tool_call")
    told = output("a", kind="custom_tool_call_output")
    assert refused(None, user("Go."), told, made) == "input[1]"
    assert refused(None, made, told, told) == "input[2]"
    asked = prompt(input=[user("Go."), made, user("Hurry."), told])
    assert roles(as_chat(asked)) == ["user", "call a", "tool a", "user"]
    kinds = [item["type"] for item in as_response(asked)["input"]]
    assert kinds == ["message", "custom_tool_call", "custom_tool_call_output", "message"]


@pytest.mark.parametrize("kind", ["computer_call", "shell_call", "apply_patch_call"])
def test_outputs_of_hosted_tools_stand_behind_their_calls_too(kind: str) -> None:
    made: Item = {"type": kind, "call_id": "h", "action": {}}
    told: Item = {"type": f"{kind}_output", "call_id": "h", "output": {}}
    assert refused(None, told, made) == "input[0]"
    assert refused(None, made, told, told) == "input[2]"
    # Its call may be known to the backend alone.
    assert refused(None, told) is None
    sent = as_response(prompt(input=[made, user("Hurry."), told]))["input"]
    assert [item["type"] for item in sent] == [kind, f"{kind}_output", "message"]
    past = chain(([user("Go.")], [made]))
    assert refused(past, told) is None
    assert refused(chain(([user("Go.")], [made]), ([told], [])), told) == "input[0]"


def test_a_stored_turn_with_an_output_too_many_can_still_be_continued() -> None:
    """Items that are added to a conversation are looked at when it goes on."""
    added = [output("z"), call("a"), output("a", "1"), output("a", "2"), user("Hm.")]
    told = as_chat(prompt(past=chain((added, [])), input=[user("Well?")]))
    assert roles(told) == ["call a", "tool a", "user", "user"]
    assert told["messages"][1]["content"] == "1"


@pytest.mark.parametrize("call_id", [None, 5, ["a"], ""])
def test_what_a_backend_said_without_a_good_call_id_costs_no_later_turn(call_id: Any) -> None:
    kinds = ("function_call_output", "computer_call_output", "computer_call")
    said = [{"type": kind, "call_id": call_id} for kind in kinds]
    past = chain(([user("Go.")], [*said, message("So.")]))
    assert refused(past, user("Well?")) is None
    told = as_chat(prompt(past=past, input=[user("Well?")]))
    assert roles(told) == ["user", "assistant", "user"]


ITEMS: dict[str, Item] = {
    "u": user("Go."),
    "s": message("So."),
    "a": call("a"),
    "b": call("b", "custom_tool_call"),
    "A": output("a"),
    "B": output("b", kind="custom_tool_call_output"),
    "h": {"type": "local_shell_call", "call_id": "h", "action": {}, "status": "completed"},
    "H": output("h"),
    "d": {"type": "message", "role": "developer", "content": "Be brief."},
}


@given(
    st.lists(st.text("usdabABhH", max_size=6), min_size=1, max_size=4),
    st.permutations("uabABuhHd"),
)
def test_a_chat_backend_always_gets_every_call_with_its_outputs_right_behind(
    before: list[str], new: list[str]
) -> None:
    turns = [([ITEMS[word] for word in words], [ITEMS["s"]]) for words in before]
    for past in (None, chain(*turns)):
        items = [ITEMS[word] for word in new]
        if refused(past, *items) is not None:
            continue
        waiting: list[str] = []
        for told in as_chat(prompt(past=past, input=items))["messages"]:
            if told["role"] == "tool":
                waiting.remove(told["tool_call_id"])
                continue
            assert not waiting
            waiting = [each["id"] for each in told.get("tool_calls", ())]
        assert not waiting
