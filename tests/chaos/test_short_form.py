"""The short form: a fixed sample of the kill matrix, and a small load under random kills.

Every process dies at least twice, and every step of a turn is struck once. `make chaos` has all.
"""

import pytest

from chaos.cells import CELLS, Cell
from chaos.kills import survived
from chaos.matrix import played
from chaos.rig.load import Load
from chaos.rig.stage import Stage

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.process,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="session"),
]

SEED = 1

SAMPLE = (
    "gateway@append.after[Requested]:plain",
    "gateway@forward.after#3:stream",
    "gateway@append.before[TurnAdded]:conversation",
    "orchestrator@delivery.before_ack:plain",
    "orchestrator@append.after[Started]:background",
    "orchestrator@append.before[ToolsListed]:approval",
    "orchestrator@append.after[ToolCalled]:writing_tool",
    "orchestrator@append.before[ToolReturned]:reading_tool",
    "orchestrator@frames.after[F]#3:stream",
    "orchestrator@append.after[Closed]:stream",
    "guard@query.before_answer[guard.check]:plain",
    "guard@query.after_answer[guard.check]#2:held",
    "tool-runner@query.before_answer[tools.list]:writing_tool",
    "tool-runner@tool.after:reading_tool",
    "orchestrator@append.after[Closed]:unstored_webhook",
    "orchestrator@webhook.after[response.completed]:unstored_webhook",
    "tool-runner@post.before[response.completed]:webhook",
    "tool-runner@post.after[response.completed]:webhook",
    "store@query.taken[store.history]:chain",
    "store@views.after:conversation",
    "nats@gateway/append.before[Requested]:stream",
    "nats@orchestrator/append.after[ToolCalled]:writing_tool",
    "nats@orchestrator/frames.after[F]#3:stream",
    "mongo@store/views.before:chain",
    "mongo@store/query.taken[store.history]:chain",
)

_BY_NAME = {str(cell): cell for cell in CELLS}


@pytest.mark.parametrize("cell", [_BY_NAME[name] for name in SAMPLE], ids=str)
async def test_a_process_that_dies_at_a_step_of_a_turn_changes_nothing_of_it(
    stage: Stage, cell: Cell
) -> None:
    outcome = await played(stage, cell, SEED)
    assert outcome.problems == [], f"{outcome}\nagain: {outcome.repeat}"


async def test_random_kills_under_a_mixed_load_lose_double_and_garble_nothing(
    stage: Stage,
) -> None:
    load = Load(SEED, turns=60, clients=4, within_s=60.0, pause_s=0.5)
    toll = await survived(stage, load)
    assert toll.problems == [], toll
    assert toll.killed.total() > 1
