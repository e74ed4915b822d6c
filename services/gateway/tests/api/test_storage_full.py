"""A log without room: new turns are refused with a code, a time, and nothing done; reads go on."""

import pytest

from turnwire_chassis.auditing.audit_log import AuditUnavailableError
from turnwire_chassis.event_log import StorageFullError
from turnwire_contracts.audit.acts import AnyAuditEvent
from turnwire_contracts.json_values import JSON
from turnwire_testing.gateway import Api
from turnwire_testing.memory_event_log import Event


def fill(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the log of a gateway take nothing more."""

    async def append(event: Event, expected: int | None) -> int:
        del event, expected
        raise StorageFullError("full")

    monkeypatch.setattr(api.log, "append", append)


@pytest.mark.parametrize("fields", [{}, {"stream": True}, {"background": True}])
async def test_a_new_turn_is_refused_and_what_is_there_is_read(
    api: Api, monkeypatch: pytest.MonkeyPatch, fields: JSON
) -> None:
    said = await api.say("Hi")
    fill(api, monkeypatch)

    refused = await api.create(**fields)

    assert (refused.status, refused.json["error"]["code"]) == (503, "storage_full")
    assert int(refused.headers["retry-after"]) > 0
    assert "x-should-retry" not in refused.headers
    assert (await api.get(f"/v1/responses/{said['id']}")).status == 200


async def test_a_new_conversation_and_new_items_are_refused(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = await api.converse()
    fill(api, monkeypatch)
    items = [{"type": "message", "role": "user", "content": "Hi"}]

    made = await api.call("POST", "/v1/conversations", {})
    added = await api.call("POST", f"/v1/conversations/{conversation}/items", {"items": items})

    for refused in (made, added):
        assert (refused.status, refused.json["error"]["code"]) == (503, "storage_full")
    assert (await api.get(f"/v1/conversations/{conversation}")).status == 200


async def test_an_act_of_an_admin_that_cannot_be_noted_is_not_done(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def note(event: AnyAuditEvent) -> None:
        del event
        raise AuditUnavailableError("full") from StorageFullError("full")

    said = await api.say("Hi")
    monkeypatch.setattr(api.audit, "note", note)

    refused = await api.call("DELETE", f"/v1/responses/{said['id']}?hard_delete=true")

    assert (refused.status, refused.json["error"]["code"]) == (503, "storage_full")
    assert (await api.get(f"/v1/responses/{said['id']}")).status == 200
