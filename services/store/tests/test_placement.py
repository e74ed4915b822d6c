"""Where turns stand."""

from turnwire_contracts.ids import OwnerId, ResponseId
from turnwire_store.projecting.placement import Placed, Placement
from turnwire_store.views import Place, Standing
from turnwire_testing.examples import CONVERSATION_ID, fresh_conversation_id

FIRST, SECOND, THIRD = (ResponseId(f"resp_{number:032x}") for number in range(3))


def test_a_linear_conversation_is_one_chain() -> None:
    placement = Placement(limit=10)

    places = [
        placement.place(FIRST, None, 1),
        placement.place(SECOND, FIRST, 2),
        placement.place(THIRD, SECOND, 3),
    ]

    assert places == [Placed(Place(FIRST, depth)) for depth in range(3)]


def test_a_second_child_starts_a_chain_that_names_its_parents_place() -> None:
    placement = Placement(limit=10)
    placement.place(FIRST, None, 1)
    placement.place(SECOND, FIRST, 2)

    assert placement.place(THIRD, FIRST, 3) == Placed(Place(THIRD, 0), Place(FIRST, 0))


def test_a_turn_that_is_projected_again_finds_its_old_place() -> None:
    placement = Placement(limit=10)
    placement.learn({FIRST: Standing(1, Place(FIRST, 0), heir=SECOND)})

    assert placement.place(SECOND, FIRST, 2) == Placed(Place(FIRST, 1))


def test_a_parent_that_ended_later_does_not_count_even_if_the_views_know_it_already() -> None:
    placement = Placement(limit=10)
    placement.learn({FIRST: Standing(5, Place(FIRST, 0), heir=None)})

    assert placement.place(SECOND, FIRST, 2) == Placed(Place(SECOND, 0))


def test_what_is_not_remembered_must_be_learned_again() -> None:
    placement = Placement(limit=1)
    placement.place(FIRST, None, 1)
    placement.place(SECOND, FIRST, 2)

    placement.trim()

    assert [placement.knows(one) for one in (FIRST, SECOND)] == [False, True]


def test_a_branch_belongs_to_the_conversation_of_its_parent() -> None:
    placement = Placement(limit=10)
    placement.learn({FIRST: Standing(1, Place(FIRST, 0), None, CONVERSATION_ID)})

    branch = placement.place(SECOND, FIRST, 2)

    assert branch.conversation == CONVERSATION_ID
    assert placement.place(THIRD, SECOND, 3).conversation == CONVERSATION_ID


def test_only_in_a_conversation_a_turn_stands_below_another_users() -> None:
    placement = Placement(limit=10)
    placement.learn({FIRST: Standing(1, Place(FIRST, 0), None, CONVERSATION_ID, OwnerId("ada"))})
    bob = OwnerId("bob")

    assert placement.place(SECOND, FIRST, 2, None, bob) == Placed(Place(SECOND, 0))
    inside = placement.place(THIRD, FIRST, 3, CONVERSATION_ID, bob)
    assert inside == Placed(Place(FIRST, 1), None, CONVERSATION_ID)


def test_a_turn_made_in_another_conversation_belongs_to_that_one() -> None:
    placement = Placement(limit=10)
    placement.learn({FIRST: Standing(1, Place(FIRST, 0), None, CONVERSATION_ID)})
    other = fresh_conversation_id()

    assert placement.place(SECOND, FIRST, 2, other).conversation == other


def test_a_parent_that_was_taken_away_is_gone_for_its_children() -> None:
    placement = Placement(limit=10)
    placement.place(FIRST, None, 1, CONVERSATION_ID)

    placement.forget()

    assert placement.place(SECOND, FIRST, 2) == Placed(Place(SECOND, 0))
