"""What waits for a person: the same over every adapter of the views."""

from typing import Any

import pytest
from msgspec.structs import replace

from turnwire_contracts.events import AnyEvent, Item
from turnwire_contracts.ids import ItemId, OwnerId, TenantId, output_item_id
from turnwire_contracts.inspecting.approvals import STORE_APPROVALS, Approvals, AskForApprovals
from turnwire_contracts.queries import Refusal
from turnwire_store.views import Generations
from turnwire_testing import examples
from turnwire_testing.asked_stores import AskedStore
from turnwire_testing.examples import OWNER, TENANT
from turnwire_testing.stored_turns import turn_id

OTHER = OwnerId("bob")
BUSY = 5000
"""More entries than the narrowest window of the log has."""


class ApprovalStore(AskedStore):
    """A store that is asked what waits."""

    async def approvals(self, limit: int = 100, **wishes: Any) -> Approvals | Refusal:
        """Ask what waits for a person."""
        question = replace(AskForApprovals(TENANT, OWNER, limit), **wishes)
        body = STORE_APPROVALS.encode_question(question)
        return STORE_APPROVALS.decode_answer(await self.handlers.approvals(body))


@pytest.fixture
def store(all_views: Generations) -> ApprovalStore:
    """A store without anything in it, which reads every turn from its views."""
    return ApprovalStore.over(all_views, recent_bytes=0)


def approval(number: int, index: int = 0) -> ItemId:
    return output_item_id(turn_id(number), index, "mcp_approval_request")


def asking(number: int, count: int = 1, **changes: Any) -> list[AnyEvent]:
    about = {"response_id": turn_id(number)}
    items: list[Item] = [
        {"type": "mcp_approval_request", "id": approval(number, each), "name": "pay"}
        for each in range(count)
    ]
    request = examples.requested(**about, **changes)
    return [request, examples.closed(**about, tenant=request.tenant, output=items)]


def answering(number: int, *asks: ItemId, **end: Any) -> list[AnyEvent]:
    about = {"response_id": turn_id(number)}
    answers: list[Item] = [
        {"type": "mcp_approval_response", "approval_request_id": each, "approve": True}
        for each in asks
    ]
    return [examples.requested(**about, input=answers), examples.closed(**about, **end)]


def waiting(page: Approvals | Refusal) -> list[str]:
    assert isinstance(page, Approvals)
    return [each.request["id"] for each in page.approvals]


async def test_what_nobody_has_answered_waits(store: ApprovalStore) -> None:
    await store.write(*asking(1, 2), *asking(2), *asking(3))
    await store.write(*answering(4, approval(1, 0), approval(2)))
    assert waiting(await store.approvals()) == [approval(3), approval(1, 1)]
    assert waiting(await store.approvals(of=turn_id(1))) == [approval(1, 1)]
    assert waiting(await store.approvals(of=turn_id(2))) == []


async def test_an_answer_in_a_turn_that_failed_is_none(store: ApprovalStore) -> None:
    await store.write(*asking(1), *answering(2, approval(1), status="failed"))
    assert waiting(await store.approvals()) == [approval(1)]


async def test_what_waits_for_another_user_or_tenant_is_not_told(store: ApprovalStore) -> None:
    await store.write(*asking(1, owner=OTHER), *asking(2, tenant=TenantId("else")))
    assert waiting(await store.approvals()) == []
    assert waiting(await store.approvals(owner=OTHER)) == [approval(1)]


async def test_what_waits_comes_in_pages_and_is_found_in_a_busy_log(store: ApprovalStore) -> None:
    await store.write(*asking(1), *asking(2, 2))
    store.log.skip(BUSY)
    await store.write(*asking(3), *asking(4))
    first = await store.approvals(limit=3)
    assert waiting(first) == [approval(4), approval(3)]
    assert isinstance(first, Approvals)
    assert first.has_more
    rest = await store.approvals(limit=3, after=turn_id(3))
    assert waiting(rest) == [approval(2, 0), approval(2, 1), approval(1)]
    assert waiting(await store.approvals(after=turn_id(1))) == []
    assert waiting(await store.approvals(after=turn_id(9))) == []


async def test_of_deleted_turns_and_removed_items_nothing_waits(store: ApprovalStore) -> None:
    await store.write(*asking(1), *asking(2, 2))
    await store.write(
        examples.deleted(response_id=turn_id(1)),
        examples.item_removed(response_id=turn_id(2), item_id=approval(2, 0)),
    )
    assert waiting(await store.approvals()) == [approval(2, 1)]
    await store.write(examples.restored(response_id=turn_id(1)))
    assert waiting(await store.approvals()) == [approval(2, 1), approval(1)]


async def test_whether_one_waits_is_not_told_before_the_views_know_it(store: ApprovalStore) -> None:
    await store.append(*asking(1))
    assert isinstance(await store.approvals(of=turn_id(1)), Refusal)
