"""Where turns stand."""

from turnwire_contracts.ids import OwnerId, ResponseId
from turnwire_store.chain_position import ChainPosition, ChainPositions, ChainStatus, PositionedTurn
from turnwire_testing.examples import CONVERSATION_ID, fresh_conversation_id

FIRST, SECOND, THIRD = (ResponseId(f"resp_{number:032x}") for number in range(3))


def test_a_linear_conversation_is_one_chain() -> None:
    chain_positions = ChainPositions(limit=10)

    places = [
        chain_positions.place(FIRST, None, 1),
        chain_positions.place(SECOND, FIRST, 2),
        chain_positions.place(THIRD, SECOND, 3),
    ]

    assert places == [PositionedTurn(ChainPosition(FIRST, depth)) for depth in range(3)]


def test_a_second_child_starts_a_chain_that_names_its_parents_place() -> None:
    chain_positions = ChainPositions(limit=10)
    chain_positions.place(FIRST, None, 1)
    chain_positions.place(SECOND, FIRST, 2)

    assert chain_positions.place(THIRD, FIRST, 3) == PositionedTurn(
        ChainPosition(THIRD, 0), ChainPosition(FIRST, 0)
    )


def test_a_turn_that_is_projected_again_finds_its_old_place() -> None:
    chain_positions = ChainPositions(limit=10)
    chain_positions.learn({FIRST: ChainStatus(1, ChainPosition(FIRST, 0), successor=SECOND)})

    assert chain_positions.place(SECOND, FIRST, 2) == PositionedTurn(ChainPosition(FIRST, 1))


def test_a_parent_that_ended_later_does_not_count_even_if_the_views_know_it_already() -> None:
    chain_positions = ChainPositions(limit=10)
    chain_positions.learn({FIRST: ChainStatus(5, ChainPosition(FIRST, 0), successor=None)})

    assert chain_positions.place(SECOND, FIRST, 2) == PositionedTurn(ChainPosition(SECOND, 0))


def test_what_is_not_remembered_must_be_learned_again() -> None:
    chain_positions = ChainPositions(limit=1)
    chain_positions.place(FIRST, None, 1)
    chain_positions.place(SECOND, FIRST, 2)

    chain_positions.trim()

    assert [chain_positions.knows(one) for one in (FIRST, SECOND)] == [False, True]


def test_a_branch_belongs_to_the_conversation_of_its_parent() -> None:
    chain_positions = ChainPositions(limit=10)
    chain_positions.learn({FIRST: ChainStatus(1, ChainPosition(FIRST, 0), None, CONVERSATION_ID)})

    branch = chain_positions.place(SECOND, FIRST, 2)

    assert branch.conversation == CONVERSATION_ID
    assert chain_positions.place(THIRD, SECOND, 3).conversation == CONVERSATION_ID


def test_only_in_a_conversation_a_turn_stands_below_another_users() -> None:
    chain_positions = ChainPositions(limit=10)
    chain_positions.learn(
        {FIRST: ChainStatus(1, ChainPosition(FIRST, 0), None, CONVERSATION_ID, OwnerId("ada"))}
    )
    bob = OwnerId("bob")

    assert chain_positions.place(SECOND, FIRST, 2, None, bob) == PositionedTurn(
        ChainPosition(SECOND, 0)
    )
    inside = chain_positions.place(THIRD, FIRST, 3, CONVERSATION_ID, bob)
    assert inside == PositionedTurn(ChainPosition(FIRST, 1), None, CONVERSATION_ID)


def test_a_turn_made_in_another_conversation_belongs_to_that_one() -> None:
    chain_positions = ChainPositions(limit=10)
    chain_positions.learn({FIRST: ChainStatus(1, ChainPosition(FIRST, 0), None, CONVERSATION_ID)})
    other = fresh_conversation_id()

    assert chain_positions.place(SECOND, FIRST, 2, other).conversation == other


def test_a_parent_that_was_taken_away_is_gone_for_its_children() -> None:
    chain_positions = ChainPositions(limit=10)
    chain_positions.place(FIRST, None, 1, CONVERSATION_ID)

    chain_positions.forget({FIRST})

    assert chain_positions.place(SECOND, FIRST, 2) == PositionedTurn(ChainPosition(SECOND, 0))
