"""Server-sent events come out whole, wherever the chunks of the connection end."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_orchestrator.inference import sse
from turnwire_orchestrator.inference.sse import EventSplitter

DATA = [b'{"type":"a"}', b'{"type":"b","text":"data: x"}', b"[DONE]", b"{\n1}"]
STREAM = (
    b": hello\n\n"
    b'event: a\ndata: {"type":"a"}\n\n'
    b": keep-alive\n\n"
    b'id: 7\nretry: 10\ndata: {"type":"b","text":"data: x"}\nevent: b\n\n\n'
    b"event: nothing\n\n"
    b"data:[DONE]\n\n"
    b"data: {\ndata: 1}\n\n"
)


def read(chunks: list[bytes]) -> list[bytes]:
    """Give the data of all events in the chunks."""
    splitter = EventSplitter()
    events = [event for chunk in chunks for event in splitter.feed(chunk)]
    return events + splitter.end()


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """Cut a stream into chunks."""
    borders = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(borders)]


@given(st.lists(st.integers(0, 10_000), max_size=12), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_any_chunking_and_any_line_ends_give_the_same_events(
    places: list[int], line_end: bytes
) -> None:
    assert read(cut(STREAM.replace(b"\n", line_end), places)) == DATA


@given(st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_a_stream_that_comes_byte_by_byte_gives_the_same_events(line_end: bytes) -> None:
    stream = STREAM.replace(b"\n", line_end)
    assert read([bytes([byte]) for byte in stream]) == DATA


@given(st.lists(st.integers(0, 10_000), max_size=5), st.sampled_from([b"", b"\n", b"\r\n", b"\r"]))
def test_a_last_event_without_its_blank_line_is_not_lost(places: list[int], end: bytes) -> None:
    assert read(cut(b'data: {"a":1}\n\ndata: {"b":2}' + end, places)) == [b'{"a":1}', b'{"b":2}']


def test_an_event_is_given_as_soon_as_it_is_whole() -> None:
    splitter = EventSplitter()
    assert splitter.feed(b"data: 1\n") == []
    assert splitter.feed(b"\ndata: 2\n\nda") == [b"1", b"2"]
    assert splitter.feed(b"ta: 3\n\n") == [b"3"]
    assert splitter.end() == []


def test_several_lines_of_data_are_one_event() -> None:
    assert read([b"data: {\ndata:  1}\n\n"]) == [b"{\n 1}"]


@pytest.mark.parametrize(
    "stream", [b"", b"\n\n", b": only a comment\n\n", b"metadata: x\n\n", b"event: a\n\n", b"data"]
)
def test_what_has_no_data_gives_nothing(stream: bytes) -> None:
    assert read([stream]) == []


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        (b'event: a\ndata: {"b":1}\n\n', b'{"type":"a","b":1}'),
        (b"event: a\ndata: {}\n\n", b'{"type":"a"}'),
        (b'data: { "b": {"type":"c"}}\nevent:a\n\n', b'{"type":"a", "b": {"type":"c"}}'),
        (b'event: a\ndata: {"type":"b"}\n\n', b'{"type":"b"}'),
        (b'event: a\ndata: {"b":1,"type":"a"}\n\n', b'{"b":1,"type":"a"}'),
    ],
)
def test_a_type_that_stands_in_the_name_of_the_event_only_is_put_into_its_data(
    stream: bytes, data: bytes
) -> None:
    assert read([stream]) == [data]


def test_what_stands_outside_of_events_is_told_at_the_end() -> None:
    splitter = EventSplitter()
    assert splitter.feed(b"data: {}\n\n<html>\n\n<p>Bad gateway</p>\n\n") == [b"{}"]
    assert splitter.feed(b"data: {}\n\n") == [b"{}"]
    assert splitter.end() == [b'{"type":"error","error":"<html>\\n<p>Bad gateway</p>"}']


def test_an_event_without_end_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "_LONGEST_EVENT", 10)
    with pytest.raises(ValueError, match="more than 10 bytes"):
        EventSplitter().feed(b"data: 1234567890")
