"""Which questions MongoDB answers from an index: all of them, on every server we run on."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from pymongo import AsyncMongoClient, monitoring
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.monitoring import CommandFailedEvent, CommandStartedEvent, CommandSucceededEvent

from turnwire_contracts.ids import ItemId
from turnwire_store.chain_position import ChainPosition
from turnwire_store.listing import Window
from turnwire_store.mongo.server import MongoServer
from turnwire_store.mongo.turns import MongoViews
from turnwire_store.sealing import Document, FieldSealing
from turnwire_testing.examples import CONVERSATION_ID, OWNER, RESPONSE_ID, TENANT
from turnwire_testing.memory_view_keys import MemoryViewKeys

WINDOW = Window(1, 4096, newest_first=True)
PLACE = ChainPosition(RESPONSE_ID, 7)


class Finds(monitoring.CommandListener):
    """Every `find` that was sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name == "find":
            self.sent.append({"find": event.command["find"], "filter": event.command["filter"]})

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


@pytest.fixture
def finds() -> Finds:
    """What was asked for in this test."""
    return Finds()


@pytest.fixture
async def database(database_url: str, finds: Finds) -> AsyncGenerator[AsyncDatabase[Document]]:
    """The database of this test, listened to."""
    async with AsyncMongoClient[Document](database_url, event_listeners=[finds]) as client:
        # A question is refused while no server is in sight yet.
        await client.admin.command("ping")
        yield client.get_default_database()


async def test_every_question_is_answered_from_an_index(
    database: AsyncDatabase[Document], finds: Finds
) -> None:
    views = MongoViews(MongoServer(database), 0, FieldSealing(MemoryViewKeys()))
    await views.declare()

    await views.find(RESPONSE_ID)
    await views.segment(PLACE, 10)
    await views.lineage_rows([RESPONSE_ID])
    await views.lineage_rows_above(PLACE, 10)
    await views.lineage_rows_in(WINDOW, TENANT, CONVERSATION_ID, 10)
    await views.asking(WINDOW, TENANT, OWNER, 10)
    await views.answered([ItemId("mcpr_1"), ItemId("mcpr_2")])
    await views.revisable([RESPONSE_ID])
    await views.chain_statuses([RESPONSE_ID])
    await views.existing([RESPONSE_ID])
    await views.listed.within(WINDOW, TENANT, "*:", 10)
    await views.listed.find(TENANT, [RESPONSE_ID])
    await views.running.within(WINDOW, TENANT, "*:", 10)
    await views.conversations.find([CONVERSATION_ID])
    await views.conversations.created_in(WINDOW, TENANT, None, 10)
    await views.conversations.created_in(WINDOW, TENANT, OWNER, 10)

    assert len(finds.sent) == 16
    unbounded = [sent for sent in finds.sent if not await _is_bounded(database, sent)]
    assert unbounded == []


async def _is_bounded(database: AsyncDatabase[Document], sent: dict[str, Any]) -> bool:
    if set(sent["filter"]) == {"_id"}:
        return not isinstance(sent["filter"]["_id"], dict) or list(sent["filter"]["_id"]) == ["$in"]
    explained = await database.command("explain", sent)
    return "COLLSCAN" not in str(explained["queryPlanner"]["winningPlan"])
