"""An inference backend over real HTTP, Responses and chat, that does what a test scripts.

    async with running_backend() as backend:
        backend.script(calls("add", {"a": 1, "b": 2}), says("It ", "is ", "3.").paused(after=2))
        …                                  # point the system under test at backend.url
        await backend.saw_pause()
        backend.release()
        assert backend.requests[1].body["input"][-1]["type"] == "function_call_output"

Answers are values: `verbs` makes them, their methods change how they are told and delivered.
`python -m scripted_backend --port 9100` runs it as a process with the controls under `/mock/`.
"""

from scripted_backend.answers import Answer, Dialect, Reply, Usage
from scripted_backend.recording import RecordedRequest
from scripted_backend.server import ScriptedBackend, running_backend
from scripted_backend.verbs import (
    calls,
    fails,
    fails_plainly,
    never_answers,
    overflows,
    refuses,
    says,
    sends_events,
    sends_http,
    thinks,
)

__all__ = [
    "Answer",
    "Dialect",
    "RecordedRequest",
    "Reply",
    "ScriptedBackend",
    "Usage",
    "calls",
    "fails",
    "fails_plainly",
    "never_answers",
    "overflows",
    "refuses",
    "running_backend",
    "says",
    "sends_events",
    "sends_http",
    "thinks",
]
