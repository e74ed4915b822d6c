"""The gateway on one page: route → handler, and what the handlers stand on."""

from collections.abc import Callable

from fastapi import FastAPI
from msgspec import Struct, field
from nats.aio.client import Client
from starlette.routing import Route

from turnwire_chassis.auditing.audit_log import AuditLog
from turnwire_contracts.events import Requested
from turnwire_contracts.json_values import JSON
from turnwire_gateway.admitting.admission import Admission
from turnwire_gateway.admitting.input_check import InputCheck
from turnwire_gateway.admitting.references import References
from turnwire_gateway.answers.faults import add_fault_handlers
from turnwire_gateway.answers.feed import Logs
from turnwire_gateway.changes import Changes
from turnwire_gateway.conversations.contents import Contents
from turnwire_gateway.conversations.register import Register
from turnwire_gateway.handlers.admin_acts import AdminActs
from turnwire_gateway.handlers.checking import CheckHandlers
from turnwire_gateway.handlers.conversations import ConversationHandlers, ConversationPorts
from turnwire_gateway.handlers.counting import CountingHandlers
from turnwire_gateway.handlers.documents import DocumentHandlers
from turnwire_gateway.handlers.operations import OperationHandlers
from turnwire_gateway.handlers.responses import ResponseHandlers, ResponsePorts, origin
from turnwire_gateway.identity import Caller, Identify, IdentityMiddleware, caller_of
from turnwire_gateway.limiting.limiter import Limiter, unlimited
from turnwire_gateway.limiting.visit import LimitMiddleware, Visit
from turnwire_gateway.middleware.cors import ApiCorsMiddleware
from turnwire_gateway.middleware.local_requests import LocalRequestsMiddleware
from turnwire_gateway.middleware.paths import HeadMiddleware, PathMiddleware
from turnwire_gateway.middleware.web_access import WebAccess
from turnwire_gateway.request_id import RequestIdMiddleware
from turnwire_gateway.requests.validation import Rules, requested
from turnwire_gateway.socket.handlers import SocketHandlers
from turnwire_gateway.socket.ports import SocketPorts
from turnwire_gateway.store_client import StoreClient
from turnwire_gateway.telemetry import TelemetryMiddleware
from turnwire_gateway.turns import Turns


def never() -> bool:
    """Say no."""
    return False


class World(Struct, frozen=True):
    """What the routes stand on, outside this process and inside it."""

    client: Client
    logs: Logs
    turns: Turns
    rules: Rules
    audit: AuditLog
    now_ms: Callable[[], int]
    guard_timeout_s: float = 10.0
    inherit_instructions: bool = True
    identify: Identify = caller_of
    access: WebAccess = WebAccess()
    is_open: Callable[[], bool] = never
    limiter: Limiter = field(default_factory=unlimited)
    background_timeout_s: float = 3600.0


def build(world: World) -> FastAPI:
    """Give the HTTP application."""
    app = FastAPI(
        title="Turnwire", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    store = StoreClient(world.client)
    limit = world.turns.limits.max_body_bytes
    references = References(store, limit)
    changes = Changes(world.logs, world.now_ms)
    register = Register(world.logs.events, store, world.now_ms)
    acts = AdminActs(world.audit, world.now_ms)
    on = world.rules.screen
    check = InputCheck(world.client, store, world.guard_timeout_s, on=on)
    ports = ResponsePorts(
        turns=world.turns,
        changes=changes,
        store=store,
        admission=Admission(world.logs.events, references, register, store, world.now_ms),
        check=check,
        acts=acts,
        rules=world.rules,
        now_ms=world.now_ms,
    )
    _add_counting(app, CountingHandlers(ports, world.client))
    _add_responses(app, ResponseHandlers(ports))
    sockets = _socket_ports(world, ports)
    _add_socket(app, SocketHandlers(sockets))
    contents = Contents(world.logs.events, store, register, changes)
    about = ConversationPorts(
        register, contents, references, store, check, acts, limit, world.now_ms
    )
    _add_conversations(app, ConversationHandlers(about))
    checks = CheckHandlers(world.client, world.guard_timeout_s, limit)
    app.add_api_route("/v1/check", checks.check, methods=["POST"])
    _add_operations(app, OperationHandlers(world.client, store))
    _add_documents(app)
    _add_middleware(app, world)
    return app


def _add_middleware(app: FastAPI, world: World) -> None:
    """Bind what stands before the routes; whatever is added later stands before the earlier."""
    background_ms = round(world.background_timeout_s * 1000)
    app.add_middleware(LimitMiddleware, limiter=world.limiter, background_ms=background_ms)
    app.add_middleware(IdentityMiddleware, identify=world.identify)
    app.add_middleware(LocalRequestsMiddleware, access=world.access, is_open=world.is_open)
    add_fault_handlers(app)
    if world.access.origins:
        app.add_middleware(ApiCorsMiddleware, origins=world.access.origins)
    app.add_middleware(RequestIdMiddleware)
    app.add_middleware(TelemetryMiddleware)
    app.add_middleware(HeadMiddleware)
    paths = [route.path for route in app.routes if isinstance(route, Route)]
    app.add_middleware(PathMiddleware, paths=paths)


def _socket_ports(world: World, ports: ResponsePorts) -> SocketPorts:
    background_ms = round(world.background_timeout_s * 1000)

    def read(given: JSON, who: Caller, cause: str, application: str | None) -> Requested:
        where = origin(ports, who, cause, application)
        return requested({**given, "stream": True}, where, ports.rules)

    def visit(who: Caller) -> Visit:
        return Visit(world.limiter, who, background_ms)

    inherit = world.inherit_instructions
    return SocketPorts(ports.turns, read, ports.admission.admit, visit, inherit)


def _add_responses(app: FastAPI, handlers: ResponseHandlers) -> None:
    """Bind the routes of responses."""
    one = "/v1/responses/{response_id}"
    app.add_api_route("/v1/responses", handlers.create, methods=["POST"])
    app.add_api_route(one, handlers.retrieve, methods=["GET"])
    app.add_api_route(one, handlers.delete, methods=["DELETE"])
    app.add_api_route(one, handlers.update, methods=["PATCH"])
    app.add_api_route(f"{one}/cancel", handlers.cancel, methods=["POST"])
    app.add_api_route(f"{one}/input_items", handlers.input_items, methods=["GET"])


def _add_counting(app: FastAPI, handlers: CountingHandlers) -> None:
    """Bind the routes about how long a past is."""
    app.add_api_route("/v1/responses/input_tokens", handlers.input_tokens, methods=["POST"])
    app.add_api_route("/v1/responses/compact", handlers.compact, methods=["POST"])


def _add_conversations(app: FastAPI, handlers: ConversationHandlers) -> None:
    """Bind the routes of conversations."""
    one = "/v1/conversations/{conversation_id}"
    app.add_api_route("/v1/conversations", handlers.create, methods=["POST"])
    app.add_api_route("/v1/conversations", handlers.list_all, methods=["GET"])
    app.add_api_route(one, handlers.retrieve, methods=["GET"])
    app.add_api_route(one, handlers.update, methods=["POST"])
    app.add_api_route(one, handlers.delete, methods=["DELETE"])
    app.add_api_route(one, handlers.restore, methods=["PATCH"])
    app.add_api_route(f"{one}/responses", handlers.tree, methods=["GET"])
    app.add_api_route(f"{one}/items", handlers.add_items, methods=["POST"])
    app.add_api_route(f"{one}/items", handlers.items, methods=["GET"])
    item = f"{one}/items/{{item_id}}"
    app.add_api_route(item, handlers.item, methods=["GET"])
    app.add_api_route(item, handlers.remove_item, methods=["DELETE"])


def _add_operations(app: FastAPI, handlers: OperationHandlers) -> None:
    """Bind the routes about the deployment."""
    app.add_api_route("/v1/models", handlers.models, methods=["GET"])
    app.add_api_route("/v1/models/{model:path}", handlers.model, methods=["GET"])
    app.add_api_route("/health", handlers.health, methods=["GET"])
    app.add_api_route("/", handlers.root, methods=["GET"])


def _add_socket(app: FastAPI, handlers: SocketHandlers) -> None:
    """Bind the WebSocket, which has the path of `POST /v1/responses`."""
    app.add_api_websocket_route("/v1/responses", handlers.connect)


def _add_documents(app: FastAPI) -> None:
    """Bind the API's own description."""
    handlers = DocumentHandlers()
    app.add_api_route("/openapi.json", handlers.openapi, methods=["GET"])
    app.add_api_route("/docs", handlers.docs, methods=["GET"])
