"""The gateway on one page: route → handler, and what the handlers need."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from msgspec import Struct, field
from nats.aio.client import Client
from starlette.routing import Route

from turnwire_chassis.auditing.audit_log import AuditLog
from turnwire_chassis.storage_space import ANYWHERE, StorageSpace
from turnwire_contracts.events import Requested
from turnwire_contracts.json_values import JSON
from turnwire_gateway.admin_routes import AdminDependencies, Handler, admin_routes
from turnwire_gateway.admission.admission import Admission
from turnwire_gateway.admission.conversation_repository import ConversationRepository
from turnwire_gateway.admission.idempotency import Idempotency
from turnwire_gateway.admission.input_check import InputCheck
from turnwire_gateway.admission.references import References
from turnwire_gateway.api.admin_acts import AdminActs
from turnwire_gateway.api.branching.approvals import ApprovalHandlers
from turnwire_gateway.api.branching.branches import BranchHandlers
from turnwire_gateway.api.conversation_contents import ConversationContents
from turnwire_gateway.api.conversations import ConversationHandlers, ConversationPorts
from turnwire_gateway.api.cors import ApiCorsMiddleware
from turnwire_gateway.api.error_responses import add_exception_handlers
from turnwire_gateway.api.frames.backfill import Logs
from turnwire_gateway.api.guard_check import CheckHandlers
from turnwire_gateway.api.inspecting.response_list import ResponseListHandlers
from turnwire_gateway.api.inspecting.sent_prompt import SentPromptHandlers
from turnwire_gateway.api.inspecting.turn_events import TurnEventHandlers
from turnwire_gateway.api.inspecting.turn_log import TurnLog
from turnwire_gateway.api.inspecting.turn_state import TurnStateHandlers
from turnwire_gateway.api.middleware import (
    HeadMiddleware,
    IdentityMiddleware,
    LimitMiddleware,
    LocalRequestsMiddleware,
    OpenedTenantMiddleware,
    PathMiddleware,
    RequestIdMiddleware,
)
from turnwire_gateway.api.operations import OperationHandlers
from turnwire_gateway.api.requests.validation import Rules, requested
from turnwire_gateway.api.responses import ResponseHandlers, ResponsePorts, TurnStarter, origin
from turnwire_gateway.api.telemetry import TelemetryMiddleware
from turnwire_gateway.api.token_counting import TokenCountingHandlers
from turnwire_gateway.api.turn_commands import TurnCommands
from turnwire_gateway.api.turns import Turns
from turnwire_gateway.api.web_access import WebAccess
from turnwire_gateway.api.websocket.connection import SocketHandlers
from turnwire_gateway.api.websocket.ports import SocketPorts
from turnwire_gateway.auth.caller import Caller, Identify, caller_of
from turnwire_gateway.auth.content_access import ContentAccess
from turnwire_gateway.console.oidc_client import OidcClient
from turnwire_gateway.console.routes import console_routes
from turnwire_gateway.console.session_middleware import SessionMiddleware
from turnwire_gateway.console.sessions import ConsoleSessions
from turnwire_gateway.limits.limiter import Limiter, unlimited
from turnwire_gateway.limits.request_quota import RequestQuota
from turnwire_gateway.openapi import branch_operations as branches
from turnwire_gateway.openapi import conversation_operations as conversations
from turnwire_gateway.openapi import deployment_operations as deployment
from turnwire_gateway.openapi import log_operations as inspecting
from turnwire_gateway.openapi import response_operations as responses
from turnwire_gateway.openapi.documents import DocumentHandlers
from turnwire_gateway.openapi.operation import Operation
from turnwire_gateway.store_client import StoreClient


async def _nothing_to_take_up() -> None:
    pass


class GatewayDependencies(Struct, frozen=True):
    """What the routes need, outside this process and inside it."""

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
    is_open: Callable[[], bool] = bool
    """Whether any token, or none, will do now; `bool` says no."""
    limiter: Limiter = field(default_factory=unlimited)
    background_timeout_s: float = 3600.0
    space: StorageSpace = ANYWHERE
    pepper: bytes = b""
    """What API keys are hashed with; empty: none can be made."""
    take_up_keys: Callable[[], Awaitable[None]] = _nothing_to_take_up
    """Has this gateway know which API keys there are now."""
    sessions: ConsoleSessions | None = None
    """Who is signed in to the console; without them there is no console."""
    console_oidc: OidcClient | None = None
    """Signs in to the console at the OIDC issuer."""


def build(world: GatewayDependencies) -> FastAPI:
    """Give the HTTP application."""
    app = FastAPI(
        title="Turnwire", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    store = StoreClient(world.client)
    limit = world.turns.limits.max_body_bytes
    references = References(store, limit)
    commands = TurnCommands(world.logs, world.now_ms)
    repository = ConversationRepository(world.logs.events, store, world.now_ms)
    acts = AdminActs(world.audit, world.now_ms)
    check = InputCheck(world.client, store, world.guard_timeout_s, on=world.rules.screen)
    ports = ResponsePorts(
        turns=world.turns,
        commands=commands,
        store=store,
        admission=Admission(references, repository, store, world.now_ms),
        idempotency=Idempotency(world.logs.events, world.rules.retention),
        check=check,
        acts=acts,
        rules=world.rules,
        now_ms=world.now_ms,
    )
    _bind_turns(app, ports, world)
    sockets = SocketHandlers(_socket_ports(world, ports))
    app.add_api_websocket_route(responses.create_response.path, sockets.connect)
    contents = ConversationContents(world.logs.events, store, repository, commands)
    conversation_ports = ConversationPorts(
        repository, contents, references, store, check, acts, limit, world.now_ms
    )
    _bind_conversations(app, ConversationHandlers(conversation_ports))
    checks = CheckHandlers(world.client, world.guard_timeout_s, limit)
    _bind_operations(app, OperationHandlers(world.client, store, world.space))
    _bind(app, (deployment.check, checks.check), *_administration(world, acts, checks))
    _bind_documents(app)
    ways_in = (world.sessions, world.identify, world.is_open, world.console_oidc)
    for method, path, handler in console_routes(*ways_in):
        app.add_api_route(path, handler, methods=[method])
    _add_middleware(app, world)
    return app


def _add_middleware(app: FastAPI, world: GatewayDependencies) -> None:
    """Bind what requests pass before the routes; what is added later is passed first."""
    background_ms = round(world.background_timeout_s * 1000)
    # Behind the limits: an operator who reads in a tenant uses up nothing of that tenant's.
    access = ContentAccess(world.audit, world.now_ms)
    app.add_middleware(OpenedTenantMiddleware, access=access)
    app.add_middleware(LimitMiddleware, limiter=world.limiter, background_ms=background_ms)
    app.add_middleware(IdentityMiddleware, identify=world.identify)
    if world.sessions is not None:
        app.add_middleware(SessionMiddleware, sessions=world.sessions)
    app.add_middleware(LocalRequestsMiddleware, access=world.access, is_open=world.is_open)
    add_exception_handlers(app)
    if world.access.origins:
        app.add_middleware(ApiCorsMiddleware, origins=world.access.origins)
    app.add_middleware(RequestIdMiddleware)
    app.add_middleware(TelemetryMiddleware)
    app.add_middleware(HeadMiddleware)
    paths = [route.path for route in app.routes if isinstance(route, Route)]
    app.add_middleware(PathMiddleware, paths=paths)


def _administration(
    world: GatewayDependencies, acts: AdminActs, checks: CheckHandlers
) -> tuple[tuple[Operation, Handler], ...]:
    dependencies = AdminDependencies(
        client=world.client,
        audit=world.audit,
        limiter=world.limiter,
        now_ms=world.now_ms,
        pepper=world.pepper,
        take_up_keys=world.take_up_keys,
        largest_body=world.turns.limits.max_body_bytes,
        sealer=world.rules.sealer,
    )
    return admin_routes(dependencies, acts, checks)


def _socket_ports(world: GatewayDependencies, ports: ResponsePorts) -> SocketPorts:
    background_ms = round(world.background_timeout_s * 1000)

    def read(given: JSON, who: Caller, cause: str, application: str | None) -> Requested:
        where = origin(ports, who, cause, application)
        return requested({**given, "stream": True}, where, ports.rules)

    def quota(who: Caller) -> RequestQuota:
        return RequestQuota(world.limiter, who, background_ms)

    inherit = world.inherit_instructions
    return SocketPorts(ports.turns, read, ports.admission.admit, quota, inherit)


def _bind(app: FastAPI, *served: tuple[Operation, Handler]) -> None:
    """Have requests to declared routes served; FastAPI does nothing with a request by itself."""
    for operation, handler in served:
        app.add_api_route(operation.path, handler, methods=[operation.method])


def _bind_turns(app: FastAPI, ports: ResponsePorts, world: GatewayDependencies) -> None:
    """Bind the routes of responses; what has an id in its path comes after what has none."""
    starter = TurnStarter(ports)
    _bind_counting(app, TokenCountingHandlers(ports, world.client))
    _bind_responses(app, ResponseHandlers(ports, starter))
    _bind_branches(app, BranchHandlers(ports, world.logs.events, starter))
    _bind_approvals(app, ApprovalHandlers(ports, world.logs.events, starter))
    _bind_inspecting(app, ports, world)


def _bind_responses(app: FastAPI, handlers: ResponseHandlers) -> None:
    _bind(
        app,
        (responses.create_response, handlers.create),
        (responses.retrieve_response, handlers.retrieve),
        (responses.delete_response, handlers.delete),
        (responses.recover_response, handlers.update),
        (responses.cancel_response, handlers.cancel),
        (responses.list_input_items, handlers.input_items),
    )


def _bind_branches(app: FastAPI, handlers: BranchHandlers) -> None:
    _bind(
        app,
        (branches.fork_response, handlers.fork),
        (branches.rerun_response, handlers.rerun),
        (branches.diff_responses, handlers.diff),
    )


def _bind_approvals(app: FastAPI, handlers: ApprovalHandlers) -> None:
    _bind(
        app,
        (branches.list_approvals, handlers.list_open),
        (branches.decide_approval, handlers.decide),
    )


def _bind_inspecting(app: FastAPI, ports: ResponsePorts, world: GatewayDependencies) -> None:
    events = TurnEventHandlers(ports, world.logs.events, world.background_timeout_s)
    turn_log = TurnLog(ports, world.logs.events)
    states = TurnStateHandlers(turn_log, world.logs.output)
    _bind(
        app,
        (inspecting.list_responses, ResponseListHandlers(ports.store, ports.acts).list_all),
        (responses.list_response_events, events.events),
        (inspecting.retrieve_response_state, states.state),
        (inspecting.retrieve_response_timeline, states.timeline),
        (inspecting.retrieve_response_prompt, SentPromptHandlers(turn_log, world.client).prompt),
    )


def _bind_counting(app: FastAPI, handlers: TokenCountingHandlers) -> None:
    _bind(
        app,
        (responses.count_input_tokens, handlers.input_tokens),
        (responses.compact_response, handlers.compact),
    )


def _bind_conversations(app: FastAPI, handlers: ConversationHandlers) -> None:
    _bind(
        app,
        (conversations.create_conversation, handlers.create),
        (conversations.list_conversations, handlers.list_all),
        (conversations.retrieve_conversation, handlers.retrieve),
        (conversations.update_conversation, handlers.update),
        (conversations.delete_conversation, handlers.delete),
        (conversations.recover_conversation, handlers.restore),
        (conversations.list_conversation_responses, handlers.tree),
        (conversations.create_items, handlers.add_items),
        (conversations.list_items, handlers.items),
        (conversations.retrieve_item, handlers.item),
        (conversations.delete_item, handlers.remove_item),
    )


def _bind_operations(app: FastAPI, handlers: OperationHandlers) -> None:
    _bind(
        app,
        (deployment.list_models, handlers.models),
        (deployment.retrieve_model, handlers.model),
        (deployment.health, handlers.health),
        (deployment.about, handlers.root),
    )


def _bind_documents(app: FastAPI) -> None:
    """Bind the API's own description, which does not describe itself."""
    handlers = DocumentHandlers()
    app.add_api_route("/openapi.json", handlers.openapi, methods=["GET"])
    app.add_api_route("/docs", handlers.docs, methods=["GET"])
    app.add_api_route("/docs/viewer.js", handlers.script, methods=["GET"])
    app.add_api_route("/docs/swagger-ui-bundle.js", handlers.swagger_ui_script, methods=["GET"])
    app.add_api_route("/docs/swagger-ui.css", handlers.swagger_ui_style, methods=["GET"])
