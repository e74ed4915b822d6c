"""The `/mock/*` routes: the same controls over HTTP, for when the backend is a process."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import orjson

from scripted_backend.answers import Answer, Reply
from scripted_backend.connection import HttpRequest
from scripted_backend.player import Gate
from scripted_backend.recording import Recorder
from scripted_backend.scripts import Script, any_request
from scripted_backend.verbs import calls, fails, never_answers, refuses, says, thinks


@dataclass(frozen=True, slots=True)
class Controls:
    """What the routes can reach."""

    script: Script
    recorder: Recorder
    gate: Gate

    def handle(self, request: HttpRequest) -> Mapping[str, Any] | None:
        """Do what a `/mock/*` request asks; None: no such route."""
        routes: dict[tuple[str, str], Callable[[bytes], Mapping[str, Any]]] = {
            ("GET", "/mock/stats"): self._stats,
            ("GET", "/mock/last"): self._last,
            ("POST", "/mock/reset"): self._reset,
            ("POST", "/mock/release"): lambda _: {"released": self.gate.release()},
            ("POST", "/mock/config"): self._configure,
            ("POST", "/mock/script"): self._queue,
        }
        route = routes.get((request.method, request.path))
        return route(request.body) if route else None

    def _stats(self, _: bytes) -> Mapping[str, Any]:
        held = {"paused": self.gate.paused, "queued": len(self.script)}
        return asdict(self.recorder.counters) | held | {"config": asdict(self.script.settings)}

    def _last(self, _: bytes) -> Mapping[str, Any]:
        requests = self.recorder.requests
        return requests[-1].body if requests else {}

    def _reset(self, _: bytes) -> Mapping[str, Any]:
        self.recorder.reset()
        self.script.clear()
        return {}

    def _configure(self, body: bytes) -> Mapping[str, Any]:
        known = {field.name for field in fields(self.script.settings)}
        changes: dict[str, Any] = orjson.loads(body)
        told = {key: value for key, value in changes.items() if key in known}
        self.script.settings = replace(self.script.settings, **told)
        return asdict(self.script.settings)

    def _queue(self, body: bytes) -> Mapping[str, Any]:
        for told in orjson.loads(body)["answers"]:
            self.script.add(parse_answer(told), any_request)
        return {"queued": len(self.script)}


def parse_answer(told: Mapping[str, Any]) -> Answer:
    """Read one answer of `POST /mock/script`.

    `{"error": {"status", "message", …}}`, `{"silence": true}`, or any of `thinks`, `text`,
    `refusal` (strings or lists of deltas) and `calls` (`[{"name", "arguments"}]`), which make one
    reply in this order. Beside them: `dialect`, `incomplete` (a reason), `delay_ms`,
    `first_delay_ms`, `pause_after`, `cut_after`, `reset_after`, `hang_after`, `broken_after`.
    """
    if "error" in told:
        error = {key: value for key, value in told["error"].items() if key != "status"}
        return _delivered(fails(told["error"]["status"], error=error), told)
    if told.get("silence"):
        return never_answers()
    return _delivered(_reply(told), told)


def _reply(told: Mapping[str, Any]) -> Reply:
    reply = Reply(items=())
    if "thinks" in told:
        reply += thinks(*_deltas(told["thinks"]))
    if "text" in told:
        reply += says(*_deltas(told["text"]))
    if "refusal" in told:
        reply += refuses(*_deltas(told["refusal"]))
    for call in told.get("calls", []):
        reply += calls(call["name"], call.get("arguments", "{}"))
    if "dialect" in told:
        reply = reply.speaking(told["dialect"])
    if "incomplete" in told:
        reply = reply.incomplete(told["incomplete"])
    if "broken_after" in told:
        reply = reply.broken(told["broken_after"])
    return reply


def _deltas(told: str | list[str]) -> list[str]:
    return [told] if isinstance(told, str) else told


def _delivered(answer: Answer, told: Mapping[str, Any]) -> Answer:
    first, each = told.get("first_delay_ms", 0), told.get("delay_ms", 0)
    answer = answer.slowed(first=first / 1000, each=each / 1000)
    if "pause_after" in told:
        answer = answer.paused(told["pause_after"])
    if "cut_after" in told:
        answer = answer.cut(told["cut_after"])
    if "reset_after" in told:
        answer = answer.reset(told["reset_after"])
    if "hang_after" in told:
        answer = answer.hung(told["hang_after"])
    return answer
