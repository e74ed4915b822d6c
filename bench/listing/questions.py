"""What is asked for."""

from typing import Any, Final

from bench.listing.turns import TENANT, conversation_id, response_id
from turnwire_contracts.ids import OwnerId
from turnwire_contracts.inspecting.response_list import AskForResponses, ResponseFilters

LIMIT: Final = 100


def questions(count: int) -> dict[str, AskForResponses]:
    """Give questions about so many responses, by their names."""
    middle = count // 2
    return {
        "all of the tenant": _asked(),
        "all, from the middle": _asked(after=middle),
        "one user's": _asked("user3"),
        "completed": _asked(status="completed"),
        "failed (1 in 1,000)": _asked(status="failed"),
        "a user's that failed": _asked("user0", status="failed"),
        "a code": _asked(error_code="overloaded"),
        "a tool (1 in 1,000)": _asked(tool="get_weather"),
        "a model (1 in 3)": _asked(model="model1"),
        "a model (1 in 1,000)": _asked(model="rare"),
        "an application (1 in 5)": _asked(application="shop"),
        "a conversation": _asked(conversation=conversation_id(middle)),
        "background": _asked(background=True),
        "a model and an application": _asked(model="model1", application="shop"),
        "made since a time, all before": _asked(created_from=1_740_000_000_000),
        "nothing matches": _asked(model="none"),
    }


def _asked(owner: str | None = None, after: int | None = None, **filters: Any) -> AskForResponses:
    return AskForResponses(
        TENANT,
        None if owner is None else OwnerId(owner),
        LIMIT,
        None if after is None else response_id(after),
        filters=ResponseFilters(**filters),
    )
