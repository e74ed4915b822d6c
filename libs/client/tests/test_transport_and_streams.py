"""Calls that are tried again and streams that are taken up again, against scripted answers."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx2
import pytest

from turnwire_client import (
    ConnectionFailedError,
    MissingRouteError,
    RefusedError,
    StreamRefusedError,
    WaitTimeoutError,
)
from turnwire_client.responses import ResponseRoutes
from turnwire_client.transport import LONGEST_PAUSE_S, Pauses, Transport

Reply = httpx2.Response | Exception
ID = "resp_1"


class ScriptedServer:
    """Answers request by request, and remembers them."""

    def __init__(self, *replies: Reply) -> None:
        self.requests: list[httpx2.Request] = []
        self._replies = [*replies]

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Give the next answer."""
        self.requests.append(request)
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    @property
    def asked_for(self) -> list[str]:
        """What was requested: method, path and query."""
        return [f"{each.method} {each.url.raw_path.decode()}" for each in self.requests]

    def routes(self, retry_s: float = 5.0) -> ResponseRoutes:
        """Give the routes of responses of this server."""
        http = httpx2.Client(base_url="http://server/v1", transport=httpx2.MockTransport(self))
        return ResponseRoutes(Transport(http, retry_s))


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", list[float]().append)


def frames(*numbers: int, end: str = "") -> str:
    """Write events of a stream; `end`: the type of one more, behind them."""
    events: list[dict[str, Any]] = [
        {"type": "response.output_text.delta", "sequence_number": each, "delta": str(each)}
        for each in numbers
    ]
    if end:
        events.append({"type": end, "sequence_number": numbers[-1] + 1, "response": {"id": ID}})
    return "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events)


def stream(text: str, **headers: str) -> httpx2.Response:
    """Answer with a stream that ends after this text, as one that breaks off does."""
    told = {"content-type": "text/event-stream", "x-response-id": ID, **headers}
    return httpx2.Response(200, headers=told, text=text)


def error(status: int, code: str | None = None, **headers: str) -> httpx2.Response:
    """Answer with an error as Turnwire says it."""
    said = {"message": f"{code}!", "type": "t", "param": "input[0]", "code": code}
    return httpx2.Response(status, json={"error": said}, headers=headers)


def numbers_of(events: Sequence[dict[str, Any]]) -> list[int]:
    """Give the numbers of events."""
    return [event["sequence_number"] for event in events]


@pytest.mark.parametrize(
    "id_",
    ["../admin/keys", "..", ".", "", "resp_1?include_deleted=true", "a/b", "//evil", "\udc00"],
)
def test_what_is_no_id_leads_to_no_other_route(id_: str) -> None:
    server = ScriptedServer(*[httpx2.Response(200, json={"id": ID})] * 2)
    routes = server.routes()
    routes.get(id_)
    routes.state(id_)
    for asked, end in zip(server.requests, ("", "state"), strict=True):
        before, _, part = asked.url.raw_path.decode().partition("/v1/responses/")
        assert (before, "?" in part) == ("", False)
        assert part.partition("/")[2] == end
        assert part.partition("/")[0] not in {"", ".", ".."}


def test_a_stream_that_broke_goes_on_behind_the_last_event_and_tells_each_once() -> None:
    server = ScriptedServer(
        stream(frames(0, 1)),
        httpx2.ReadError("reset"),
        stream(frames(1, 2)),
        stream(frames(3, end="response.completed")),
    )
    read = server.routes().stream({"model": "m", "input": "Hi."})
    assert numbers_of([*read]) == [0, 1, 2, 3, 4]
    assert server.asked_for == [
        "POST /v1/responses",
        f"GET /v1/responses/{ID}?stream=true&starting_after=1",
        f"GET /v1/responses/{ID}?stream=true&starting_after=1",
        f"GET /v1/responses/{ID}?stream=true&starting_after=2",
    ]
    assert (read.response_id, read.last_number, read.connections) == (ID, 4, 4)


def test_a_request_whose_answer_never_came_joins_the_same_turn_by_its_key() -> None:
    server = ScriptedServer(
        httpx2.ConnectError("refused"), stream(frames(0, end="response.completed"))
    )
    assert len([*server.routes().stream({"input": "Hi."})]) == 2
    first, second = (each.headers["idempotency-key"] for each in server.requests)
    assert first == second
    assert all(json.loads(each.content)["stream"] is True for each in server.requests)


def test_a_stream_that_never_told_an_event_is_joined_from_its_beginning() -> None:
    server = ScriptedServer(stream(""), stream(frames(0, end="response.failed")))
    assert numbers_of([*server.routes().stream({"input": "Hi."})]) == [0, 1]
    assert server.asked_for[1] == f"GET /v1/responses/{ID}?stream=true"


def test_a_gateway_that_cannot_go_on_is_left_for_the_next_connection() -> None:
    interrupted = {"type": "error", "code": "stream_interrupted", "sequence_number": 1}
    server = ScriptedServer(
        stream(frames(0) + f"data: {json.dumps(interrupted)}\n\ndata: [DONE]\n\n"),
        error(503, "store_unavailable"),
        stream(frames(1, end="response.completed")),
    )
    assert numbers_of([*server.routes().stream({"input": "Hi."})]) == [0, 1, 2]


def test_an_error_inside_a_stream_is_raised_with_its_code() -> None:
    refused = {"type": "error", "code": "content_filter", "message": "no", "sequence_number": 1}
    server = ScriptedServer(stream(frames(0) + f"data: {json.dumps(refused)}\n\n"))
    read = server.routes().stream({"input": "Hi."})
    assert next(read)["sequence_number"] == 0
    with pytest.raises(StreamRefusedError, match="no") as raised:
        next(read)
    assert raised.value.code == "content_filter"


def test_patience_without_progress_ends_and_says_where_to_go_on() -> None:
    server = ScriptedServer(stream(frames(0, 1)), *[httpx2.ConnectError("refused")] * 3)
    read = server.routes().stream({"input": "Hi."}, patience_s=0)
    with pytest.raises(ConnectionFailedError, match=f"{ID} could not .* behind number 1"):
        list(read)
    assert (read.last_number, len(server.requests)) == (1, 1)


def test_silence_is_no_failure_however_long_the_queue_is() -> None:
    silence = [httpx2.ReadTimeout("silent")] * 9
    server = ScriptedServer(
        *silence, stream(frames(0)), *silence, stream(frames(1, end="response.completed"))
    )
    assert numbers_of([*server.routes().stream({"input": "Hi."}, patience_s=5)]) == [0, 1, 2]
    with pytest.raises(ConnectionFailedError):
        ScriptedServer(httpx2.ConnectTimeout("gone")).routes().stream({}, patience_s=0).__next__()


def test_a_refusal_before_the_first_event_is_the_answer_and_not_repeated() -> None:
    server = ScriptedServer(error(503, "overloaded"))
    with pytest.raises(RefusedError) as raised:
        list(server.routes().stream({"input": "Hi."}))
    assert (raised.value.status, raised.value.code) == (503, "overloaded")


def test_events_of_the_log_are_followed_over_a_break_too() -> None:
    def logged(sequence: int, kind: str) -> str:
        return f"id: {sequence}\ndata: {json.dumps({'sequence': sequence, 'type': kind})}\n\n"

    server = ScriptedServer(
        stream(logged(17, "requested")), stream(logged(19, "closed") + "data: [DONE]\n\n")
    )
    kinds = [event["type"] for event in server.routes().follow(ID)]
    assert kinds == ["requested", "closed"]
    assert server.asked_for[1].endswith("/events?stream=true&after=17")


def test_a_call_that_may_be_repeated_is_and_others_are_not() -> None:
    again = ScriptedServer(
        httpx2.ReadError("reset"), error(503), httpx2.Response(200, json={"id": ID})
    )
    again.routes().get(ID)
    assert len(again.requests) == 3
    once = ScriptedServer(httpx2.ReadError("reset"))
    with pytest.raises(ConnectionFailedError, match="http://server/v1 cannot be reached: reset"):
        once.routes().cancel(ID)


@pytest.mark.parametrize(
    ("reply", "tries"),
    [
        (error(400, "invalid_value"), 1),
        (error(502, "backend_error", **{"x-should-retry": "false"}), 1),
        (error(409, "conflict", **{"x-should-retry": "true"}), 3),
        (error(429, "rate_limit_exceeded", **{"retry-after": "1"}), 3),
    ],
)
def test_the_server_says_whether_the_same_may_succeed_later(reply: Reply, tries: int) -> None:
    server = ScriptedServer(reply, reply, httpx2.Response(200, json={"id": ID}))
    call: Callable[[], object] = lambda: server.routes().get(ID)  # noqa: E731
    if tries == 1:
        with pytest.raises(RefusedError):
            call()
    else:
        call()
    assert len(server.requests) == tries


def test_an_error_says_its_code_field_and_request() -> None:
    server = ScriptedServer(error(400, "invalid_value", **{"x-request-id": "req_1"}))
    with pytest.raises(RefusedError, match="invalid_value!") as raised:
        server.routes().create({})
    said = raised.value
    assert (said.code, said.param, said.request_id) == ("invalid_value", "input[0]", "req_1")


@pytest.mark.parametrize("reply", [error(404, "unknown_url"), error(405, "http_error")])
def test_a_server_that_is_too_old_for_a_route_says_which_one_knows_it(reply: Reply) -> None:
    with pytest.raises(MissingRouteError, match=r"no GET /v1/responses/resp_1/state; .* 0\.2\.0"):
        ScriptedServer(reply).routes().state(ID)


def test_another_server_at_that_address_is_told_from_turnwire() -> None:
    server = ScriptedServer(httpx2.Response(200, text="<html>"))
    with pytest.raises(RefusedError, match="not as Turnwire does"):
        server.routes().get(ID)


def test_waiting_ends_with_the_response_or_with_its_time() -> None:
    running = httpx2.Response(200, json={"id": ID, "status": "in_progress"})
    ended = httpx2.Response(200, json={"id": ID, "status": "incomplete"})
    seen: list[str] = []
    server = ScriptedServer(running, running, ended)
    found = server.routes().wait(ID, on_look=lambda found: seen.append(found["status"]))
    assert (found["status"], len(seen)) == ("incomplete", 2)
    with pytest.raises(WaitTimeoutError, match="in_progress after 0 s"):
        ScriptedServer(running).routes().wait(ID, timeout_s=0)


def test_a_list_is_read_page_by_page_and_a_search_over_pages_without_any() -> None:
    def page(*ids: str, more: bool, **beside: Any) -> httpx2.Response:
        last = ids[-1] if ids else None
        body = {"data": [{"id": each} for each in ids], "has_more": more, "last_id": last}
        return httpx2.Response(200, json=body | beside)

    scan = {"last_scanned_id": "resp_9"}
    server = ScriptedServer(page("a", more=True), page(more=True, scan=scan), page("b", more=False))
    found = server.routes().iterate(None, status="failed", model=None)
    assert [each["id"] for each in found] == ["a", "b"]
    assert server.asked_for == [
        "GET /v1/responses?status=failed&limit=100",
        "GET /v1/responses?status=failed&after=a&limit=100",
        "GET /v1/responses?status=failed&after=resp_9&limit=100",
    ]
    few = ScriptedServer(page("a", "b", more=True))
    assert len([*few.routes().iterate(2)]) == 2
    assert few.asked_for == ["GET /v1/responses?limit=2"]


def test_pauses_grow_up_to_a_limit_and_begin_anew_with_progress(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    pauses = Pauses(1000)
    assert all(pauses.wait() for _ in range(9))
    assert waits[0] == 0
    assert waits[-1] <= LONGEST_PAUSE_S
    assert sum(waits) > LONGEST_PAUSE_S
    pauses.succeeded()
    pauses.wait()
    assert waits[-1] == 0
