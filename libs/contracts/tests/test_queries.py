"""What services ask each other travels whole, and an answer says which of its shapes it is."""

from typing import Any

import msgspec
import pytest
from msgspec import Struct

from turnwire_contracts import queries, tools
from turnwire_contracts.conversation import ConversationState, fold_conversation
from turnwire_contracts.events import Failure
from turnwire_contracts.inspecting import response_list
from turnwire_contracts.inspecting.response_list import (
    AskForResponses,
    ResponseFilters,
    Responses,
    ResponseSummary,
    Scan,
    UnknownAfter,
)
from turnwire_contracts.queries import (
    AskForConversation,
    AskForConversations,
    AskForHistory,
    AskForResponse,
    AskForTree,
    Conversations,
    Found,
    FoundConversation,
    History,
    Missing,
    Node,
    Query,
    Refusal,
    Running,
    Tree,
)
from turnwire_contracts.tools import (
    AskForCall,
    AskForTools,
    Called,
    CallError,
    Tool,
    Tools,
    ToolServer,
)
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_testing.examples import (
    CONVERSATION_ID,
    OTHER_ID,
    OWNER,
    RESPONSE_ID,
    TENANT,
    closed,
    conversation_created,
    deleted,
    item_removed,
    requested,
    turn_added,
)

TURN = fold([requested(conversation=CONVERSATION_ID), closed(), item_removed(), deleted()])
CONVERSATION = fold_conversation([conversation_created(), turn_added()])
REFUSED = Refusal(Failure(503, "server_error", "store_unavailable", "Try again."))
LISTED = ResponseSummary(RESPONSE_ID, OWNER, "queued", "m", 7, background=True, tools=["look"])
SERVER = ToolServer("weather", "https://tools.example/mcp", "sealed")
assert isinstance(TURN, ClosedTurn)
assert isinstance(CONVERSATION, ConversationState)

QUERIES: list[Query[Any, Any]] = [
    each
    for module in (queries, response_list, tools)
    for each in vars(module).values()
    if isinstance(each, Query)
]
QUESTIONS: list[tuple[Query[Any, Any], Struct]] = [
    (queries.STORE_RESPONSE, AskForResponse(TENANT, RESPONSE_ID)),
    (queries.STORE_HISTORY, AskForHistory(TENANT, RESPONSE_ID)),
    (queries.STORE_CONVERSATION, AskForConversation(TENANT, CONVERSATION_ID)),
    (queries.STORE_CONVERSATIONS, AskForConversations(TENANT, OWNER, 20, metadata={"a": "b"})),
    (queries.STORE_CONVERSATIONS, AskForConversations(TENANT, None, 20, include_deleted=True)),
    (queries.STORE_TREE, AskForTree(TENANT, CONVERSATION_ID, 20, after=RESPONSE_ID)),
    (
        response_list.STORE_RESPONSES,
        AskForResponses(
            TENANT, OWNER, 20, OTHER_ID, filters=ResponseFilters("failed", tool="look"), search="x"
        ),
    ),
    (tools.TOOLS_LIST, AskForTools(TENANT, SERVER, 3, RESPONSE_ID)),
    (tools.TOOLS_CALL, AskForCall(TENANT, SERVER, "mcp_1", "forecast", "{}", "digest", 3)),
]
ANSWERS: list[tuple[Query[Any, Any], Struct]] = [
    (queries.STORE_RESPONSE, Found(TURN)),
    (queries.STORE_RESPONSE, Running(requested(background=True), "Be brief.", started=True)),
    (queries.STORE_RESPONSE, Missing()),
    (queries.STORE_HISTORY, History([TURN], before=OTHER_ID)),
    (queries.STORE_CONVERSATION, FoundConversation(CONVERSATION, 7)),
    (queries.STORE_CONVERSATION, Missing()),
    (queries.STORE_CONVERSATIONS, Conversations([CONVERSATION], has_more=True)),
    (queries.STORE_CONVERSATIONS, REFUSED),
    (queries.STORE_TREE, Tree([Node(TURN, [OTHER_ID])], has_more=True)),
    (queries.STORE_TREE, REFUSED),
    (
        response_list.STORE_RESPONSES,
        Responses([LISTED], has_more=True, scan=Scan(3, complete=False, last_scanned=OTHER_ID)),
    ),
    (response_list.STORE_RESPONSES, UnknownAfter()),
    (response_list.STORE_RESPONSES, REFUSED),
    (tools.TOOLS_LIST, Tools([Tool("forecast", {"type": "object"}, "Tells.", {"title": "F"})])),
    (tools.TOOLS_LIST, REFUSED),
    (tools.TOOLS_CALL, Called("Rain.", truncated=True)),
    (tools.TOOLS_CALL, Called(error=CallError("http_error", "No.", 503, unsent=True))),
    (tools.TOOLS_CALL, REFUSED),
]


@pytest.mark.parametrize(("query", "question"), QUESTIONS)
def test_a_question_is_read_as_it_was_asked(query: Query[Any, Any], question: Struct) -> None:
    assert query.decode_question(query.encode_question(question)) == question


@pytest.mark.parametrize(("query", "answer"), ANSWERS)
def test_an_answer_is_read_as_it_was_given(query: Query[Any, Any], answer: Struct) -> None:
    assert query.decode_answer(query.encode_answer(answer)) == answer


def test_no_two_queries_share_a_subject() -> None:
    assert len({query.subject for query in QUERIES}) == len(QUERIES)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"type":"Exploded"}', b'{"tenant":1}'])
def test_what_is_no_question_and_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        queries.STORE_TREE.decode_question(body)
    with pytest.raises(msgspec.DecodeError):
        queries.STORE_TREE.decode_answer(body)


def test_a_tool_that_is_another_in_anything_has_another_digest() -> None:
    tool = Tool("forecast", {"type": "object", "required": ["city"]}, "Tells.", {"title": "F"})
    same = Tool("forecast", {"required": ["city"], "type": "object"}, "Tells.", {"title": "F"})
    others = [
        Tool("forecasts", tool.input_schema, tool.description, tool.annotations),
        Tool("forecast", {"type": "object"}, tool.description, tool.annotations),
        Tool("forecast", tool.input_schema, "Tells all.", tool.annotations),
        Tool("forecast", tool.input_schema, tool.description, {"readOnlyHint": True}),
    ]

    assert same.digest == tool.digest
    assert len({tool.digest, *(each.digest for each in others)}) == 5


@pytest.mark.parametrize(
    ("annotations", "is_read_only", "may_be_repeated"),
    [
        (None, False, False),
        ({"readOnlyHint": True}, True, True),
        ({"idempotentHint": True}, False, True),
        ({"readOnlyHint": False, "idempotentHint": False}, False, False),
    ],
)
def test_only_a_tool_that_says_so_may_be_repeated(
    annotations: dict[str, Any] | None, *, is_read_only: bool, may_be_repeated: bool
) -> None:
    tool = Tool("forecast", {}, None, annotations)

    assert (tool.is_read_only, tool.may_be_repeated) == (is_read_only, may_be_repeated)
