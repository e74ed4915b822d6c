"""What a model says in a chat completion it is told again in the next one, word for word."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from scripted_backend import Dialect as Spoken
from scripted_backend import Reply, calls, says, thinks
from scripted_backend.answers import FunctionCall
from scripted_backend.chat_grammar import chat_beats
from scripted_backend.grammar import Exchange
from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.assembly import Assembler
from turnwire_orchestrator.inference.chat_reading import ChatReader
from turnwire_orchestrator.inference.sse import EventSplitter
from turnwire_orchestrator.prompting.client_tools import client_tools
from turnwire_orchestrator.prompting.dialect import Dialect
from turnwire_testing.examples import RESPONSE_ID, user
from turnwire_testing.prompts import CUSTOM, FUNCTION, as_chat, prompt

EXCHANGE = Exchange(body={"model": "m"}, size=40, number=7, created_at=1, chat=True)
TOOLS = {"tools": [FUNCTION, CUSTOM]}

words = st.text(min_size=1, max_size=9)
said = st.one_of(
    st.builds(says, words, words),
    st.builds(thinks, words),
    st.builds(calls, st.just("add"), st.fixed_dictionaries({"a": st.integers(-9, 9)})),
    st.builds(calls, st.just("patch"), st.fixed_dictionaries({"input": words})),
)
replies = st.lists(said, min_size=1, max_size=6).map(lambda all_: sum(all_, Reply(items=())))
spoken = st.sampled_from(list[Spoken](["openai", "llamacpp", "vllm", "ollama", "sglang"]))


def read(reply: Reply, dialect: Spoken) -> list[Item]:
    """Read a reply as a backend of that dialect streams it."""
    assembler, splitter = Assembler(RESPONSE_ID), EventSplitter()
    reader = ChatReader(assembler, client_tools(TOOLS))
    for beat in chat_beats(reply, EXCHANGE, dialect):
        for data in splitter.feed(beat.data):
            reader.take(data)
    assert reader.end().status == "completed"
    return assembler.items


def answered(items: list[Item]) -> list[Item]:
    """Give each call its output, as a client does."""
    return [
        {"type": f"{item['type']}_output", "call_id": item["call_id"], "output": "3"}
        for item in items
        if "call_id" in item
    ]


def called(messages: list[JSON]) -> list[tuple[str, str]]:
    """Give the ids and the names of all calls."""
    told = [call for message in messages for call in message.get("tool_calls", [])]
    return [(call["id"], call["function"]["name"]) for call in told]


@given(replies, spoken)
def test_calls_and_words_come_back_as_they_were(reply: Reply, dialect: Spoken) -> None:
    items = read(reply, dialect)
    outputs = answered(items)
    asked = prompt(TOOLS, input=[user("Go."), *items, *outputs, user("On.")])
    messages = as_chat(asked, Dialect.LLAMA_CPP)["messages"]
    told = [item for item in items if "call_id" in item]
    assert called(messages) == [(item["call_id"], item["name"]) for item in told]
    tools = [message["tool_call_id"] for message in messages if message["role"] == "tool"]
    assert tools == [item["call_id"] for item in told]
    texts = [item["content"][0]["text"] for item in items if item["type"] == "message"]
    contents = [message["content"] for message in messages if message["role"] == "assistant"]
    assert "\n".join(text for text in contents if text) == "\n".join(texts)


@given(replies, spoken)
def test_a_tools_output_follows_the_message_that_called_it(reply: Reply, dialect: Spoken) -> None:
    items = read(reply, dialect)
    asked = prompt(TOOLS, input=[user("Go."), *items, *answered(items)])
    messages = as_chat(asked)["messages"]
    for before, message in pairwise(messages):
        if message["role"] == "tool":
            assert before["role"] == "tool" or before.get("tool_calls")


@given(replies, spoken)
def test_custom_calls_keep_their_text(reply: Reply, dialect: Spoken) -> None:
    items = read(reply, dialect)
    inputs = [item["input"] for item in items if item["type"] == "custom_tool_call"]
    calls_made = [item for item in reply.items if isinstance(item, FunctionCall)]
    meant = ["".join(call.deltas) for call in calls_made if call.name == "patch"]
    assert len(inputs) == len(meant)
    messages = as_chat(prompt(TOOLS, input=items))["messages"]
    told = [call for message in messages for call in message.get("tool_calls", [])]
    wrapped = [
        call["function"]["arguments"] for call in told if call["function"]["name"] == "patch"
    ]
    assert wrapped == meant
