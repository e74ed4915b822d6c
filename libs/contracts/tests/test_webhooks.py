"""What is told of a turn's end, and to whom."""

from typing import Any, get_args

import pytest

from turnwire_contracts.events import Status
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.webhooks.delivery import WebhookDelivery, deliveries_of
from turnwire_contracts.webhooks.subscription import WEBHOOK_EVENT_TYPES, WebhookSubscription
from turnwire_testing.examples import closed, requested

ALL = WebhookSubscription("key_1", [*WEBHOOK_EVENT_TYPES])
QUESTION = {"type": "mcp_approval_request", "id": "mcpr_1", "name": "pay", "arguments": "secret"}


def turn(webhook: WebhookSubscription | None = ALL, **changes: Any) -> ClosedTurn:
    folded = fold([requested(webhook=webhook), closed(**changes)])
    assert isinstance(folded, ClosedTurn)
    return folded


@pytest.mark.parametrize("status", get_args(Status))
def test_each_end_is_told_by_its_own_event(status: Status) -> None:
    told = [each.payload for each in deliveries_of(turn(status=status), 7)]
    assert [each["type"] for each in told] == [f"response.{status}"]
    assert told[0]["data"] == {"id": turn().request.response_id}


def test_every_end_has_an_event_that_can_be_asked_for() -> None:
    assert {f"response.{status}" for status in get_args(Status)} < {*WEBHOOK_EVENT_TYPES}


def test_a_turn_without_a_webhook_tells_nothing() -> None:
    assert [*deliveries_of(turn(None), 7)] == []


def test_only_what_was_asked_for_is_told() -> None:
    failed_only = WebhookSubscription("key_1", ["response.failed"])
    assert [*deliveries_of(turn(failed_only), 7)] == []
    assert len([*deliveries_of(turn(failed_only, status="failed"), 7)]) == 1


def test_a_call_that_waits_for_a_person_is_told_without_its_arguments() -> None:
    asking = turn(output=[QUESTION])
    told = [each.payload for each in deliveries_of(asking, 7)]
    assert [each["type"] for each in told] == ["response.completed", "approval.requested"]
    response_id = asking.request.response_id
    assert told[1]["data"] == {"id": "mcpr_1", "response_id": response_id}
    assert "secret" not in str(told)


def test_an_event_has_one_id_however_often_it_is_told_and_no_other_has_it() -> None:
    two = [QUESTION, {**QUESTION, "id": "mcpr_2"}]
    first, again = ([*deliveries_of(turn(output=two), place)] for place in (7, 9))
    assert [each.event_id for each in first] == [each.event_id for each in again]
    assert len({each.event_id for each in first}) == len(first) == 3
    assert all(len(each.event_id) == len("evt_") + 32 for each in first)


def test_an_event_on_its_way_is_read_as_it_was_written() -> None:
    for each in deliveries_of(turn(output=[QUESTION]), 7):
        assert WebhookDelivery.decode(each.encode()) == each
