"""The API as a document: whole, true to what is sent, and readable without any other server."""

import re
from functools import cache
from typing import Any, cast
from urllib.parse import urljoin

import orjson
import pytest
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator
from nats.aio.client import Client
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012, Schema

from turnwire_contracts.events import Failure, Item, TurnUsage
from turnwire_contracts.json_values import JSON
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.webhooks.delivery import deliveries_of
from turnwire_contracts.webhooks.subscription import WEBHOOK_EVENT_TYPES, WebhookSubscription
from turnwire_contracts.wire.compaction import compaction_item, compaction_object
from turnwire_contracts.wire.frames import payload
from turnwire_contracts.wire.response import closed_response
from turnwire_contracts.wire.stream import stream_of
from turnwire_gateway.errors import invalid, unavailable
from turnwire_gateway.openapi.document import OPERATIONS, document
from turnwire_testing.examples import RESPONSE_ID, closed, message, requested
from turnwire_testing.gateway import Api

CALL: Item = {"call_id": "c", "name": "add", "status": "completed"}
SAID: list[Item] = [
    message("Hi."),
    {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "So."}],
        "content": [{"type": "reasoning_text", "text": "Hm."}],
        "status": "completed",
    },
    {"id": "fc_1", "type": "function_call", "arguments": "{}", **CALL},
    {"id": "ctc_1", "type": "custom_tool_call", "input": "1+2", **CALL},
    {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {}},
]


def problems(name: str, value: Any) -> list[str]:
    """Say where a value is not what the document calls `name`."""
    return [f"{e.json_path}: {e.message}" for e in _validator(name).iter_errors(value)]  # pyright: ignore[reportUnknownMemberType]


@cache
def _validator(name: str) -> Draft202012Validator:
    whole: Resource[Schema] = Resource(contents=document(), specification=DRAFT202012)
    registry: Registry[Schema] = Registry[Schema]().with_resource("urn:turnwire", whole)
    schema = {"$ref": f"urn:turnwire#/components/schemas/{name}"}
    return Draft202012Validator(schema, registry=registry)


def ended(status: str = "completed", **changes: Any) -> ClosedTurn:
    """A turn that said one item of each kind."""
    usage = TurnUsage(input_tokens=1, output_tokens=2)
    end = closed(status=status, output=SAID, usage=usage, **changes)
    return ClosedTurn(requested(stream=True), end)


def references(whole: JSON) -> set[str]:
    """Collect all references in a document."""
    return set(re.findall(r'"\$ref":"([^"]+)"', orjson.dumps(whole).decode()))


def exists(reference: str) -> bool:
    """Tell whether a reference leads to something."""
    place: Any = document()
    for step in reference.removeprefix("#/").split("/"):
        if step not in place:
            return False
        place = place[step]
    return True


def _described() -> list[JSON]:
    return [each for methods in document()["paths"].values() for each in methods.values()]


def test_every_reference_leads_to_something() -> None:
    assert {each for each in references(document()) if not exists(each)} == set()


def test_every_shape_is_used() -> None:
    whole = document()
    used = {each.rpartition("/")[2] for each in references(whole)}
    assert set(whole["components"]["schemas"]) - used == set()


def test_every_operation_has_a_name_of_its_own_and_says_what_it_is_for() -> None:
    names = [operation.id for operation in OPERATIONS]
    assert len(names) == len(set(names))
    assert [each["operationId"] for each in _described() if each["summary"][-1:] != "."] == []


def test_every_parameter_in_a_path_is_described() -> None:
    for path, methods in document()["paths"].items():
        for operation in methods.values():
            given = {each["name"]: each for each in operation.get("parameters", [])}
            in_path = {name for name, each in given.items() if each["in"] == "path"}
            assert in_path == set(re.findall(r"{(\w+)}", path)), operation["operationId"]
            assert [name for name, each in given.items() if "description" not in each] == []


def test_every_refusal_is_one_that_turnwire_makes() -> None:
    for operation in _described():
        assert "422" not in operation["responses"]
    assert "ValidationError" not in orjson.dumps(document()).decode()


def test_every_field_of_a_body_says_what_becomes_of_it() -> None:
    schemas = document()["components"]["schemas"]
    for name in (
        "CreateRequest",
        "CompactRequest",
        "InputTokensRequest",
        "ItemsCreate",
        "CheckRequest",
    ):
        fields: dict[str, JSON] = schemas[name]["properties"]
        assert [field for field, said in fields.items() if "description" not in said] == []


@pytest.mark.parametrize("status", ["completed", "incomplete", "failed", "cancelled"])
def test_a_response_and_its_stream_are_what_the_document_says(status: str) -> None:
    failure = Failure(http_status=502, type="server_error", code="backend_error", message="Oh.")
    turn = ended(status, failure=failure, incomplete_reason="max_output_tokens")
    assert problems("Response", closed_response(turn)) == []
    assert [problems("StreamEvent", payload(frame)) for frame in stream_of(turn)] == [
        [] for _ in stream_of(turn)
    ]


def test_a_queued_response_streams_as_the_document_says() -> None:
    turn = ClosedTurn(requested(background=True, obfuscate=True), closed())
    assert [problems("StreamEvent", payload(frame)) for frame in stream_of(turn)] == [
        [] for _ in stream_of(turn)
    ]


def test_a_compaction_is_what_the_document_says() -> None:
    said = closed(output=[compaction_item(RESPONSE_ID, "They met.")], usage=TurnUsage())
    assert problems("CompactedResponse", compaction_object(ClosedTurn(requested(), said))) == []


@pytest.mark.parametrize("error", [invalid("No.", "input"), unavailable("store_unavailable")])
def test_an_error_is_what_the_document_says(error: Any) -> None:
    assert problems("ErrorEnvelope", error.body) == []


def test_violations_are_what_the_document_says() -> None:
    violation = {"category": "pii", "provider": "regex", "stage": "secrets", "step": 0}
    error: JSON = {"message": "No.", "type": "invalid_request_error", "param": "input"}
    body = {"error": {**error, "code": "content_filter", "violations": [violation]}}
    assert problems("ErrorEnvelope", body) == []
    body["error"]["violations"] = [{"category": "pii"}]
    assert problems("ErrorEnvelope", body) != []


def test_what_a_webhook_is_sent_is_what_the_document_says() -> None:
    asking = [{"id": "mcpr_1", "type": "mcp_approval_request", "name": "pay", "arguments": "{}"}]
    webhook = WebhookSubscription("key_1", [*WEBHOOK_EVENT_TYPES])
    turn = ClosedTurn(requested(webhook=webhook), closed(output=asking))
    told = [each.payload for each in deliveries_of(turn, 7)]
    assert [problem for each in told for problem in problems("WebhookEvent", each)] == []
    assert {each["type"] for each in told} < {*document()["webhooks"]}
    assert {*document()["webhooks"]} == {*WEBHOOK_EVENT_TYPES}


def test_what_is_not_a_response_is_not_called_one() -> None:
    response = closed_response(ended())
    assert problems("Response", {**response, "status": "fine"}) != []
    assert problems("Response", {**response, "temperature": None}) != []
    assert problems("Response", {**response, "output": [{"type": "message"}]}) != []
    assert problems("StreamEvent", {"type": "response.hologram", "sequence_number": 0}) != []


async def test_the_page_asks_no_other_server_and_runs_no_script_inside_it(api: Api) -> None:
    page = await api.get("/docs")
    html = page.body.decode()
    sources = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert [
        each for each in sources if not each.startswith(("docs/", "openapi.json", "data:,"))
    ] == []
    assert re.findall(r"<script[^>]*>[^<]+</script>|<style|@import|\son\w+=", html) == []
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert re.findall(r"https?:|unsafe|\*", policy) == []


@pytest.mark.parametrize("page", ["/docs", "/docs/", "/v1/docs"])
async def test_everything_that_the_page_needs_is_served_here(api: Api, page: str) -> None:
    html = (await api.get(page)).body.decode()
    proxied = f"https://example.org/behind/a/proxy{page}"
    needed = [urljoin(proxied, path) for path in re.findall(r'(?:src|href)="([^":]*)"', html)]
    assert len(needed) == 4
    answers = [
        await api.get(url.removeprefix("https://example.org/behind/a/proxy")) for url in needed
    ]
    assert [answer.status for answer in answers] == [200] * len(needed)
    assert [len(answer.body) > 0 for answer in answers] == [True] * len(needed)


def test_the_document_tells_every_route_of_the_application_and_no_other() -> None:
    app = Api(cast("Client", None)).app
    routes = {
        (method, route.path.replace(":path}", "}"))
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    described = {
        (method.upper(), path)
        for path, methods in document()["paths"].items()
        for method in methods
    }
    assert {path for _, path in routes - described} == {
        "/openapi.json",
        "/docs",
        "/docs/viewer.js",
        "/docs/swagger-ui-bundle.js",
        "/docs/swagger-ui.css",
    }
    assert described - routes == set()
