"""`POST /v1/check`, with the policy of a stack and without one."""

import pytest

from e2e.rig.wire import Api

pytestmark = pytest.mark.usefixtures("backend")


async def test_what_breaks_the_policy_is_told_and_what_does_not_is_safe(impatient_api: Api) -> None:
    violation = {"category": "key", "provider": "regex", "stage": "secrets", "step": 1}
    unsafe = {"check_type": "input", "input": [{"role": "user", "content": "it is sk-abc"}]}

    assert await impatient_api.call("POST", "/check", unsafe) == (
        200,
        {"safe": False, "violations": [violation]},
    )
    for fields in ({"input": "it is a key"}, {"check_type": "output"}):
        answer = await impatient_api.call("POST", "/check", {**unsafe, **fields})
        assert answer == (200, {"safe": True, "violations": []})


async def test_without_a_policy_everything_is_safe(api: Api) -> None:
    asked = {"check_type": "output", "input": "sk-abc", "application_id": "shop"}

    assert await api.call("POST", "/check", asked) == (200, {"safe": True, "violations": []})
