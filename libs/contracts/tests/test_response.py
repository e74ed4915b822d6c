"""The response object is what OpenAI's types and Open Responses' schema both accept."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from turnwire_contracts.events import AnyEvent, Failure, TurnUsage
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.response import (
    closed_response,
    error_envelope,
    running_response,
)
from turnwire_testing.examples import (
    CONVERSATION_ID,
    OTHER_ID,
    closed,
    message,
    requested,
    started,
    taken_over,
)
from turnwire_testing.open_responses import problems_of_response
from turnwire_testing.openai_types import check_response

FUNCTION = {"type": "function", "name": "add", "parameters": {"type": "object"}, "strict": True}
FAILURE = Failure(http_status=502, type="server_error", code="backend_error", message="It broke.")

params: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2),
        "top_p": st.integers(0, 1),
        "presence_penalty": st.floats(-2, 2),
        "frequency_penalty": st.floats(-2, 2),
        "top_logprobs": st.integers(0, 20),
        "max_output_tokens": st.integers(1, 10**6),
        "max_tool_calls": st.integers(1, 9),
        "parallel_tool_calls": st.booleans(),
        "metadata": st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=3),
        "tools": st.lists(
            st.sampled_from([FUNCTION, {"type": "function", "name": "bare"}]), max_size=2
        ),
        "tool_choice": st.sampled_from(
            ["auto", "none", "required", {"type": "function", "name": "add"}]
        ),
        "text": st.sampled_from([{}, {"format": {"type": "json_object"}}, {"verbosity": "low"}]),
        "reasoning": st.sampled_from([{}, {"effort": "low"}, {"effort": None, "summary": "auto"}]),
        "truncation": st.sampled_from(["auto", "disabled"]),
        "service_tier": st.sampled_from(["auto", "default", "flex"]),
        "user": st.text(max_size=4),
        "prompt": st.sampled_from(
            [None, {"id": "p"}, {"id": "p", "version": "2", "variables": {"name": "Ada"}}]
        ),
        "safety_identifier": st.text(max_size=4),
        "prompt_cache_key": st.text(max_size=4),
        "unknown_field": st.text(max_size=4),
    },
)
ends: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"status": "completed", "usage": TurnUsage(3, 4, 1, 1, 2)},
        {"status": "incomplete", "incomplete_reason": "max_output_tokens"},
        {"status": "failed", "output": [], "failure": FAILURE},
        {"status": "cancelled", "output": [message("Ha", status="incomplete")]},
        {"status": "completed", "fields": {"service_tier": "flex"}},
    ]
)


states: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "background": st.booleans(),
        "conversation": st.just(CONVERSATION_ID),
        "previous_response_id": st.just(OTHER_ID),
        "instructions": st.text(max_size=4),
    },
)


@given(params, ends, states)
def test_every_ended_response_is_valid_for_both_specifications(
    given_params: dict[str, Any], end: dict[str, Any], state: dict[str, Any]
) -> None:
    turn = ended([requested(params=given_params, **state), closed(**end)])
    response = closed_response(turn)
    check_response(response)
    assert problems_of_response(response) == []


@given(params, states, st.booleans())
def test_a_running_response_is_valid_for_both_specifications(
    given_params: dict[str, Any],
    state: dict[str, Any],
    started: bool,  # noqa: FBT001 -- a case, not a switch
) -> None:
    request = requested(params=given_params, **state)
    response = running_response(request, "Be brief.", started=started)
    check_response(response)
    assert problems_of_response(response) == []


def test_a_completed_response_reads_like_this() -> None:
    usage = TurnUsage(input_tokens=7, output_tokens=5, cached_tokens=3, reasoning_tokens=1)
    turn = ended(
        [
            requested(params={"temperature": 0.5, "tools": [{"type": "function", "name": "f"}]}),
            closed(usage=usage, instructions="Be brief."),
        ]
    )
    assert closed_response(turn) == snapshot(
        {
            "id": "resp_019a0000000000000000000000000001",
            "object": "response",
            "created_at": 1700000000,
            "completed_at": 1700000000,
            "status": "completed",
            "background": False,
            "conversation": None,
            "error": None,
            "incomplete_details": None,
            "instructions": "Be brief.",
            "model": "m",
            "output": [
                {
                    "id": "msg_019a0000000000000000000000000001o0",
                    "type": "message",
                    "role": "assistant",
                    "content": [
                        {"type": "output_text", "text": "Hi.", "annotations": [], "logprobs": []}
                    ],
                    "status": "completed",
                }
            ],
            "previous_response_id": None,
            "prompt": None,
            "reasoning": {"effort": None, "summary": None},
            "store": True,
            "text": {"format": {"type": "text"}},
            "tools": [
                {
                    "description": None,
                    "parameters": None,
                    "strict": None,
                    "type": "function",
                    "name": "f",
                }
            ],
            "usage": {
                "input_tokens": 7,
                "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0},
                "output_tokens": 5,
                "output_tokens_details": {"reasoning_tokens": 1},
                "total_tokens": 12,
            },
            "temperature": 0.5,
            "top_p": 1.0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "top_logprobs": 0,
            "max_output_tokens": None,
            "max_tool_calls": None,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "truncation": "disabled",
            "service_tier": "default",
            "metadata": {},
            "safety_identifier": None,
            "prompt_cache_key": None,
            "user": None,
        }
    )


@pytest.mark.parametrize(
    ("background", "started", "status"),
    [
        (False, False, "in_progress"),
        (False, True, "in_progress"),
        (True, False, "queued"),
        (True, True, "in_progress"),
    ],
)
def test_a_background_response_is_queued_until_it_starts(
    *, background: bool, started: bool, status: str
) -> None:
    request = requested(background=background)
    response = running_response(request, "Be brief.", started=started)
    assert (response["background"], response["status"]) == (background, status)
    assert response["instructions"] == "Be brief."
    assert response["output"] == []


def test_an_ended_background_response_is_still_told_from_others() -> None:
    response = closed_response(ended([requested(background=True), started(), closed()]))
    assert (response["background"], response["status"]) == (True, "completed")


def test_a_response_names_the_conversation_it_was_made_in_and_not_the_turn_before() -> None:
    request = requested(conversation=CONVERSATION_ID, previous_response_id=OTHER_ID)
    response = closed_response(ended([request, closed()]))
    assert response["conversation"] == {"id": CONVERSATION_ID}
    assert response["previous_response_id"] is None


@pytest.mark.parametrize("named", ["previous_response_id", "continues"])
def test_a_response_names_the_previous_one_that_the_client_named(named: str) -> None:
    response = closed_response(ended([requested(**{named: OTHER_ID}), closed()]))
    assert response["previous_response_id"] == OTHER_ID
    assert response["conversation"] is None


def test_a_prompt_is_echoed_as_it_was_asked_for() -> None:
    prompt = {"id": "greeting", "version": "2", "variables": {"name": "Ada"}}
    response = closed_response(ended([requested(params={"prompt": prompt}), closed()]))
    assert response["prompt"] == prompt


def test_only_a_completed_response_says_when_it_was_completed() -> None:
    for status in ("incomplete", "failed", "cancelled"):
        assert closed_response(ended([requested(), closed(status=status)]))["completed_at"] is None


def test_what_clients_saw_of_a_lost_sample_stands_first_in_the_output() -> None:
    seen = message("Hal", status="incomplete")
    turn = ended([requested(), taken_over(abandoned=[seen], cuts=[["D"]]), closed()])
    assert closed_response(turn)["output"] == [seen, message("Hi.")]


def test_a_tool_that_is_no_function_is_echoed_as_it_came() -> None:
    tool = {"type": "web_search", "filters": None}
    turn = ended([requested(params={"tools": [tool]}), closed()])
    assert closed_response(turn)["tools"] == [tool]


@pytest.mark.parametrize("violations", [None, [{"category": "pii"}]])
def test_an_error_has_openais_envelope(violations: list[dict[str, Any]] | None) -> None:
    failure = Failure(
        http_status=400,
        type="invalid_request_error",
        code="content_filter",
        message="Blocked.",
        param="input",
        violations=violations,
    )
    extra = {} if violations is None else {"violations": violations}
    assert error_envelope(failure) == {
        "error": {
            "message": "Blocked.",
            "type": "invalid_request_error",
            "param": "input",
            "code": "content_filter",
            **extra,
        }
    }


def ended(events: list[AnyEvent]) -> ClosedTurn:
    """Fold the events of a turn that has ended."""
    turn = fold(events)
    assert isinstance(turn, ClosedTurn)
    return turn
