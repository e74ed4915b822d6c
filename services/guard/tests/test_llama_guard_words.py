"""What Llama Guard is told and what it answers: pure, so stated as laws and tables."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from turnwire_chassis.yaml_place import PlaceError, read_yaml
from turnwire_contracts.queries import AskForCheck, GuardMessage
from turnwire_guard.pipeline import Finding, HistoryWantedError, ProviderError
from turnwire_guard.providers.llama_guard.answer import findings_in
from turnwire_guard.providers.llama_guard.categories import variant_of
from turnwire_guard.providers.llama_guard.conversation import conversation_of
from turnwire_guard.providers.llama_guard.options import Options, read_options
from turnwire_guard.providers.llama_guard.prompt import rendered, request_body

OPTIONS = Options(base_url="http://guard/v1", model="m", variant="3-8b")
HATE = Finding("S10", "Hate")

SAID = st.builds(GuardMessage, st.sampled_from(["user", "assistant"]), st.text("ab \n", max_size=4))
QUESTIONS = st.builds(
    AskForCheck,
    check_type=st.sampled_from(["input", "tool_output", "output"]),
    input=st.text("abc", min_size=1, max_size=5),
    conversation=st.lists(SAID, max_size=8),
)


@given(QUESTIONS, st.integers(1, 5))
def test_roles_take_turns_from_a_user_to_the_one_who_is_judged(
    question: AskForCheck, last_turns: int
) -> None:
    roles = [said.role for said in conversation_of(question, last_turns)]

    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"] * (len(roles) % 2)
    assert roles[-1] == ("assistant" if question.check_type == "output" else "user")


@given(QUESTIONS, st.integers(1, 5))
def test_no_more_turns_are_told_than_wanted_unless_they_are_new(
    question: AskForCheck, last_turns: int
) -> None:
    assume(all(said.text not in question.input for said in question.conversation))

    roles = [said.role for said in conversation_of(question, last_turns)]

    assert roles.count("user") <= last_turns


def test_neighbours_of_one_role_become_one_message() -> None:
    talk = [
        GuardMessage("assistant", "hm"),
        GuardMessage("user", "a"),
        GuardMessage("user", " "),
        GuardMessage("user", "b"),
    ]

    assert conversation_of(AskForCheck("input", "b", conversation=talk), 1) == [
        GuardMessage("user", "a\n\nb")
    ]


def test_what_is_new_is_never_cut_away() -> None:
    talk = [
        GuardMessage("user", "old"),
        GuardMessage("assistant", "o"),
        GuardMessage("user", "x"),
        GuardMessage("assistant", "y"),
    ]
    question = AskForCheck("input", "x\ny\nz", conversation=[*talk, GuardMessage("user", "z")])

    assert [said.text for said in conversation_of(question, 1)] == ["x", "y", "z"]


def test_an_answer_is_judged_behind_its_question() -> None:
    talk = [GuardMessage("user", "q"), GuardMessage("assistant", "r"), GuardMessage("user", "how?")]
    question = AskForCheck("output", "so", conversation=talk)

    assert conversation_of(question, 1) == [
        GuardMessage("user", "how?"),
        GuardMessage("assistant", "so"),
    ]
    alone = conversation_of(AskForCheck("output", "so"), 1)
    assert alone == [GuardMessage("user", "(not known)"), GuardMessage("assistant", "so")]


def test_earlier_turns_are_asked_for_once() -> None:
    new = AskForCheck("input", "b", conversation=[GuardMessage("user", "b")], whole=False)
    with pytest.raises(HistoryWantedError) as caught:
        conversation_of(new, 3)
    assert caught.value.turns == 2

    assert len(conversation_of(new, 1)) == 1
    talk = [GuardMessage("user", "a"), GuardMessage("assistant", "r"), GuardMessage("user", "b")]
    more = AskForCheck("input", "b", conversation=talk, whole=False)
    assert len(conversation_of(more, 3)) == 3


PROMPT = """\
Task: Check if there is unsafe content in 'User' messages in conversations according our safety \
policy with the below categories.

<BEGIN UNSAFE CONTENT CATEGORIES>
S1: Violent Crimes.
S2: Non-Violent Crimes.
S3: Sex Crimes.
S4: Child Exploitation.
S5: Defamation.
S6: Specialized Advice.
S7: Privacy.
S8: Intellectual Property.
S9: Indiscriminate Weapons.
S10: Hate.
S11: Self-Harm.
S12: Sexual Content.
S13: Elections.
S14: Code Interpreter Abuse.
<END UNSAFE CONTENT CATEGORIES>

<BEGIN CONVERSATION>

User: Hi

Agent: Hello {there}

User: Bye

<END CONVERSATION>

Provide your safety assessment for ONLY THE LAST User message in the above conversation:
 - First line must read 'safe' or 'unsafe'.
 - If unsafe, a second line must include a comma-separated list of violated categories."""


def test_the_rendered_prompt_is_the_one_of_the_models_card() -> None:
    talk = [
        GuardMessage("user", "Hi"),
        GuardMessage("assistant", "Hello {there}"),
        GuardMessage("user", "Bye"),
    ]

    assert rendered(talk, OPTIONS) == PROMPT
    of_agent = rendered(talk[:2], OPTIONS)
    assert "ONLY THE LAST Agent message" in of_agent
    assert "in 'Agent' messages" in of_agent


def test_categories_that_are_excluded_or_unknown_to_the_model_are_not_in_the_prompt() -> None:
    asked = replace(OPTIONS, variant="3-1b", exclude=frozenset({"S6"}))

    prompt = rendered([GuardMessage("user", "Hi")], asked)

    assert "S6" not in prompt
    assert "S14" not in prompt
    assert "S13: Elections." in prompt


def test_a_rendered_prompt_travels_as_one_message_of_text() -> None:
    asked = replace(OPTIONS, variant="3-1b", prompt_mode="rendered", exclude=frozenset({"S6"}))

    body = request_body([GuardMessage("user", "Hi")], asked)

    assert [message["role"] for message in body["messages"]] == ["user"]
    assert body["messages"][0]["content"].startswith("Task: Check if")
    assert "chat_template_kwargs" not in body


def completion(text: object, **choice: Any) -> Any:
    return {"choices": [{"message": {"content": text}, **choice}]}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("safe", ()),
        ("\n\nsafe\n", ()),
        ("Safe ", ()),
        ("unsafe\nS10", (HATE,)),
        ("\n\n unsafe \n s10, S1 ,S10", (HATE, Finding("S1", "Violent Crimes"))),
        ("unsafe\nS99", (Finding("S99", "Unknown category"),)),
        ("unsafe", (Finding("unsafe", "No category was named"),)),
        ("unsafe\nO3", (Finding("unsafe", "No category was named"),)),
        ("unsafe\nS6", ()),
        ("unsafe\nS6,S10", (HATE,)),
    ],
)
def test_answers_are_read_as_models_write_them(text: str, found: tuple[Finding, ...]) -> None:
    assert findings_in(completion(text), replace(OPTIONS, exclude=frozenset({"S6"}))) == found


NO_ANSWERS: list[Any] = [
        None, [], {}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": {}}]},
        completion(None), completion(3), completion(""), completion("safe\nS1"),
        completion("unsafely said"), completion("The text is safe."), completion("S1"),
]  # fmt: skip


@pytest.mark.parametrize("given", NO_ANSWERS)
def test_what_is_no_answer_is_an_error_without_its_text(given: Any) -> None:
    with pytest.raises(ProviderError, match=r"the answer (has no text|is neither)"):
        findings_in(given, OPTIONS)


def tokens(*top: tuple[str, float]) -> Any:
    listed = [{"token": token, "logprob": logprob} for token, logprob in top]
    return {"content": [{"token": "\n\n", "logprob": 0}, {**listed[0], "top_logprobs": listed}]}


@pytest.mark.parametrize(
    ("logprobs", "safe"),
    [
        (tokens(("safe", -0.1), ("unsafe", -3.0)), True),
        (tokens(("safe", -0.7), (" unsafe", -0.7)), False),
        (tokens(("un", -0.1), ("safe", -3.0)), False),
        (tokens(("unsafe", -0.1)), False),
        (tokens(("safe", -0.1)), True),
        (tokens(("what", -0.1)), False),
        ({"content": "none"}, False),
        (None, False),
    ],
)
def test_the_first_word_s_probability_decides_or_else_the_word(
    logprobs: Any, *, safe: bool
) -> None:
    answer = completion("unsafe\nS10", logprobs=logprobs)

    assert (findings_in(answer, replace(OPTIONS, threshold=0.4)) == ()) == safe


@pytest.mark.parametrize(
    ("model", "variant"),
    [
        ("meta-llama/Llama-Guard-3-8B", "3-8b"),
        ("llama-guard3:1b", "3-1b"),
        ("meta-llama/Llama-Guard-3-11B-Vision", "3-1b"),
        ("meta-llama/Llama-Guard-4-12B", "4-12b"),
        ("guard", "3-8b"),
    ],
)
def test_a_model_is_known_by_its_name(model: str, variant: str) -> None:
    assert variant_of(model) == variant


def read(text: str) -> Options:
    return read_options(read_yaml(f"base_url: http://h:1/v1/\nmodel: m\n{text}", "p"), {"K": "k"})


def test_settings_become_options() -> None:
    given = read(
        "variant: 3-1b\napi_key_env: K\ntimeout_s: 1.5\nprompt_mode: rendered\nexclude: [S6, S13]\n"
        "last_turns: 4\nthreshold: 0.2\nmax_concurrent: 3"
    )

    assert given == Options(
        base_url="http://h:1/v1",
        model="m",
        variant="3-1b",
        api_key="k",
        timeout_s=1.5,
        prompt_mode="rendered",
        exclude=frozenset({"S6", "S13"}),
        last_turns=4,
        threshold=0.2,
        max_concurrent=3,
    )
    assert read("") == replace(OPTIONS, base_url="http://h:1/v1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("api_key_env: NONE", "p:3: api_key_env: the environment variable NONE is not set"),
        ("prompt_mode: message", "p:3: prompt_mode: 'message' is not possible. Did you mean"),
        ("exclude: [S15]", "p:3: exclude[0]: 'S15' is not possible."),
        ("{variant: 3-1b, exclude: [S14]}", "p:3: "),
        ("last_turns: 1.5", "p:3: last_turns: must be a whole number above 0"),
        ("threshold: 1", "p:3: threshold: must be a probability between 0 and 1"),
        ("timout_s: 1", "p:3: timout_s: there is no such key. Did you mean 'timeout_s'?"),
    ],
)
def test_settings_that_cannot_be_are_named_by_line(text: str, said: str) -> None:
    with pytest.raises(PlaceError) as caught:
        read(text)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://h", "must be a URL like http://127.0.0.1:8000/v1"),
        ("http://u:p@h/v1", "must not hold credentials; name a variable with `api_key_env`"),
    ],
)
def test_an_address_that_cannot_be_is_refused(url: str, said: str) -> None:
    with pytest.raises(PlaceError, match=said):
        read_options(read_yaml(f"base_url: {url}\nmodel: m", "p"), {})
