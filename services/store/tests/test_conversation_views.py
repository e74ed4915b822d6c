"""What every adapter of the port `ConversationViews` promises, in memory and in MongoDB."""

from msgspec.structs import replace

from turnwire_contracts.conversation import ConversationState
from turnwire_contracts.ids import ConversationId, OwnerId, TenantId
from turnwire_store.listing import Window
from turnwire_store.views import ConversationView, Generations, Views
from turnwire_testing.examples import AT, OWNER, RESPONSE_ID, TENANT

OTHER = OwnerId("bob")


def conversation_id(number: int) -> ConversationId:
    return ConversationId(f"conv_{number:032x}")


def view(number: int, owner: OwnerId = OWNER, tenant: TenantId = TENANT) -> ConversationView:
    told = ConversationState(
        conversation_id(number),
        tenant,
        owner,
        created_at=AT,
        updated_at=AT + 5,
        metadata={"a.b": "ü", "$c": "d"},
        last=RESPONSE_ID,
        last_at=AT + 5,
    )
    return ConversationView(10 * number, 10 * number + 5, told)


def further(of: ConversationView) -> ConversationView:
    deleted = replace(of.conversation, deleted=True, metadata={})
    return replace(of, sequence=of.sequence + 1, conversation=deleted)


async def test_what_was_written_is_found(views: Views) -> None:
    await views.conversations.write([view(1), view(2)])

    found = await views.conversations.find([conversation_id(2), conversation_id(3)])

    assert found == {conversation_id(2): view(2)}


async def test_a_conversation_that_is_told_further_takes_the_place_of_its_former_self(
    views: Views,
) -> None:
    await views.conversations.write([view(1), view(2)])

    await views.conversations.write([further(view(1)), view(3)])

    found = await views.conversations.find([conversation_id(number) for number in (1, 2, 3)])
    assert list(map(found.__getitem__, sorted(found))) == [further(view(1)), view(2), view(3)]


async def test_what_was_told_further_already_stays(views: Views) -> None:
    await views.conversations.write([further(view(1))])

    await views.conversations.write([view(1), view(2)])

    found = await views.conversations.find([conversation_id(1), conversation_id(2)])
    assert found == {conversation_id(1): further(view(1)), conversation_id(2): view(2)}


async def test_a_removed_conversation_is_gone(views: Views) -> None:
    await views.conversations.write([view(1), view(2)])

    await views.conversations.remove([conversation_id(1), conversation_id(9)])

    assert await views.conversations.find([conversation_id(1)]) == {}
    assert await views.conversations.find([conversation_id(2)]) != {}


async def test_those_of_a_tenant_or_of_an_owner_are_told_in_the_order_they_began(
    views: Views,
) -> None:
    strange = view(4, tenant=TenantId("other"))
    await views.conversations.write([view(2, OTHER), view(3), view(1), strange])
    upwards, downwards = (Window(1, 1000, newest_first=newest) for newest in (False, True))

    everybodys = await views.conversations.created_in(upwards, TENANT, None, 100)
    owned = await views.conversations.created_in(downwards, TENANT, OWNER, 100)
    first = await views.conversations.created_in(downwards, TENANT, None, 1)
    windowed = await views.conversations.created_in(
        Window(11, 29, newest_first=False), TENANT, None, 100
    )

    assert everybodys == [view(1), view(2, OTHER), view(3)]
    assert owned == [view(3), view(1)]
    assert first == [view(3)]
    assert windowed == [view(2, OTHER)]


async def test_conversations_of_generations_are_apart_and_dropped_with_them(
    all_views: Generations, views: Views
) -> None:
    await views.conversations.write([view(1)])
    following = await all_views.prepare(1)
    assert await following.conversations.find([conversation_id(1)]) == {}
    await following.conversations.write([view(1)])

    await all_views.drop_before(1)

    dropped = await all_views.prepare(0)
    assert await dropped.conversations.find([conversation_id(1)]) == {}
    assert await following.conversations.find([conversation_id(1)]) != {}
