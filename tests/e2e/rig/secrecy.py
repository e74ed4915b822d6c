"""Routes with ids in them, and what they tell of those that are somebody else's."""

from collections.abc import Iterable
from typing import Any

import orjson

from e2e.rig.conversation import asks
from e2e.rig.wire import JSON, Api

NOBODYS = "0" * 32
UNKNOWN = {
    "resp": f"resp_{NOBODYS}",
    "conv": f"conv_{NOBODYS}",
    "item": f"msg_{NOBODYS}o0",
    "asked": f"mcpr_{NOBODYS}o1",
    "key": "key_" + "0" * 12,
    "erasure": f"erasure_{NOBODYS}",
}
OF_THE_MOMENT = ("date", "x-request-id")

SPOKEN = {"model", "input", "previous_response_id"}
"""The fields of creates that a socket takes as they are."""

Route = tuple[str, str, JSON | None]
Told = tuple[int, list[tuple[str, str]], str]


def _create(**fields: Any) -> Route:
    return "POST", "/responses", asks("Hello?", **fields)


def _ask(route: str, **fields: Any) -> Route:
    return "POST", f"/responses/{route}", asks("Hello?", **fields)


WAYS: list[JSON] = [{}, {"stream": True}, {"background": True}, {"store": False}]
_ITEM = [{"type": "item_reference", "id": "{item}"}]
ASKED = [{"type": "mcp_approval_response", "approval_request_id": "{asked}", "approve": True}]
READS: list[Route] = [
    ("GET", "/responses/{resp}", None),
    ("GET", "/responses/{resp}?stream=true", None),
    ("GET", "/responses/{resp}?stream=true&starting_after=1", None),
    ("GET", "/responses/{resp}/input_items", None),
    ("GET", "/responses/{resp}/events", None),
    ("GET", "/responses/{resp}/state", None),
    ("GET", "/responses/{resp}/timeline", None),
    ("GET", "/responses/{resp}/prompt", None),
    ("GET", "/responses/{resp}/diff?with={resp}", None),
]
SPEAKS: list[Route] = [
    ("POST", "/responses/{resp}/cancel", None),
    *(("POST", "/responses/{resp}/fork", {"input": "Hello?", **way}) for way in WAYS),
    *(("POST", "/responses/{resp}/rerun", way) for way in WAYS),
    ("POST", "/approvals/{asked}", {"approve": True}),
    ("POST", "/approvals/{asked}", {"approve": False, "background": True}),
    ("DELETE", "/responses/{resp}", None),
    *(
        _create(**{**continues, **way})
        for continues in (
            {"previous_response_id": "{resp}"},
            {"input": _ITEM},
            {"input": ASKED},
            {"input": ASKED, "previous_response_id": "{resp}"},
        )
        for way in WAYS
        # Such a one is accepted, and fails in the background: it has an id of its own.
        if continues != {"input": ASKED} or "background" not in way
    ),
    *(
        _ask(route, **continues)
        for continues in ({"previous_response_id": "{resp}"}, {"input": _ITEM})
        for route in ("input_tokens", "compact")
    ),
    ("POST", "/conversations", {"items": _ITEM}),
]
CONVERSATIONS: list[Route] = [
    ("GET", "/conversations/{conv}", None),
    ("GET", "/conversations/{conv}/responses", None),
    ("GET", "/conversations/{conv}/items", None),
    ("GET", "/conversations/{conv}/items/{item}", None),
    _ask("input_tokens", conversation="{conv}"),
    ("POST", "/conversations/{conv}", {"metadata": {"a": "b"}}),
    ("POST", "/conversations/{conv}/items", {"items": [{"role": "user", "content": "x"}]}),
    *(_create(conversation="{conv}", **way) for way in WAYS),
    ("DELETE", "/conversations/{conv}/items/{item}", None),
    ("DELETE", "/conversations/{conv}", None),
]
OF_ADMINS: list[Route] = [
    ("GET", "/responses/{resp}?include_deleted=true", None),
    ("GET", "/responses/{resp}?include_deleted=true&stream=true", None),
    ("GET", "/conversations/{conv}?include_deleted=true", None),
    ("GET", "/conversations/{conv}/responses?include_deleted=true", None),
    ("PATCH", "/responses/{resp}?recovery_from_delete=true", None),
    ("PATCH", "/conversations/{conv}?recovery_from_delete=true", None),
    ("DELETE", "/responses/{resp}?hard_delete=true", None),
    ("DELETE", "/conversations/{conv}?hard_delete=true", None),
]
OF_ADMINISTRATION: list[Route] = [
    ("GET", "/admin/erasures/{erasure}", None),
    ("PUT", "/admin/keys/{key}/webhook", {"url": "https://hooks.example/"}),
    ("GET", "/admin/keys/{key}/webhook", None),
    ("POST", "/admin/keys/{key}/webhook/rotate_secret", None),
    ("DELETE", "/admin/keys/{key}/webhook", None),
    ("DELETE", "/admin/keys/{key}", None),
]
ROUTES = [*READS, *SPEAKS, *CONVERSATIONS, *OF_ADMINS]


def named(text: str, names: dict[str, str]) -> str:
    """Put ids in the place of their names."""
    for name, written in names.items():
        text = text.replace(f"{{{name}}}", written)
    return text


def anonymous(text: str, names: dict[str, str]) -> str:
    """Put names in the place of ids."""
    for name, written in names.items():
        text = text.replace(written, f"{{{name}}}")
    return text


async def told(api: Api, route: Route, names: dict[str, str]) -> Told:
    """Take a route; gives all that the answer says, with the names of ids in their place."""
    method, path, fields = route
    body = None if fields is None else named(orjson.dumps(fields).decode(), names).encode()
    async with api.exchange(method, named(path, names), body) as answer:
        content = await answer.read()
        headers = [
            (name.lower(), value)
            for name, value in answer.headers.items()
            if name.lower() not in OF_THE_MOMENT and "ratelimit" not in name.lower()
        ]
    return answer.status, headers, anonymous(content.decode(), names)


async def leaks(api: Api, routes: Iterable[Route], names: dict[str, str]) -> list[tuple[Any, ...]]:
    """Give the routes on which these ids are answered unlike ids that never were."""
    found = [
        (each, await told(api, each, names), await told(api, each, UNKNOWN)) for each in routes
    ]
    return [(route, here, never) for route, here, never in found if here != never]


def ids_of(response: str, conversation: str) -> dict[str, str]:
    """Name a response, its conversation, and what it may have said and asked."""
    hexadecimal = response.removeprefix("resp_")
    ids = {name: written.replace(NOBODYS, hexadecimal) for name, written in UNKNOWN.items()}
    return {**ids, "conv": conversation}
