"""Approvals of calls: what clients were asked, what they said, and that only that is done."""

from typing import TYPE_CHECKING, Final

from simulation.wishes import Approval
from turnwire_contracts.events import Item, Requested
from turnwire_contracts.json_values import mapping, objects
from turnwire_contracts.tools import AskForCall
from turnwire_contracts.turn_state import ClosedTurn, Sampling

if TYPE_CHECKING:
    from simulation.laws import Laws

_ASKED: Final = "mcp_approval_request"


class Approvals:
    """Holds calls to what clients have approved; raises `BrokenLawError`."""

    def __init__(self, laws: "Laws") -> None:
        """`laws` follow the log."""
        self._laws = laws
        self._said: dict[str, bool] = {}
        self._used: dict[str, str] = {}

    def say(self, turn: ClosedTurn, *, approve: bool) -> list[Approval]:
        """Answer all that a turn asks for; what was said once is said again."""
        asked = [str(item["id"]) for item in turn.output if item["type"] == _ASKED]
        return [Approval(each, self._said.setdefault(each, approve)) for each in asked]

    def called(self, question: AskForCall) -> None:
        """Take a call that a tool server gets: approved if it must be, one for each approval."""
        turn = self._laws.turns[question.response_id].turn
        if not isinstance(turn, Sampling) or not _needs_approval(turn.request, question.name):
            return
        items = turn.so_far.items
        asked = next(
            (
                str(each.get("approval_request_id"))
                for each in items
                if each["id"] == question.call_id
            ),
            "nothing",
        )
        if not self._said.get(asked):
            detail = f"{question.call_id} ({question.name}), asked as {asked}"
            raise self._laws.broken("no call without its approval", detail)
        if self._used.setdefault(asked, question.call_id) != question.call_id:
            raise self._laws.broken("an approval is for one call", question.call_id)


def _needs_approval(request: Requested, name: str) -> bool:
    tools: list[Item] = objects(request.params.get("tools"))
    rule = tools[0].get("require_approval") if tools else "never"
    if isinstance(rule, str):
        return rule == "always"
    return name in mapping(mapping(rule).get("always")).get("tool_names", [])
