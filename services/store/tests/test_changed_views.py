"""How every adapter of the port `Views` changes turns, takes them away, and tell their lineage."""

import msgspec
import pytest

from turnwire_contracts.ids import ConversationId, TenantId
from turnwire_store.chain_position import ChainPosition, ChainStatus
from turnwire_store.listing import Window
from turnwire_store.recent_turns import stored
from turnwire_store.views import LineageRow, Revisable, Revision, View, Views
from turnwire_testing import stored_turns
from turnwire_testing.examples import CONVERSATION_ID, OWNER, TENANT, fresh_conversation_id
from turnwire_testing.stored_turns import turn_id

ALL = Window(1, 1000, newest_first=False)


def view(
    number: int,
    conversation: ConversationId | None = CONVERSATION_ID,
    tenant: TenantId = TENANT,
    model: str = "m",
) -> View:
    return stored_turns.view(
        number, sequence=10 * number + 1, conversation=conversation, tenant=tenant, model=model
    )


def row(number: int, *, is_response: bool = True) -> LineageRow:
    above = (turn_id(number - 1), ChainPosition(turn_id(0), number - 1)) if number else (None, None)
    return LineageRow(turn_id(number), 10 * number + 1, *above, CONVERSATION_ID, is_response)


def deletion(number: int, former: int | None, sequence: int) -> Revision:
    return Revision(
        turn_id(number), TENANT, former, sequence, deleted=True, turn='{"deleted":true}'
    )


async def test_a_turn_that_was_never_changed_was_last_told_of_when_it_ended(views: Views) -> None:
    await views.write([view(1)])

    assert await views.revisable([turn_id(1), turn_id(2)]) == {
        turn_id(1): Revisable(11, None, '{"a":"ü"}'.encode())
    }


async def test_a_changed_turn_is_found_changed(views: Views) -> None:
    await views.write([view(1), view(2)])

    await views.revise([deletion(1, None, 40)])

    found = await views.find(turn_id(1))
    assert found is not None
    assert (found.deleted, found.turn) == (True, b'{"deleted":true}')
    assert await views.find(turn_id(2)) == stored(view(2))
    assert await views.revisable([turn_id(1)]) == {
        turn_id(1): Revisable(40, 40, b'{"deleted":true}')
    }


async def test_a_deleted_turn_comes_back(views: Views) -> None:
    await views.write([view(1)])
    await views.revise([deletion(1, None, 40)])

    await views.revise([Revision(turn_id(1), TENANT, 40, 41, deleted=False, turn=view(1).turn)])

    assert await views.find(turn_id(1)) == stored(view(1))


@pytest.mark.parametrize("former", [None, 30])
async def test_a_change_to_what_a_turn_is_no_longer_is_passed_over(
    views: Views, former: int | None
) -> None:
    await views.write([view(1)])
    await views.revise([deletion(1, None, 40)])

    await views.revise([Revision(turn_id(1), TENANT, former, 50, deleted=False, turn="{}")])

    found = await views.find(turn_id(1))
    assert found is not None
    assert found.deleted


async def test_a_change_to_a_turn_without_a_view_makes_none(views: Views) -> None:
    await views.revise([deletion(1, None, 40)])

    assert await views.find(turn_id(1)) is None


async def test_writing_a_changed_turn_again_leaves_it_changed(views: Views) -> None:
    await views.write([view(1)])
    await views.revise([deletion(1, None, 40)])

    await views.write([view(1)])

    found = await views.find(turn_id(1))
    assert found is not None
    assert found.deleted


async def test_a_removed_turn_is_gone_and_its_place_is_free(views: Views) -> None:
    await views.write([view(0), view(1)])

    await views.remove([turn_id(1), turn_id(7)])
    await views.remove([turn_id(1)])

    assert await views.find(turn_id(1)) is None
    chain_statuses = await views.chain_statuses([turn_id(0), turn_id(1)])
    left = ChainStatus(1, ChainPosition(turn_id(0), 0), None, CONVERSATION_ID, OWNER)
    assert chain_statuses == {turn_id(0): left}
    await views.write([view(1)])
    assert await views.find(turn_id(1)) == stored(view(1))


async def test_kin_is_told_by_id_and_by_place(views: Views) -> None:
    await views.write([view(0), view(1), view(2, model="")])

    known = await views.lineage_rows([turn_id(0), turn_id(2), turn_id(9)])
    above = await views.lineage_rows_above(ChainPosition(turn_id(0), 1), 10)

    assert known == {turn_id(0): row(0), turn_id(2): row(2, is_response=False)}
    assert above == [row(1), row(0)]


async def test_the_turns_of_a_conversation_are_told_in_the_order_of_the_log(views: Views) -> None:
    await views.write([view(2), view(0), view(3), view(1)])

    upwards = await views.lineage_rows_in(
        Window(5, 25, newest_first=False), TENANT, CONVERSATION_ID, 100
    )
    downwards = await views.lineage_rows_in(
        Window(1, 25, newest_first=True), TENANT, CONVERSATION_ID, 2
    )

    assert upwards == [row(1), row(2)]
    assert downwards == [row(2), row(1)]


async def test_only_the_turns_of_that_conversation_and_tenant_are_told(views: Views) -> None:
    other = fresh_conversation_id()
    await views.write([view(0), view(1, other), view(2, None), view(3, tenant=TenantId("other"))])

    assert await views.lineage_rows_in(ALL, TENANT, CONVERSATION_ID, 100) == [row(0)]
    assert await views.lineage_rows_in(ALL, TENANT, fresh_conversation_id(), 100) == []


async def test_a_branch_stands_in_the_conversation_of_its_parent(views: Views) -> None:
    forked = msgspec.structs.replace(
        view(7), place=ChainPosition(turn_id(7), 0), fork=ChainPosition(turn_id(0), 6)
    )
    await views.write([forked])

    assert await views.lineage_rows_in(ALL, TENANT, CONVERSATION_ID, 100) == [row(7)]
    status = (await views.chain_statuses([turn_id(7)]))[turn_id(7)]
    assert status.conversation == CONVERSATION_ID
