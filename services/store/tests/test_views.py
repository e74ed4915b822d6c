"""What every adapter of the port `Views` promises, in memory and in MongoDB."""

from typing import Any

import msgspec

from turnwire_contracts.ids import ItemId, OwnerId, TenantId
from turnwire_store.chain_position import ChainPosition, ChainStatus
from turnwire_store.listing import Window
from turnwire_store.mongo.generations import MongoGenerations
from turnwire_store.recent_turns import stored
from turnwire_store.views import ApprovalRow, Generations, View, Views
from turnwire_testing.examples import OWNER, TENANT
from turnwire_testing.stored_turns import turn_id, view


async def test_what_was_written_is_found(views: Views) -> None:
    await views.write([view(0), view(1)])

    assert await views.find(turn_id(1)) == stored(view(1))
    assert await views.find(turn_id(2)) is None


async def test_a_turn_beside_its_parents_chain_tells_where_its_parent_stands(views: Views) -> None:
    start = ChainPosition(turn_id(7), 0)
    forked = view(7, place=start, fork=ChainPosition(turn_id(0), 3))

    await views.write([forked])

    found = await views.find(turn_id(7))
    assert found is not None
    assert found.parent_place == ChainPosition(turn_id(0), 3)


async def test_writing_again_changes_nothing(views: Views) -> None:
    await views.write([view(0), view(1)])
    changed = view(1, turn='{"b":2}')

    await views.write([changed, view(2)])

    assert await views.find(turn_id(1)) == stored(view(1))
    assert await views.find(turn_id(2)) == stored(view(2))


async def test_two_turns_never_share_a_place(views: Views) -> None:
    await views.write([view(0), view(1)])
    intruder = view(9, place=ChainPosition(turn_id(0), 1))

    await views.write([intruder, view(1), view(2)])

    found = await views.find(turn_id(9))
    assert found is not None
    assert (found.parent, found.parent_place) == (turn_id(8), None)
    assert await ids_of(views, ChainPosition(turn_id(0), 9), 10) == [2, 1, 0]
    assert await ids_of(views, ChainPosition(turn_id(9), 9), 10) == [9]


async def test_a_segment_is_a_part_of_one_chain_newest_first(views: Views) -> None:
    other = [view(20 + number, place=ChainPosition(turn_id(20), number)) for number in range(5)]
    await views.write([*(view(number) for number in range(8)), *other])

    assert await ids_of(views, ChainPosition(turn_id(0), 5), 3) == [5, 4, 3]
    assert await ids_of(views, ChainPosition(turn_id(0), 1), 100) == [1, 0]
    assert await ids_of(views, ChainPosition(turn_id(5), 5), 100) == []


async def test_standings_tell_places_and_heirs(views: Views) -> None:
    await views.write([view(0), view(1)])

    chain_statuses = await views.chain_statuses([turn_id(0), turn_id(1), turn_id(2)])

    assert chain_statuses == {
        turn_id(0): ChainStatus(1, ChainPosition(turn_id(0), 0), turn_id(1), owner=OWNER),
        turn_id(1): ChainStatus(2, ChainPosition(turn_id(0), 1), None, owner=OWNER),
    }


async def test_the_checkpoint_never_moves_back(views: Views) -> None:
    assert await views.checkpoint() == 0

    await views.advance(7)
    await views.advance(5)

    assert await views.checkpoint() == 7


async def test_generations_are_apart_and_the_next_one_serves_when_told(
    all_views: Generations, views: Views
) -> None:
    await views.write([view(0)])
    await views.advance(3)
    following = await all_views.prepare(1)

    await all_views.serve(1)

    assert await all_views.serving() == 1
    assert await following.find(turn_id(0)) is None
    assert await following.checkpoint() == 0


async def test_only_the_next_generation_can_take_over(all_views: Generations) -> None:
    await all_views.serve(2)
    assert await all_views.serving() == 0

    await all_views.serve(1)
    await all_views.serve(1)

    assert await all_views.serving() == 1


async def test_dropped_generations_start_anew(all_views: Generations, views: Views) -> None:
    await views.write([view(0)])
    await views.advance(3)
    kept = await all_views.prepare(1)
    await kept.write([view(0)])

    await all_views.drop_before(1)

    dropped = await all_views.prepare(0)
    assert await dropped.find(turn_id(0)) is None
    assert await dropped.checkpoint() == 0
    assert await kept.find(turn_id(0)) is not None


async def test_large_turns_come_in_parts(generations: MongoGenerations) -> None:
    views = await generations.prepare(0)
    large = '{"a":"' + "x" * 20_000 + '"}'
    await views.write([view(number, turn=large) for number in range(150)])

    segment = await views.segment(ChainPosition(turn_id(0), 149), 150)

    assert 1 < len(segment) < 150
    assert segment[0].response_id == turn_id(149)
    assert len(await views.segment(ChainPosition(turn_id(0), 0), 150)) == 1


async def ids_of(views: Views, end: ChainPosition, length: int) -> list[int]:
    segment = await views.segment(end, length)
    return [int(turn.response_id.removeprefix("resp_"), 16) for turn in segment]


async def test_times_are_kept_whatever_they_are(views: Views) -> None:
    # A clock may be wrong, and the standard library's dates end with the year 9999.
    times = [0, -1, 1_700_000_000_123, 2**53 + 1, 2**62]
    odd = [
        view(number, place=ChainPosition(turn_id(number), 0), created_at=at, closed_at=at)
        for number, at in enumerate(times)
    ]

    await views.write(odd)

    found = {each.response_id: each async for each in views.every()}
    assert [found[each.response_id].created_at for each in odd] == times
    assert [found[each.response_id].closed_at for each in odd] == times


async def test_what_can_be_no_document_has_no_view_and_the_others_have(
    generations: MongoGenerations,
) -> None:
    views = await generations.prepare(0)
    endless = view(1, model="x" * 17 * 1024 * 1024)
    countless = view(2, sequence=2**70)

    await views.write([view(0), endless, countless, view(3)])

    assert await views.existing([turn_id(number) for number in range(4)]) == {
        turn_id(0),
        turn_id(3),
    }


def item_id(number: int) -> ItemId:
    return ItemId(f"mcpr_{number:032x}o0")


def asking(number: int, **changes: Any) -> View:
    return msgspec.structs.replace(view(number), asks=(item_id(number),), **changes)


async def test_who_asked_for_approvals_is_found_by_user_and_window(views: Views) -> None:
    others = [asking(4, owner=OwnerId("bob")), asking(5, tenant=TenantId("else"))]
    longer = asking(6, owner=OwnerId(f"{OWNER}:6"))
    await views.write([view(0), asking(1), asking(2), asking(3), *others, longer])
    everything = Window(1, 100, newest_first=True)

    rows = await views.asking(everything, TENANT, OWNER, 10)
    assert rows == [ApprovalRow(turn_id(each), each + 1, (item_id(each),)) for each in (3, 2, 1)]
    first = await views.asking(Window(3, 4, newest_first=False), TENANT, OWNER, 1)
    assert [row.response_id for row in first] == [turn_id(2)]


async def test_an_answered_approval_is_known_by_its_id(views: Views) -> None:
    answer = msgspec.structs.replace(view(3), answers=(item_id(1), item_id(7)))
    await views.write([asking(1), asking(2), answer])

    assert await views.answered([item_id(1), item_id(2)]) >= {item_id(1)}
    assert item_id(2) not in await views.answered([item_id(1), item_id(2)])
    assert await views.answered([item_id(9)]) == frozenset()


async def test_what_is_kept_of_approvals_is_read_back(views: Views) -> None:
    written = asking(1, answers=(item_id(0),))
    await views.write([view(0), written])

    assert {each.response_id: each async for each in views.every()} == {
        turn_id(0): view(0),
        turn_id(1): written,
    }
