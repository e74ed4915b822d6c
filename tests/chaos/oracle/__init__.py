"""The one oracle: what clients, tool servers and the log say of a run, held against a pure model.

    run = Run(seen, ledger, sent, log, views, faults)
    assert problems(run) == []

`prompts` is the model of what each turn is to say and do; `records` holds what was seen; the laws
are pure functions from a run to problems in plain words, each with the id of the turn.
"""

from chaos.oracle.laws import GIVEN_ONCE, LAWS, problems
from chaos.oracle.prompts import Prompt
from chaos.oracle.records import BackendRequest, Fault, LoggedTurn, Run, SeenTurn, ToolCall

__all__ = [
    "GIVEN_ONCE",
    "LAWS",
    "BackendRequest",
    "Fault",
    "LoggedTurn",
    "Prompt",
    "Run",
    "SeenTurn",
    "ToolCall",
    "problems",
]
