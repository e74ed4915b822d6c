"""Messages of a WebSocket are read tolerantly, and written from frames as they are."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.frames import DONE, KEEP_ALIVE, FrameWriter
from turnwire_gateway.api.websocket.messages import (
    Event,
    create_of,
    error_message,
    event_message,
    events_of,
    stream_id_of,
)
from turnwire_gateway.errors import ApiError, invalid, response_not_found
from turnwire_testing.told_turns import ToldTurn


def test_a_create_is_read_as_the_body_of_a_streamed_request() -> None:
    create = create_of({"type": "response.create", "model": "m", "input": "Hi", "x": 1}, None)
    assert create.fields == {"model": "m", "input": "Hi", "x": 1, "stream": True}
    assert create.generate


def test_what_belongs_to_the_transport_is_no_field_of_the_request() -> None:
    message = {"type": "response.create", "stream_id": "a", "generate": False, "background": True}
    create = create_of({**message, "stream": False, "stream_options": {"x": 1}}, "a")
    assert create.fields == {"stream": True, "stream_options": {"x": 1}}
    assert (create.stream_id, create.generate) == ("a", False)


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({}, "type"),
        ({"type": "response.steer"}, "type"),
        ({"type": 7}, "type"),
        ({"type": "response.create", "generate": "no"}, "generate"),
    ],
)
def test_another_message_is_refused(message: JSON, param: str) -> None:
    with pytest.raises(ApiError) as refused:
        create_of(message, None)
    assert (refused.value.failure.http_status, refused.value.failure.param) == (400, param)


@pytest.mark.parametrize("given", ["", "x" * 65, 7, ["a"]])
def test_a_name_of_a_lane_is_a_short_text(given: object) -> None:
    with pytest.raises(ApiError) as refused:
        stream_id_of({"stream_id": given})
    assert refused.value.failure.param == "stream_id"


@pytest.mark.parametrize("given", [{}, {"stream_id": None}])
def test_without_a_name_there_is_one_lane(given: JSON) -> None:
    assert stream_id_of(given) is None


def test_each_frame_is_one_event_and_everything_else_is_none() -> None:
    turn = ToldTurn()
    events = events_of(KEEP_ALIVE + b"".join(turn.frames) + DONE)
    assert [orjson.loads(event.data)["sequence_number"] for event in events] == list(
        range(turn.count)
    )
    assert all(orjson.loads(event.data)["type"] == event.name.decode() for event in events)


def test_an_event_is_sent_as_it_stands_in_its_frame() -> None:
    for event in events_of(b"".join(ToldTurn().frames)):
        assert event_message(event, None) == event.data


@given(st.text(min_size=1), st.text(max_size=20))
def test_an_event_of_a_lane_has_its_name_as_one_member_more(lane: str, text: str) -> None:
    frames = FrameWriter()
    frames.event("response.output_text.delta", {"delta": text})
    (event,) = events_of(b"".join(frames.take()[1]))
    said = orjson.loads(event_message(event, lane))
    assert said == {**orjson.loads(event.data), "stream_id": lane}


def test_an_error_in_mid_stream_is_nested() -> None:
    flat = {
        "type": "error",
        "sequence_number": 4,
        "code": "stream_interrupted",
        "message": "It broke.",
        "param": None,
    }
    said = orjson.loads(event_message(Event(b"error", orjson.dumps(flat)), "a"))
    assert said == {
        "stream_id": "a",
        "type": "error",
        "status": 500,
        "error": {
            "type": "server_error",
            "code": "stream_interrupted",
            "message": "It broke.",
            "param": None,
        },
        "sequence_number": 4,
    }


def test_a_refusal_is_its_http_answer_with_its_status() -> None:
    error = invalid("It must not.", "input")
    said = orjson.loads(error_message(400, error.body, None))
    assert said == {"type": "error", "status": 400, **error.body}
    assert orjson.loads(error_message(404, response_not_found("x").body, "a"))["status"] == 404
