"""docs/mongodb.md lists all that is used of MongoDB: what is sent, what stands in the source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from pymongo import AsyncMongoClient, monitoring

import turnwire_store.mongo
from turnwire_contracts.conversation import ConversationState
from turnwire_contracts.ids import ConversationId
from turnwire_contracts.inspecting.response_list import ResponseSummary
from turnwire_store.chain_position import ChainPosition
from turnwire_store.listing import RunningTurn, Window
from turnwire_store.mongo.conversations import from_conversation
from turnwire_store.mongo.documents import to_document
from turnwire_store.mongo.generations import MongoGenerations
from turnwire_store.sealing import Document
from turnwire_store.views import ConversationView, Revision, View
from turnwire_testing.examples import AT, OWNER, TENANT
from turnwire_testing.memory_view_keys import MemoryViewKeys
from turnwire_testing.mongo_record import MongoRecord
from turnwire_testing.stored_turns import turn_id, view

PAGE = Path(__file__).parents[3] / "docs" / "mongodb.md"
FAULTS = Path(__file__).with_name("test_mongo_faults.py")
SOURCE = Path(turnwire_store.mongo.__path__[0])
CONVERSATION = ConversationId(f"conv_{1:032x}")
DUPLICATE, NO_SUCH_COLLECTION = "11000", "26"
ALL = Window(1, 1000, newest_first=False)

# Listeners of single clients would have to be handed through the product.
RECORD = MongoRecord()
monitoring.register(RECORD)


def in_conversation(number: int) -> View:
    summary = ResponseSummary(turn_id(number), OWNER, "completed", "m", AT)
    return view(number, conversation=CONVERSATION, began=number + 1, summary=summary)


def conversation() -> ConversationView:
    return ConversationView(
        3,
        7,
        ConversationState(CONVERSATION, TENANT, OWNER, created_at=AT, updated_at=AT, metadata={}),
    )


@pytest.fixture
async def sent(database_url: str) -> MongoRecord:
    """All that an adapter of MongoDB ever sends."""
    async with AsyncMongoClient[Document](database_url) as client:
        # What an earlier version wrote in the clear.
        database = client.get_default_database()
        await database["responses"].insert_many(
            [to_document(in_conversation(n)) for n in range(130)]
        )
        await database["conversations"].insert_one(from_conversation(conversation()))
        await database["checkpoints"].insert_one({"_id": "responses", "seq": 1})
    generations = MongoGenerations(database_url, MemoryViewKeys())
    RECORD.on = True
    await generations.reach(10)
    await use(generations)
    RECORD.on = False
    await generations.close()
    return RECORD


async def use(generations: MongoGenerations) -> None:
    """Call every method of the adapter, so that each of its branches is taken."""
    views = await generations.prepare(await generations.serving())
    place = ChainPosition(turn_id(0), 129)
    await views.find(turn_id(1))
    await views.segment(place, 200)
    await views.lineage_rows([turn_id(1)])
    await views.lineage_rows_above(place, 10)
    await views.lineage_rows_in(ALL, TENANT, CONVERSATION, 10)
    await views.existing([turn_id(1)])
    await views.chain_statuses([turn_id(1)])
    await views.write([in_conversation(1), replace(in_conversation(500), place=place)])
    await views.revisable([turn_id(1)])
    for deleted, former, sequence in ((True, None, 900), (False, 900, 901)):
        revision = Revision(turn_id(1), TENANT, former, sequence, deleted=deleted, turn="{}")
        await views.revise([revision])
    await views.listed.within(ALL, TENANT, "*:", 10)
    await views.listed.find(TENANT, [turn_id(1)])
    await views.has_lists()
    await views.running.write(
        [RunningTurn(TENANT, 7, ResponseSummary(turn_id(7), OWNER, "queued", "m", AT))]
    )
    await views.running.remove([turn_id(7)])
    await views.remove([turn_id(2)])
    await views.advance(901)
    await views.checkpoint()
    assert len([each async for each in views.every()]) == 130
    kept = views.conversations
    await kept.find([CONVERSATION])
    await kept.created_in(ALL, TENANT, OWNER, 10)
    await kept.write([conversation()])
    assert len([each async for each in kept.every()]) == 1
    await kept.remove([CONVERSATION])
    await generations.prepare(1)
    await generations.serve(1)
    await generations.drop_before(1)


def listed(title: str) -> set[str]:
    """Give the first column of the table under a title of the page."""
    text = PAGE.read_text(encoding="utf-8")
    part = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)`", part, re.MULTILINE))


def strings() -> Iterator[str]:
    """Give every text that stands in the source of the adapter."""
    for path in SOURCE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def handled_codes() -> set[str]:
    """Give the codes that the adapter compares with."""
    found: set[str] = set()
    for path in SOURCE.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        values = {
            ast.unparse(node.target): ast.unparse(node.value)
            for node in tree.body
            if isinstance(node, ast.AnnAssign) and node.value is not None
        }
        compared = [
            ast.unparse(node)
            for node in ast.walk(tree)
            if isinstance(node, ast.Compare) and re.search(r"\bcode\b", ast.unparse(node))
        ]
        words: list[str] = re.findall(r"\b_?[A-Z_]+\b|\b\d+\b", " ".join(compared))
        found |= {values.get(word, word) for word in words}
    return found


def tried_codes() -> set[str]:
    """Give the codes that tests make a server say."""
    tree = ast.parse(FAULTS.read_text(encoding="utf-8"))
    return {
        ast.unparse(node.args[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("error", "unconfirmed")
    }


async def test_the_page_lists_exactly_what_is_sent(sent: MongoRecord) -> None:
    assert listed("Commands") == sent.commands
    assert listed("Options of commands") == sent.options
    assert listed("Operators") == sent.operators
    assert listed("Options of indexes") == sent.index_options
    assert listed("Concerns") == sent.concerns


async def test_what_is_sent_is_all_that_stands_in_the_source(sent: MongoRecord) -> None:
    assert {text for text in strings() if re.fullmatch(r"\$\w+", text)} == sent.operators
    # A server may say more of collections that are not there; the driver knows what that means.
    assert {DUPLICATE} <= {str(code) for code in sent.codes} <= listed("Error codes")


def test_the_page_lists_exactly_the_codes_that_are_handled_or_tried() -> None:
    assert listed("Error codes") == handled_codes() | tried_codes() | {NO_SUCH_COLLECTION}


def test_every_row_says_what_mongodb_promises_and_where_it_does() -> None:
    rows = [
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")
    ]
    assert rows
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert len(cells) == 4, row
        assert all(cells), row
        assert "https://www.mongodb.com/docs/" in cells[2], row
