"""Pages: put together they are the whole list, whichever way and however long they are."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON
from turnwire_gateway.api.requests.paging import Paging, flag, page_of, paging, whole_number
from turnwire_gateway.errors import ApiError

lists = st.lists(st.integers(), unique=True, max_size=30).map(
    lambda numbers: [{"id": f"msg_{number}"} for number in numbers]
)


def all_pages(items: list[Item], limit: int, *, newest_first: bool) -> list[JSON]:
    """Turn pages until there is no more, as SDKs do."""
    pages: list[JSON] = []
    after: str | None = None
    while not pages or pages[-1]["has_more"]:
        pages.append(page_of(items, Paging(limit, newest_first, after)))
        after = pages[-1]["last_id"]
    return pages


def refused(read: Any, query: dict[str, str]) -> tuple[int, str, str | None]:
    """Read a query that is refused."""
    with pytest.raises(ApiError) as raised:
        read(query)
    failure = raised.value.failure
    return failure.http_status, failure.code, failure.param


def streamed(query: dict[str, str]) -> bool:
    """Read the flag of the examples."""
    return flag(query, "stream")


@given(items=lists, limit=st.integers(1, 100), newest_first=st.booleans())
def test_pages_put_together_are_the_whole_list(
    items: list[Item], limit: int, *, newest_first: bool
) -> None:
    pages = all_pages(items, limit, newest_first=newest_first)
    together = [item for page in pages for item in page["data"]]
    assert together == (items[::-1] if newest_first else items)


@given(items=lists, limit=st.integers(1, 100), newest_first=st.booleans())
def test_a_page_has_its_limit_and_says_where_it_begins_and_ends(
    items: list[Item], limit: int, *, newest_first: bool
) -> None:
    for page in all_pages(items, limit, newest_first=newest_first):
        data = page["data"]
        assert len(data) == limit if page["has_more"] else len(data) <= limit
        ends = (data[0]["id"], data[-1]["id"]) if data else (None, None)
        assert (page["object"], page["first_id"], page["last_id"]) == ("list", *ends)


def test_nothing_comes_after_an_item_that_is_not_there() -> None:
    with pytest.raises(ApiError) as raised:
        page_of([{"id": "msg_1"}], Paging(20, newest_first=False, after="msg_2"))
    assert (raised.value.failure.http_status, raised.value.failure.param) == (400, "after")


def test_a_page_is_the_newest_twenty_unless_it_is_said() -> None:
    assert paging({}) == Paging(20, newest_first=True, after=None)
    assert paging({}, newest_first=False) == Paging(20, newest_first=False, after=None)
    said = {"limit": "3", "order": "asc", "after": "msg_1"}
    assert paging(said) == Paging(3, newest_first=False, after="msg_1")


@pytest.mark.parametrize("given", ["0", "101", "-1", "1.5", "x", "", " 1", "\u0661", "9" * 5000])
def test_a_limit_is_a_whole_number_from_1_to_100(given: str) -> None:
    assert refused(paging, {"limit": given}) == (400, "invalid_value", "limit")


@pytest.mark.parametrize("given", ["", "ASC", "newest", "x" * 5000])
def test_there_are_two_orders(given: str) -> None:
    assert refused(paging, {"order": given}) == (400, "invalid_value", "order")


@given(st.text(max_size=40))
def test_a_number_is_read_or_refused_by_its_name(text: str) -> None:
    try:
        assert str(whole_number({"n": text}, "n", 0, (0, 10**9))) == text.lstrip("0").rjust(1, "0")
    except ApiError as error:
        assert (error.failure.http_status, error.failure.param) == (400, "n")  # noqa: PT017 -- either way is right


@pytest.mark.parametrize(
    ("given", "meant"),
    [(None, False), ("", False), ("false", False), ("0", False), ("true", True), ("True", True)],
)
def test_a_flag_is_off_unless_it_is_on(given: str | None, *, meant: bool) -> None:
    assert flag({} if given is None else {"stream": given}, "stream") is meant


@pytest.mark.parametrize("given", ["yes", "2", "tru", "x" * 5000])
def test_a_flag_is_true_or_false(given: str) -> None:
    assert refused(streamed, {"stream": given}) == (400, "invalid_value", "stream")
