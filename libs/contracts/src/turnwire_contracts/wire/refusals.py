"""Refusals that more than one service speaks, so that clients hear the same words from each."""

from turnwire_contracts.events import Failure


def previous_not_found(response_id: str) -> Failure:
    """Refuse a turn that continues a response which does not exist, or was not stored."""
    return Failure(
        http_status=404,
        type="not_found_error",
        code="previous_response_not_found",
        message=f"Previous response with id '{response_id}' not found. It may have been deleted, "
        "created with `store: false`, or belong to somebody else.",
        param="previous_response_id",
    )
