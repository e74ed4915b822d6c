"""The provider `regex`."""

import asyncio
import time

from hypothesis import given
from hypothesis import strategies as st

from turnwire_chassis.yaml_place import read_yaml
from turnwire_contracts.queries import AskForCheck
from turnwire_guard.pipeline import Finding, Provider
from turnwire_guard.providers.regex import provider as regex

LINEAR_S = 5.0
"""Of the processor's time; what is not linear takes hours."""


def provider(**patterns: list[str]) -> Provider:
    lines = [
        f"  {category}: [{', '.join(_quoted(each) for each in expressions)}]"
        for category, expressions in patterns.items()
    ]
    return regex.build(read_yaml("\n".join(["patterns:", *lines]), "p.yaml"))


def categories(judge: Provider, content: str) -> list[str]:
    findings = asyncio.run(judge.judge(AskForCheck(check_type="input", input=content)))
    assert all(finding == Finding(finding.category) for finding in findings)
    return [finding.category for finding in findings]


def _quoted(expression: str) -> str:
    return "'" + expression.replace("'", "''") + "'"


def test_each_category_that_occurs_is_found_once_in_the_order_of_the_policy() -> None:
    judge = provider(key=["sk-[a-z]+", "sk-"], mail=[r"\w+@\w+"], never=["zzz"])

    assert categories(judge, "me@home has sk-abc and sk-def") == ["key", "mail"]
    assert categories(judge, "nothing here") == []


def test_an_expression_is_found_anywhere_unless_it_is_anchored() -> None:
    judge = provider(inside=["b"], whole=["^b$"])

    assert categories(judge, "abc") == ["inside"]
    assert categories(judge, "b") == ["inside", "whole"]


def test_flags_and_alternatives_end_with_their_expression() -> None:
    judge = provider(first=["(?i)one|two"], second=["Three"])

    assert categories(judge, "ONE") == ["first"]
    assert categories(judge, "three") == []


def test_an_open_quotation_does_not_swallow_its_neighbours() -> None:
    judge = provider(literal=[r"\Qa.b", "x+"], other=["c"])

    assert categories(judge, "a.b") == ["literal"]
    assert categories(judge, "axb") == ["literal"]
    assert categories(judge, "a-b") == []
    assert categories(judge, "c") == ["other"]


def test_text_beyond_ascii_matches_by_character() -> None:
    judge = provider(umlaut=["^.ü.$"], emoji=["👍{2}"])

    assert categories(judge, "süß") == ["umlaut"]
    assert categories(judge, "👍👍") == ["emoji"]


def test_a_category_without_expressions_is_never_found() -> None:
    assert categories(provider(empty=[]), "anything") == []


@given(
    st.dictionaries(
        st.sampled_from("abcd"),
        st.lists(st.text("xyz", min_size=1, max_size=3), max_size=3),
        min_size=1,
    ),
    st.text("xyz", max_size=12),
)
def test_plain_words_are_found_exactly_where_they_occur(
    words: dict[str, list[str]], content: str
) -> None:
    expected = [name for name, each in words.items() if any(word in content for word in each)]

    assert categories(provider(**words), content) == expected


def test_an_expression_made_to_be_slow_takes_time_linear_in_the_content() -> None:
    judge = provider(slow=["(a|a)*(a|a)*b"], many=["(x+x+)+y"])
    content = "a" * 200_000 + "x" * 200_000

    started = time.process_time()
    found = categories(judge, content)

    assert found == []
    assert time.process_time() - started < LINEAR_S
