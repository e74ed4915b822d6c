"""A chat graph of two turns with LangGraph; the second is printed as it is written.

The graph keeps all messages and sends them all, together with the id of the response before.
Turnwire has them already and drops what is repeated, so the model reads each message once.
"""

import os

from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph  # pyright: ignore[reportMissingTypeStubs]
from pydantic import SecretStr

llm = ChatOpenAI(
    model=os.environ.get("TURNWIRE_MODEL", "smollm2"),
    base_url=os.environ.get("TURNWIRE_URL", "http://127.0.0.1:8080/v1"),
    api_key=SecretStr(os.environ.get("TURNWIRE_TOKEN", "local")),
    use_responses_api=True,
    temperature=0,
)


class Chat(MessagesState):
    """The messages so far, and the response that the next turn continues."""

    previous_response_id: str | None


def answer(state: Chat) -> Chat:
    message = llm.invoke(state["messages"], previous_response_id=state["previous_response_id"])
    return {"messages": [message], "previous_response_id": message.response_metadata["id"]}


graph = StateGraph(Chat).add_node("answer", answer).add_edge(START, "answer").compile()

start = Chat(
    messages=[
        SystemMessage("Be brief and kind."),
        HumanMessage("What is the capital of France?"),
    ],
    previous_response_id=None,
)
first = graph.invoke(start)
print(first["messages"][-1].text)

question = HumanMessage("And what is it known for?")
history = Chat(
    messages=[*first["messages"], question],
    previous_response_id=first["previous_response_id"],
)
for chunk, _ in graph.stream(history, stream_mode="messages"):
    if isinstance(chunk, AIMessageChunk):
        print(chunk.text, end="", flush=True)
print()
