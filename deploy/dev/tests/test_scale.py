"""What `--scale` and TURNWIRE_SCALE mean."""

import pytest

from turnwire_dev.scale import in_words, member_names, members

ONE_EACH = {"gateway": 1, "orchestrator": 1, "tool-runner": 1, "guard": 1, "store": 1}


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("", {}),
        (" , ", {}),
        ("gateway=2", {"gateway": 2}),
        (" tool-runner = 3 , store=2,", {"tool-runner": 3, "store": 2}),
        ("guard=64", {"guard": 64}),
    ],
)
def test_what_is_not_said_is_one(text: str, changed: dict[str, int]) -> None:
    assert members(text) == {**ONE_EACH, **changed}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("gateways=2", "'gateways' is no service"),
        ("2", "'2' is no service"),
        ("gateway", "gateway= must be a whole number from 1 to 64"),
        ("gateway=0", "gateway=0 must be a whole number from 1 to 64"),
        ("gateway=-1", "gateway=-1 must be"),
        ("gateway=65", "gateway=65 must be"),
        ("gateway=²", "gateway=² must be"),
        ("gateway=two", "gateway=two must be"),
        ("gateway=2,gateway=3", "gateway is said twice"),
        ("auto,gateway=2", "'auto' is no service"),
    ],
)
def test_what_cannot_be_is_named_with_the_way_out(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as raised:
        members(text)
    assert "gateway=2,orchestrator=3, or auto" in str(raised.value)


@pytest.mark.parametrize("cores", [1, 2, 4, 8, 64, 512])
def test_auto_grows_with_the_cores_and_never_beyond_what_may_be_said(cores: int) -> None:
    auto = members("auto", cores)
    said = ",".join(f"{name}={count}" for name, count in auto.items())
    assert members(said) == auto
    assert auto["orchestrator"] >= auto["gateway"] >= 1
    assert auto["guard"] == auto["store"] == 1
    assert all(members("auto", cores + 1)[name] >= count for name, count in auto.items())


def test_auto_is_one_of_each_on_one_core_and_more_on_several() -> None:
    assert members("auto", 1) == ONE_EACH
    assert members("auto", 8) == {**ONE_EACH, "gateway": 3, "orchestrator": 6, "tool-runner": 2}


def test_the_first_member_has_the_name_of_its_service() -> None:
    assert member_names("gateway", 1) == ("gateway",)
    assert member_names("gateway", 3) == ("gateway", "gateway-2", "gateway-3")


def test_only_what_has_several_members_is_shown() -> None:
    assert in_words(members("")) == ""
    assert in_words(members("orchestrator=3,gateway=2")) == "gateway x 2, orchestrator x 3"
