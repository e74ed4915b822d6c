"""Where turns stand."""

from turnwire_contracts.ids import ResponseId
from turnwire_store.projecting.placement import Placement
from turnwire_store.views import Place, Standing

FIRST, SECOND, THIRD = (ResponseId(f"resp_{number:032x}") for number in range(3))


def test_a_linear_conversation_is_one_chain() -> None:
    placement = Placement(limit=10)

    places = [
        placement.place(FIRST, None, 1),
        placement.place(SECOND, FIRST, 2),
        placement.place(THIRD, SECOND, 3),
    ]

    assert places == [(Place(FIRST, depth), None) for depth in range(3)]


def test_a_second_child_starts_a_chain_that_names_its_parents_place() -> None:
    placement = Placement(limit=10)
    placement.place(FIRST, None, 1)
    placement.place(SECOND, FIRST, 2)

    assert placement.place(THIRD, FIRST, 3) == (Place(THIRD, 0), Place(FIRST, 0))


def test_a_turn_that_is_projected_again_finds_its_old_place() -> None:
    placement = Placement(limit=10)
    placement.learn({FIRST: Standing(1, Place(FIRST, 0), heir=SECOND)})

    assert placement.place(SECOND, FIRST, 2) == (Place(FIRST, 1), None)


def test_a_parent_that_ended_later_does_not_count_even_if_the_views_know_it_already() -> None:
    placement = Placement(limit=10)
    placement.learn({FIRST: Standing(5, Place(FIRST, 0), heir=None)})

    assert placement.place(SECOND, FIRST, 2) == (Place(SECOND, 0), None)


def test_what_is_not_remembered_must_be_learned_again() -> None:
    placement = Placement(limit=1)
    placement.place(FIRST, None, 1)
    placement.place(SECOND, FIRST, 2)

    placement.trim()

    assert [placement.knows(one) for one in (FIRST, SECOND)] == [False, True]
