"""LangGraph and LangChain's OpenAI model: calls, streams, tools, types, chains and a graph."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.messages.tool import ToolCallChunk
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph  # pyright: ignore[reportMissingTypeStubs]
from langgraph.prebuilt import ToolNode, tools_condition
from openai import DefaultAsyncHttpx2Client
from pydantic import BaseModel, SecretStr

from clients.rig.questions import (
    ADDS,
    ANSWERS_CITY,
    CITY,
    FIRST,
    HOW_MUCH,
    PARIS,
    SECOND,
    SUM,
    TOWER,
)
from e2e.rig.conversation import MODEL, heard
from e2e.rig.stack import Stack
from scripted_backend import ScriptedBackend

pytestmark = pytest.mark.clients


class City(BaseModel):
    """What the model is to answer with."""

    name: str
    people: int


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.fixture
async def llm(stack: Stack) -> AsyncGenerator[ChatOpenAI]:
    """The model as a user makes it, but that it would keep its connections for other loops."""
    async with DefaultAsyncHttpx2Client() as connections:
        yield ChatOpenAI(
            model=MODEL,
            base_url=stack.url,
            api_key=SecretStr(stack.key),
            use_responses_api=True,
            max_retries=0,
            http_async_client=connections,
        )


@pytest.fixture
def chained(llm: ChatOpenAI) -> ChatOpenAI:
    """The model that names the response before instead of sending all again."""
    return llm.model_copy(update={"use_previous_response_id": True})


async def test_a_model_answers(llm: ChatOpenAI, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    message = await asyncio.to_thread(llm.invoke, FIRST)
    assert message.text == "Paris."
    assert message.usage_metadata is not None
    assert message.usage_metadata["total_tokens"] == 15
    assert message.response_metadata["id"].startswith("resp_")
    assert heard(backend) == [("user", FIRST)]


async def test_a_model_answers_asynchronously(llm: ChatOpenAI, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    message = await llm.ainvoke([HumanMessage(FIRST)])
    assert (message.text, heard(backend)) == ("Paris.", [("user", FIRST)])


async def test_a_model_streams_its_answer(llm: ChatOpenAI, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    chunks = [chunk async for chunk in llm.astream(FIRST)]
    assert [chunk.text for chunk in chunks if chunk.text] == ["Par", "is."]
    whole: Any = sum(chunks[1:], start=chunks[0])
    assert isinstance(whole, AIMessageChunk)
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["total_tokens"] == 15
    assert whole.response_metadata["id"].startswith("resp_")


async def test_a_model_answers_in_a_type(llm: ChatOpenAI, backend: ScriptedBackend) -> None:
    backend.script(ANSWERS_CITY)
    model: Any = llm
    typed = model.with_structured_output(City, method="json_schema")
    assert await typed.ainvoke(FIRST) == City.model_validate(CITY)
    assert backend.requests[0].body["text"]["format"]["type"] == "json_schema"


async def test_a_model_calls_its_function(llm: ChatOpenAI, backend: ScriptedBackend) -> None:
    backend.script(ADDS, SUM)
    bound = llm.bind_tools([add])
    asked = await bound.ainvoke(HOW_MUCH)
    (call,) = asked.tool_calls
    assert (call["name"], call["args"]) == ("add", {"a": 19, "b": 23})
    answer = ToolMessage("42", tool_call_id=call["id"] or "none")
    answered = await bound.ainvoke([HumanMessage(HOW_MUCH), asked, answer])
    assert answered.text == "It is 42."
    assert heard(backend) == [
        ("user", HOW_MUCH),
        ("function_call", ""),
        ("function_call_output", "42"),
    ]


async def test_a_model_calls_its_function_in_a_stream(
    llm: ChatOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(ADDS)
    chunks = [chunk async for chunk in llm.bind_tools([add]).astream(HOW_MUCH)]
    pieces = [piece["args"] for chunk in chunks for piece in _call_chunks(chunk) if piece["args"]]
    assert len(pieces) == 2
    whole: Any = sum(chunks[1:], start=chunks[0])
    (call,) = whole.tool_calls
    assert (call["name"], call["args"]) == ("add", {"a": 19, "b": 23})


async def test_a_model_sends_only_what_is_new(
    chained: ChatOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(PARIS, TOWER)
    first = await chained.ainvoke([HumanMessage(FIRST)])
    second = await chained.ainvoke([HumanMessage(FIRST), first, HumanMessage(SECOND)])
    assert second.text == "Its tower."
    assert heard(backend) == [("user", FIRST), ("assistant", "Paris."), ("user", SECOND)]


async def test_a_graph_loops_through_its_tools(
    chained: ChatOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(PARIS, ADDS, SUM)
    bound = chained.bind_tools([add])

    async def answer(state: MessagesState) -> dict[str, list[AIMessage]]:
        return {"messages": [await bound.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState).add_node("answer", answer).add_node("tools", ToolNode([add]))
    graph.add_edge(START, "answer").add_conditional_edges("answer", tools_condition)
    compiled = graph.add_edge("tools", "answer").compile()
    first = await compiled.ainvoke({"messages": [HumanMessage(FIRST)]})
    second = await compiled.ainvoke({"messages": [*first["messages"], HumanMessage(HOW_MUCH)]})
    assert second["messages"][-1].text == "It is 42."
    assert heard(backend) == [
        ("user", FIRST),
        ("assistant", "Paris."),
        ("user", HOW_MUCH),
        ("function_call", ""),
        ("function_call_output", "42"),
    ]


async def test_a_model_takes_turns_in_a_conversation(
    llm: ChatOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(PARIS, TOWER)
    conversation = await llm.root_async_client.conversations.create()
    bound = llm.bind(conversation=conversation.id)
    await bound.ainvoke(FIRST)
    second = await bound.ainvoke(SECOND)
    assert second.text == "Its tower."
    assert heard(backend) == [("user", FIRST), ("assistant", "Paris."), ("user", SECOND)]


def _call_chunks(message: AIMessage) -> list[ToolCallChunk]:
    return message.tool_call_chunks if isinstance(message, AIMessageChunk) else []
