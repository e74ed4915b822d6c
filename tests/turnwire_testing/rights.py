"""Who may say and hear what at the broker, written down a second time, one line a subject.

`G`ateway, `O`rchestrator, `T`ool-runner, g`U`ard, `S`tore, o`P`erator. What no line names is for
nobody, and is tried nevertheless where it could do harm.
"""

from dataclasses import dataclass

from turnwire_chassis.broker_authorization.rights import User

_LETTERS = dict(
    zip(
        "GOTUSP",
        (User.GATEWAY, User.ORCHESTRATOR, User.TOOL_RUNNER, User.GUARD, User.STORE, User.OPERATOR),
        strict=True,
    )
)


@dataclass(frozen=True)
class Expected:
    """Of one subject: by whom it is said and heard; behind a `/` stands the queue group."""

    subject: str
    says: frozenset[User]
    hears: frozenset[User]
    queue: str


def expectations() -> tuple[Expected, ...]:
    """Read the lines: subject, who says, who hears; `-` is nobody."""
    return tuple(_read(*line.split()) for line in _LINES.strip().splitlines())


def _read(subject: str, says: str, hears: str) -> Expected:
    hearers, _, queue = hears.partition("/")
    return Expected(subject, _users(says), _users(hearers), queue)


def _users(letters: str) -> frozenset[User]:
    return frozenset(_LETTERS[letter] for letter in letters if letter != "-")


_LINES = """
turn.t.resp_1.requested                        GP  -
turn.t.resp_1.requested.background             GP  -
turn.t.resp_1.requested.1                      GP  -
turn.t.resp_1.requested.2                      GP  -
turn.t.resp_1.requested.3                      GP  -
turn.t.resp_1.requested.background.1           GP  -
turn.t.resp_1.requested.background.2           GP  -
turn.t.resp_1.requested.background.3           GP  -
turn.t.resp_1.requested.4                      -   -
turn.t.resp_1.requested.background.4           -   -
queue_state                                    O   GO
turn.t.resp_1.items_added                      G   -
turn.t.resp_1.started                          O   -
turn.t.resp_1.screened                         O   -
turn.t.resp_1.tools_listed                     O   -
turn.t.resp_1.sampled                          O   -
turn.t.resp_1.tool_called                      O   -
turn.t.resp_1.tool_returned                    O   -
turn.t.resp_1.taken_over                       O   -
turn.t.resp_1.cancel_requested                 GS  O
turn.t.resp_1.closed                           GO  -
turn.t.resp_1.deleted                          G   OS
turn.t.resp_1.restored                         G   OS
turn.t.resp_1.item_removed                     G   OS
turn.t.resp_1.purged                           GS  OS
turn.t.resp_1.anything                         -   -
turn.t.resp_1.>                                -   -
conversation.t.conv_1.created                  G   -
conversation.t.conv_1.updated                  G   -
conversation.t.conv_1.turn_added               G   -
conversation.t.conv_1.deleted                  G   -
conversation.t.conv_1.restored                 G   -
conversation.t.conv_1.purged                   GS  -
conversation.t.conv_1.anything                 -   -
conversation.t.conv_1.>                        -   -
output.t.resp_1                                O   G
answer.t.resp_1                                O   G
viewers.t.resp_1                               G   G
owner.t.resp_1                                 GOP O
dead.unprojectable.resp_1                      S   -
dead.retried.resp_1                            GSP -
dead.undelivered.resp_1                        ST  -
webhook.t.evt_1                                GOP -
webhook.>                                      -   -
members                                        G   GOTUS
audit.t.key_made                               GP  -
audit.t.erasure_finished                       GSP -
ended.t                                        O   G/gateway
$KV.API_KEYS.k                                 SP  G
$JS.API.STREAM.INFO.KV_API_KEYS                GSP -
$JS.API.DIRECT.GET.KV_API_KEYS.$KV.API_KEYS.k  T   -
$JS.API.DIRECT.GET.KV_API_KEYS                 GSP -
$JS.API.STREAM.CREATE.KV_API_KEYS              GOSP -
$JS.API.STREAM.UPDATE.KV_API_KEYS              OS  -
$KV.LIMITS.t                                   G   -
$JS.API.DIRECT.GET.KV_LIMITS.$KV.LIMITS.t      G   -
$JS.API.STREAM.CREATE.KV_LIMITS                GOSP -
$JS.API.STREAM.UPDATE.KV_LIMITS                OS  -
$KV.CONSOLE_SESSIONS.x                         G   -
$JS.API.DIRECT.GET.KV_CONSOLE_SESSIONS.$KV.CONSOLE_SESSIONS.x G -
$JS.API.STREAM.MSG.GET.KV_CONSOLE_SESSIONS     G   -
$JS.API.STREAM.CREATE.KV_CONSOLE_SESSIONS      GOSP -
$JS.API.STREAM.UPDATE.KV_CONSOLE_SESSIONS      OS  -
$JS.API.STREAM.INFO.KV_CONSOLE_SESSIONS        SP  -
$KV.VIEW_KEYS.t                                S   -
$JS.API.DIRECT.GET.KV_VIEW_KEYS                SP  -
$JS.API.STREAM.MSG.DELETE.KV_VIEW_KEYS         S   -
$JS.API.STREAM.CREATE.KV_VIEW_KEYS             GOSP -
$JS.API.STREAM.UPDATE.KV_VIEW_KEYS             OS  -
$JS.API.DIRECT.GET.AUDIT                       SP  -
$JS.API.STREAM.CREATE.AUDIT                    GOSP -
$JS.API.STREAM.UPDATE.AUDIT                    OS  -
guard.check                                    GO  U/guard
tools.list                                     O   T/tool-runner
tools.call                                     O   T/tool-runner
tools.progress.call_1                          T   O
tools.cancel.call_1                            O   T
backend.models                                 G   O/orchestrator
backend.input_tokens                           G   O/orchestrator
backend.prompt                                 G   O/orchestrator
store.response                                 G   S/store
store.history                                  GO  S/store
store.conversation                             G   S/store
store.conversations                            G   S/store
store.tree                                     G   S/store
store.responses                                G   S/store
store.approvals                                G   S/store
store.health                                   G   S/store
store.projection                               G   S/store
store.keys                                     G   S/store
store.acts                                     G   S/store
store.erasure_preview                          G   S/store
store.erasure                                  P   S/store
store.retry                                    GP  S/store
store.streams                                  G   S/store
store.dead_letters                             G   S/store
orchestrator.queues                            G   O/orchestrator
backend.status                                 G   O/orchestrator
guard.policy                                   G   U/guard
tools.servers                                  G   T/tool-runner
guard.>                                        -   -
store.>                                        -   -
_INBOX_gateway.x.y                             -   G
_INBOX_orchestrator.x.y                        -   O
_INBOX_tool-runner.x.y                         -   T
_INBOX_guard.x.y                               -   U
_INBOX_store.x.y                               -   S
_INBOX_operator.x.y                            -   P
_INBOX.x.y                                     -   -
>                                              -   -
*.>                                            -   -
$SYS.>                                         -   -
$SYS.REQ.SERVER.PING                           -   -
$JS.>                                          -   -
$JS.EVENT.ADVISORY.>                           -   -
$KV.>                                          -   -
$JS.API.INFO                                   -   -
$JS.API.STREAM.LIST                            -   -
$JS.API.STREAM.NAMES                           -   -
$JS.API.STREAM.CREATE.MINE                     -   -
$JS.API.STREAM.CREATE.TURNS                    GOSP -
$JS.API.STREAM.CREATE.OUTPUT                   GOSP -
$JS.API.STREAM.CREATE.DEAD                     GOSP -
$JS.API.STREAM.CREATE.WEBHOOKS                 GOSP -
$JS.API.STREAM.UPDATE.WEBHOOKS                 OS  -
$JS.API.STREAM.INFO.WEBHOOKS                   SP  -
$JS.API.STREAM.UPDATE.TURNS                    OS  -
$JS.API.STREAM.UPDATE.OUTPUT                   OS  -
$JS.API.STREAM.UPDATE.DEAD                     OS  -
$JS.API.STREAM.INFO.TURNS                      GOSP -
$JS.API.STREAM.PURGE.OUTPUT                    GOS -
$JS.API.STREAM.MSG.DELETE.TURNS                OS  -
$JS.API.DIRECT.GET.TURNS                       GOSP -
$JS.API.DIRECT.GET.OUTPUT                      GO  -
$JS.API.DIRECT.GET.TURNS.turn.t.resp_1.closed  -   -
$JS.API.STREAM.MSG.GET.TURNS                   GOSP -
$JS.API.STREAM.MSG.GET.OUTPUT                  GO  -
$JS.API.STREAM.MSG.GET.KV_LIMITS               G   -
$JS.API.STREAM.MSG.GET.KV_API_KEYS             GSP -
$JS.API.STREAM.MSG.GET.KV_VIEW_KEYS            SP  -
$JS.API.STREAM.MSG.GET.AUDIT                   SP  -
$JS.API.STREAM.MSG.GET.DEAD                    SP  -
$JS.API.DIRECT.GET.DEAD                        SP  -
$JS.API.STREAM.INFO.DEAD                       SP  -
$JS.API.STREAM.MSG.DELETE.DEAD                 P   -
$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.OUTPUT -  O
$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.TURNS -   -
$JS.API.STREAM.DELETE.TURNS                    P   -
$JS.API.STREAM.SNAPSHOT.TURNS                  P   -
$JS.API.STREAM.RESTORE.TURNS                   P   -
$JS.API.STREAM.DELETE.DEAD                     P   -
$JS.API.STREAM.SNAPSHOT.DEAD                   P   -
$JS.API.STREAM.RESTORE.DEAD                    P   -
$JS.API.STREAM.DELETE.WEBHOOKS                 P   -
$JS.API.STREAM.SNAPSHOT.WEBHOOKS               P   -
$JS.API.STREAM.RESTORE.WEBHOOKS                P   -
$JS.SNAPSHOT.ACK.WEBHOOKS.x                    P   -
$JS.SNAPSHOT.RESTORE.WEBHOOKS.x                P   -
$JS.API.STREAM.DELETE.AUDIT                    P   -
$JS.API.STREAM.SNAPSHOT.AUDIT                  P   -
$JS.API.STREAM.RESTORE.AUDIT                   P   -
$JS.API.STREAM.DELETE.KV_API_KEYS              P   -
$JS.API.STREAM.SNAPSHOT.KV_API_KEYS            P   -
$JS.API.STREAM.RESTORE.KV_API_KEYS             P   -
$JS.API.STREAM.DELETE.KV_VIEW_KEYS             P   -
$JS.API.STREAM.SNAPSHOT.KV_VIEW_KEYS           P   -
$JS.API.STREAM.RESTORE.KV_VIEW_KEYS            P   -
$JS.API.STREAM.DELETE.OUTPUT                   -   -
$JS.API.STREAM.DELETE.KV_LIMITS                -   -
$JS.API.STREAM.SNAPSHOT.OUTPUT                 -   -
$JS.API.STREAM.SNAPSHOT.KV_LIMITS              -   -
$JS.API.STREAM.RESTORE.OUTPUT                  -   -
$JS.API.STREAM.RESTORE.KV_LIMITS               -   -
$JS.SNAPSHOT.ACK.TURNS.x                       P   -
$JS.API.STREAM.INFO.KV_LIMITS                  SP  -
$JS.API.STREAM.INFO.OUTPUT                     SP  -
$JS.SNAPSHOT.ACK.DEAD.x                        P   -
$JS.SNAPSHOT.RESTORE.DEAD.x                    P   -
$JS.SNAPSHOT.ACK.AUDIT.x                       P   -
$JS.SNAPSHOT.RESTORE.AUDIT.x                   P   -
$JS.SNAPSHOT.ACK.KV_API_KEYS.x                 P   -
$JS.SNAPSHOT.RESTORE.KV_API_KEYS.x             P   -
$JS.SNAPSHOT.ACK.KV_VIEW_KEYS.x                P   -
$JS.SNAPSHOT.RESTORE.KV_VIEW_KEYS.x            P   -
$JS.SNAPSHOT.RESTORE.TURNS.x                   P   -
$JS.SNAPSHOT.RESTORE.OUTPUT.x                  -   -
$JS.API.STREAM.INFO.AUDIT                      SP  -
$JS.API.STREAM.INFO.KV_VIEW_KEYS               SP  -
$JS.API.CONSUMER.LIST.TURNS                    -   -
$JS.API.CONSUMER.CREATE.WEBHOOKS.webhooks.webhook.*.* T -
$JS.API.CONSUMER.CREATE.WEBHOOKS.webhooks.> - -
$JS.API.CONSUMER.CREATE.WEBHOOKS.webhooks      -   -
$JS.API.CONSUMER.DELETE.WEBHOOKS.webhooks      -   -
$JS.API.CONSUMER.INFO.WEBHOOKS.webhooks        T   -
$JS.API.CONSUMER.MSG.NEXT.WEBHOOKS.webhooks    T   -
$JS.ACK.WEBHOOKS.webhooks.1.2.3.4.5            T   -
$JS.API.CONSUMER.NAMES.TURNS                   -   -
$JS.API.CONSUMER.CREATE.TURNS                  -   -
$JS.API.CONSUMER.CREATE.TURNS.store-1          S   -
$JS.API.CONSUMER.DELETE.TURNS.store-1          S   -
$JS.API.CONSUMER.INFO.TURNS.store-1            S   -
$JS.API.CONSUMER.MSG.NEXT.TURNS.store-1        S   -
$JS.API.CONSUMER.CREATE.TURNS.store-1.turn.>   -   -
$JS.API.CONSUMER.DURABLE.CREATE.TURNS.store-1  -   -
$JS.API.CONSUMER.PAUSE.TURNS.orchestrator      -   -
$JS.API.CONSUMER.CREATE.OUTPUT.mine            -   -
$JS.API.CONSUMER.CREATE.TURNS.orchestrator     -   -
$JS.API.CONSUMER.DELETE.TURNS.orchestrator     -   -
$JS.API.CONSUMER.INFO.TURNS.orchestrator       OP  -
$JS.API.CONSUMER.MSG.NEXT.TURNS.orchestrator   O   -
$JS.API.CONSUMER.CREATE.TURNS.orchestrator-background   - -
$JS.API.CONSUMER.DELETE.TURNS.orchestrator-background   - -
$JS.API.CONSUMER.MSG.NEXT.TURNS.orchestrator-background O -
$JS.API.CONSUMER.INFO.TURNS.orchestrator-background     OP -
$JS.API.CONSUMER.CREATE.TURNS.orchestrator.turn.*.*.requested                       O -
$JS.API.CONSUMER.CREATE.TURNS.orchestrator.turn.*.*.closed                          - -
$JS.API.CONSUMER.CREATE.TURNS.orchestrator.turn.>                                   - -
$JS.API.CONSUMER.CREATE.TURNS.mine.turn.*.*.requested                               - -
$JS.API.CONSUMER.CREATE.TURNS.orchestrator-background.turn.*.*.requested.background O -
$JS.API.CONSUMER.CREATE.TURNS.orchestrator-background.turn.>                        - -
$JS.API.CONSUMER.CREATE.TURNS.orchestrator-2.turn.*.*.requested                     - -
$JS.API.CONSUMER.CREATE.TURNS.orchestrator-1.turn.*.*.requested.1                   O -
$JS.API.CONSUMER.CREATE.TURNS.orchestrator-1                                        - -
$JS.API.CONSUMER.DELETE.TURNS.orchestrator-1                                        - -
$JS.API.CONSUMER.INFO.TURNS.orchestrator-1                                          OP -
$JS.API.CONSUMER.MSG.NEXT.TURNS.orchestrator-1                                      O -
$JS.ACK.TURNS.orchestrator-1.1.2.3.4.5                                              O -
$JS.API.CONSUMER.CREATE.TURNS.orchestrator-2.turn.*.*.requested.2                   O -
$JS.API.CONSUMER.CREATE.TURNS.orchestrator-2                                        - -
$JS.API.CONSUMER.DELETE.TURNS.orchestrator-2                                        - -
$JS.API.CONSUMER.INFO.TURNS.orchestrator-2                                          OP -
$JS.API.CONSUMER.MSG.NEXT.TURNS.orchestrator-2                                      O -
$JS.ACK.TURNS.orchestrator-2.1.2.3.4.5                                              O -
$JS.API.CONSUMER.CREATE.TURNS.orchestrator-3.turn.*.*.requested.3                   O -
$JS.API.CONSUMER.CREATE.TURNS.orchestrator-3                                        - -
$JS.API.CONSUMER.DELETE.TURNS.orchestrator-3                                        - -
$JS.API.CONSUMER.INFO.TURNS.orchestrator-3                                          OP -
$JS.API.CONSUMER.MSG.NEXT.TURNS.orchestrator-3                                      O -
$JS.ACK.TURNS.orchestrator-3.1.2.3.4.5                                              O -
$JS.API.CONSUMER.CREATE.TURNS.orchestrator-background-1.turn.*.*.requested.background.1 O -
$JS.API.CONSUMER.CREATE.TURNS.orchestrator-background-1                             - -
$JS.API.CONSUMER.DELETE.TURNS.orchestrator-background-1                             - -
$JS.API.CONSUMER.INFO.TURNS.orchestrator-background-1                               OP -
$JS.API.CONSUMER.MSG.NEXT.TURNS.orchestrator-background-1                           O -
$JS.ACK.TURNS.orchestrator-background-1.1.2.3.4.5                                   O -
$JS.API.CONSUMER.CREATE.TURNS.orchestrator-background-2.turn.*.*.requested.background.2 O -
$JS.API.CONSUMER.CREATE.TURNS.orchestrator-background-2                             - -
$JS.API.CONSUMER.DELETE.TURNS.orchestrator-background-2                             - -
$JS.API.CONSUMER.INFO.TURNS.orchestrator-background-2                               OP -
$JS.API.CONSUMER.MSG.NEXT.TURNS.orchestrator-background-2                           O -
$JS.ACK.TURNS.orchestrator-background-2.1.2.3.4.5                                   O -
$JS.API.CONSUMER.CREATE.TURNS.orchestrator-background-3.turn.*.*.requested.background.3 O -
$JS.API.CONSUMER.CREATE.TURNS.orchestrator-background-3                             - -
$JS.API.CONSUMER.DELETE.TURNS.orchestrator-background-3                             - -
$JS.API.CONSUMER.INFO.TURNS.orchestrator-background-3                               OP -
$JS.API.CONSUMER.MSG.NEXT.TURNS.orchestrator-background-3                           O -
$JS.ACK.TURNS.orchestrator-background-3.1.2.3.4.5                                   O -
$JS.ACK.TURNS.orchestrator.1.2.3.4.5                                                O -
$JS.ACK.TURNS.orchestrator-background.1.2.3.4.5                                     O -
$JS.ACK.TURNS.store-1.1.2.3.4.5                                                     - -
"""
