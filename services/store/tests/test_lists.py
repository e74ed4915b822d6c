"""Lists of conversations and trees of turns: the same over every adapter of the views."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from turnwire_contracts.conversation_events import AnyConversationEvent
from turnwire_contracts.events import AnyEvent
from turnwire_contracts.ids import ConversationId, OwnerId, ResponseId, TenantId
from turnwire_contracts.queries import (
    STORE_CONVERSATIONS,
    STORE_TREE,
    AskForConversations,
    AskForTree,
    Conversations,
    Tree,
)
from turnwire_store.views import Generations
from turnwire_testing import examples
from turnwire_testing.asked_stores import AskedStore
from turnwire_testing.examples import CONVERSATION_ID, OWNER, TENANT
from turnwire_testing.stored_turns import turn_id

OTHER = OwnerId("bob")
BUSY = 5000
"""More entries than the narrowest window of the log has."""


def conversation_id(number: int) -> ConversationId:
    return ConversationId(f"conv_{number:032x}")


class Lists(AskedStore):
    """A store that is asked for lists and trees."""

    async def turn(self, number: int, previous: int | None, *, within: bool = True) -> None:
        """Write a turn that follows another one, in the conversation or only from it."""
        await self.write(*turn(number, previous, within=within))

    async def tree(self, limit: int = 100, **wishes: Any) -> Tree:
        """Ask for the tree."""
        return await self.tree_after(None, limit, **wishes)

    async def tree_after(self, after: ResponseId | None, limit: int, **wishes: Any) -> Tree:
        """Ask for what comes after a turn in the tree."""
        asked = replace(AskForTree(TENANT, CONVERSATION_ID, limit, after), **wishes)
        told = STORE_TREE.decode_answer(await self.handlers.tree(STORE_TREE.encode_question(asked)))
        assert isinstance(told, Tree)
        return told

    async def list(self, asked: AskForConversations) -> Conversations:
        """Ask for conversations."""
        body = STORE_CONVERSATIONS.encode_question(asked)
        told = STORE_CONVERSATIONS.decode_answer(await self.handlers.conversations(body))
        assert isinstance(told, Conversations)
        return told


def turn(number: int, previous: int | None, *, within: bool = True) -> list[AnyEvent]:
    about = {"response_id": turn_id(number)}
    asked = examples.requested(
        **about,
        previous_response_id=None if previous is None else turn_id(previous),
        conversation=CONVERSATION_ID if within else None,
    )
    return [asked, examples.closed(**about)]


def numbers(ids: Sequence[str]) -> list[int]:
    return [int(one.partition("_")[2], 16) for one in ids]


def told(tree: Tree) -> list[int]:
    return numbers([node.turn.request.response_id for node in tree.nodes])


def lines(tree: Tree) -> dict[int, list[int]]:
    return dict(zip(told(tree), (numbers(node.ancestors) for node in tree.nodes), strict=True))


@pytest.fixture
def store(all_views: Generations) -> Lists:
    """A store without anything in it."""
    return Lists.over(all_views, recent_bytes=1_000_000)


async def test_a_tree_tells_each_response_with_what_it_descends_from(store: Lists) -> None:
    await store.write(examples.conversation_created())
    for number, previous in ((1, None), (2, 1), (3, 2)):
        await store.turn(number, previous)
    for number, previous in ((4, 1), (5, 4), (6, 1)):
        await store.turn(number, previous, within=False)

    tree = await store.tree()

    assert lines(tree) == {1: [], 2: [1], 3: [1, 2], 4: [1], 5: [1, 4], 6: [1]}
    assert told(await store.tree(newest_first=True)) == [6, 5, 4, 3, 2, 1]


async def test_turns_outside_of_the_conversation_are_not_told(store: Lists) -> None:
    await store.turn(1, None, within=False)
    await store.turn(2, 1)
    await store.turn(3, None, within=False)

    assert lines(await store.tree()) == {2: []}


async def test_items_that_were_put_in_are_no_responses_but_part_of_everything(
    store: Lists,
) -> None:
    await store.write(examples.items_added(response_id=turn_id(1)))
    await store.turn(2, 1)
    added = examples.items_added(response_id=turn_id(3), previous_response_id=turn_id(2))
    await store.write(added)
    await store.turn(4, 3)

    assert lines(await store.tree()) == {2: [], 4: [2]}
    assert lines(await store.tree(everything=True)) == {1: [], 2: [], 3: [2], 4: [2]}


async def test_a_tree_comes_in_pages(store: Lists) -> None:
    await store.write(*(event for number in range(1, 8) for event in turn(number, number - 1)))

    first = await store.tree(3)
    second = await store.tree_after(turn_id(3), 3)
    third = await store.tree_after(turn_id(6), 3)
    downwards = await store.tree_after(turn_id(3), 3, newest_first=True)

    assert [told(first), told(second), told(third)] == [[1, 2, 3], [4, 5, 6], [7]]
    assert [first.has_more, second.has_more, third.has_more] == [True, True, False]
    assert (told(downwards), downwards.has_more) == ([2, 1], False)
    assert await store.tree_after(turn_id(9), 3) == Tree([])


async def test_a_page_of_a_tree_fits_into_a_message(store: Lists) -> None:
    large = examples.message("x" * 300_000)
    for number in (1, 2, 3):
        asked = turn(number, None)[0]
        end = examples.closed(response_id=turn_id(number), output=[large])
        await store.write(asked, end)

    page = await store.tree()

    assert (told(page), page.has_more) == ([1, 2], True)
    assert told(await store.tree_after(turn_id(2), 100)) == [3]


async def test_a_long_conversation_in_a_busy_log_is_told_completely(store: Lists) -> None:
    await store.append(examples.conversation_created())
    for number in range(1, 251):
        if number in {10, 20, 200}:
            store.log.skip(BUSY)
        await store.append(*turn(number, number - 1 or None))
    await store.write()

    found: list[int] = []
    page = await store.tree()
    while found := found + told(page):
        if not page.has_more:
            break
        page = await store.tree_after(turn_id(found[-1]), 100)
    newest = await store.tree(2, newest_first=True)

    assert found == list(range(1, 251))
    assert lines(newest) == {250: list(range(1, 250)), 249: list(range(1, 249))}


async def test_deleted_turns_are_told_only_to_who_asks_for_them(store: Lists) -> None:
    await store.write(*turn(1, None), *turn(2, 1), *turn(3, 2))
    await store.write(examples.deleted(response_id=turn_id(2)))

    assert lines(await store.tree()) == {1: [], 3: [1, 2]}
    assert told(await store.tree(include_deleted=True)) == [1, 2, 3]
    assert (await store.tree(2)).has_more is False


async def test_what_was_heard_just_now_counts_in_a_tree(store: Lists) -> None:
    await store.write(*turn(1, None), *turn(2, 1), *turn(3, 2))
    await store.write(examples.deleted(response_id=turn_id(3)))
    await store.tree()

    await store.append(
        examples.deleted(response_id=turn_id(1)),
        examples.purged(response_id=turn_id(2)),
        examples.restored(response_id=turn_id(3)),
    )
    for number in (1, 2, 3):
        store.recent.outdate(turn_id(number))

    assert told(await store.tree()) == [3]


async def test_a_purged_turn_ends_the_line_of_its_children(store: Lists) -> None:
    await store.write(*turn(1, None), *turn(2, 1), *turn(3, 2), *turn(4, 3))

    await store.write(examples.purged(response_id=turn_id(2)))

    assert lines(await store.tree()) == {1: [], 3: [], 4: [3]}


async def test_an_unknown_conversation_has_no_tree(store: Lists) -> None:
    await store.turn(1, None)
    stranger = AskForTree(TenantId("other"), CONVERSATION_ID, 10)

    answered = STORE_TREE.decode_answer(
        await store.handlers.tree(STORE_TREE.encode_question(stranger))
    )

    assert answered == Tree([])


async def test_conversations_are_listed_by_tenant_and_owner_in_both_orders(
    store: Lists,
) -> None:
    for number in range(1, 7):
        owner = OTHER if number % 3 == 0 else OWNER
        await store.write(created(number, owner=owner))
    await store.write(created(7, tenant=TenantId("other")))

    assert listed(await store.list(ask(owner=OWNER))) == [5, 4, 2, 1]
    assert listed(await store.list(ask(newest_first=False))) == [1, 2, 3, 4, 5, 6]
    assert listed(await store.list(ask(tenant=TenantId("other")))) == [7]


async def test_a_list_comes_in_pages(store: Lists) -> None:
    await store.write(*(created(number) for number in range(1, 8)))

    page = await store.list(ask(limit=3, offset=2))
    last = await store.list(ask(limit=3, offset=5))

    assert (listed(page), page.has_more) == ([5, 4, 3], True)
    assert (listed(last), last.has_more) == ([2, 1], False)


async def test_conversations_spread_over_a_busy_log_are_all_listed(store: Lists) -> None:
    for number in range(1, 251):
        if number in {10, 20, 200}:
            store.log.skip(BUSY)
        await store.append(created(number))
    await store.write()

    upwards = [
        one
        for offset in (0, 100, 200)
        for one in listed(await store.list(ask(offset=offset, newest_first=False)))
    ]

    assert upwards == list(range(1, 251))
    assert listed(await store.list(ask(limit=2, offset=248))) == [2, 1]


async def test_a_list_has_only_what_has_all_of_the_metadata(store: Lists) -> None:
    await store.write(
        created(1, metadata={"a.b": "1", "c": "2"}),
        created(2, metadata={"a.b": "1"}),
        created(3, metadata={"a.b": "2", "c": "2"}),
    )

    assert listed(await store.list(ask(metadata={"a.b": "1"}))) == [2, 1]
    assert listed(await store.list(ask(metadata={"a.b": "1", "c": "2"}))) == [1]


async def test_deleted_conversations_are_listed_only_for_who_asks_for_them(
    store: Lists,
) -> None:
    await store.write(created(1), created(2), created(3))
    await store.write(
        examples.conversation_deleted(conversation_id=conversation_id(1)),
        examples.conversation_purged(conversation_id=conversation_id(3)),
    )

    assert listed(await store.list(ask())) == [2]
    assert listed(await store.list(ask(include_deleted=True))) == [2, 1]


def created(number: int, **changes: object) -> AnyConversationEvent:
    return examples.conversation_created(conversation_id=conversation_id(number), **changes)


def ask(**wishes: object) -> AskForConversations:
    asked = {"tenant": TENANT, "owner": None, "limit": 100, **wishes}
    return AskForConversations(**asked)  # pyright: ignore[reportArgumentType] -- as it is asked


def listed(page: Conversations) -> list[int]:
    return numbers([one.conversation_id for one in page.conversations])
