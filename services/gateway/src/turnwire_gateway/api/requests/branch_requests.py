"""The bodies of a fork, a rerun and a decision, and the requests that they lead to. No I/O.

Both say what is to be different from the response that they name; all else is as it was there.
"""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final

from msgspec.structs import replace
from pydantic import Field, create_model

from turnwire_chassis.event_log import Recorded
from turnwire_contracts.events import Requested
from turnwire_contracts.inspecting.forking import ForkBase, fork_base
from turnwire_contracts.json_values import JSON, objects
from turnwire_contracts.request_fields import OLDER
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import Erased, NotRequested
from turnwire_gateway.api.requests.create_request import CreateRequest
from turnwire_gateway.api.requests.request_body import FieldCoverage, RequestBody
from turnwire_gateway.errors import ApiError, invalid, not_supported, response_not_found

_MOST_NAMED: Final = 20
"""How many events an error names."""

_OF_THE_BRANCH: Final = ("previous_response_id", "conversation")
"""Fields that say what came before, which the response that is named says."""

_CHANGEABLE: Final = {
    name: coverage
    for name, coverage in CreateRequest.covered.items()
    if name not in _OF_THE_BRANCH and coverage.treatment != "refused"
}
_FIELDS: dict[str, Any] = {
    name: (field.rebuild_annotation(), field)
    for name, field in CreateRequest.model_fields.items()
    if name in _CHANGEABLE
}


class _Fork(RequestBody):
    covered: ClassVar = {
        **_CHANGEABLE,
        "at": FieldCoverage("the `sequence` of one of its events; without it, the newest"),
        "input": FieldCoverage("what is said after that event"),
    }

    at: Annotated[int, Field(ge=1)] | None = None


class _Rerun(RequestBody):
    covered: ClassVar = {
        **_CHANGEABLE,
        "input": FieldCoverage("takes the place of what was asked"),
    }


_NOT_DECIDED: Final = ("input", "store", "stream")
"""What a decision does not take: it is all that its turn is told, kept, and answered whole."""


class _Decision(RequestBody):
    covered: ClassVar = {
        **{name: each for name, each in _CHANGEABLE.items() if name not in _NOT_DECIDED},
        "approve": FieldCoverage("whether the call may be made"),
        "reason": FieldCoverage("why not, for the model; 1,000 characters"),
    }

    approve: bool
    reason: Annotated[str, Field(max_length=1_000)] | None = None


_DECIDED: Final = {name: each for name, each in _FIELDS.items() if name not in _NOT_DECIDED}


class DecisionRequest(create_model("Deciding", __base__=_Decision, **_DECIDED)):
    """`POST /v1/approvals/{approval_id}`: the decision, and what is to be different in the turn."""

    @property
    def said(self) -> JSON:
        """What the turn behind it is told (OpenAI: `mcp_approval_response`)."""
        return {"approve": self.approve} | ({"reason": self.reason} if self.reason else {})


class ForkRequest(create_model("Forking", __base__=_Fork, **_FIELDS)):
    """`POST /v1/responses/{response_id}/fork`: from where on, and what is to be different."""


class RerunRequest(create_model("Rerunning", __base__=_Rerun, **_FIELDS)):
    """`POST /v1/responses/{response_id}/rerun`: what is to be different."""


def fields_again(of: Requested, instructions: str | None, changes: JSON) -> JSON:
    """Give the fields of `POST /v1/responses` that ask what `of` asked, but for `changes`.

    `instructions` are those that its model was told. How an answer is delivered (`stream`,
    `background`) is not part of what was asked. Raises `ApiError` (400).
    """
    for name in _OF_THE_BRANCH:
        if changes.get(name) is not None:
            message = f"`{name}` is that of the response that is named in the path: leave it out."
            raise not_supported(name, message)
    changed = {name: value for name, value in changes.items() if value is not None}
    replaced = {"prompt", "at", *(OLDER[name] for name in changed if name in OLDER)}
    same = {name: value for name, value in of.params.items() if name not in replaced}
    same |= {"model": of.model, "store": of.store}
    if instructions is not None and "prompt" not in changed:
        same["instructions"] = instructions
    # It says that there is something to continue, so that no input is needed.
    before: JSON = {"previous_response_id": of.response_id}
    return {**same, **{name: value for name, value in changed.items() if name != "at"}, **before}


def base_at(recorded: Sequence[Recorded], at: int | None, new: Requested) -> ForkBase:
    """Give what a fork stands on that continues a turn from the event `at` with the input of `new`.

    Raises `ApiError`: 400 if the turn has no such event, 404 if its content is gone.
    """
    sequences = [each.sequence for each in recorded]
    at = sequences[-1] if at is None and sequences else at
    if at is None or at not in sequences:
        raise _no_such_event(sequences)
    turn = fold([each.event for each in recorded if each.sequence <= at])
    if isinstance(turn, NotRequested | Erased):
        raise response_not_found(recorded[0].event.response_id)
    return fork_base(turn, at, new.input)


def forked(new: Requested, base: ForkBase) -> Requested:
    """Give the request of a fork: `new` on its base."""
    return replace(
        new,
        input=base.input,
        previous_response_id=base.previous_response_id,
        forked_from=base.point,
    )


def rerun(new: Requested, of: Requested) -> Requested:
    """Give the request that asks `of` again; an input of `new` takes the place of its own."""
    return replace(
        new,
        input=new.input or of.input,
        previous_response_id=of.previous_response_id,
        continues=of.continues,
        forked_from=None if new.input else of.forked_from,
        rerun_of=of.response_id,
    )


def check_credentials(new: Requested, of: Requested) -> None:
    """Refuse a request that lacks the credentials which `of` had for an MCP server (HTTP 400).

    They are kept for no other turn.
    """
    for index, tool in enumerate(objects(new.params.get("tools"))):
        label = tool.get("server_label")
        if tool["type"] == "mcp" and label in of.seals and label not in new.seals:
            place = f"tools[{index}]"
            raise invalid(
                f"The response had credentials for the MCP server '{label}', which are kept for no "
                f"other response. Send `tools` again, with `authorization` or `headers` in it.",
                place,
                "missing_required_parameter",
            )


def _no_such_event(sequences: list[int]) -> ApiError:
    named = ", ".join(map(str, sequences[-_MOST_NAMED:]))
    these = "its last are" if len(sequences) > _MOST_NAMED else "it has"
    return invalid(
        f"Invalid value for 'at': the response has no event with this `sequence`; {these} {named} "
        "(GET /v1/responses/{response_id}/events).",
        "at",
    )
