"""What a client asks for: drawn from a schedule, and made to the event that a gateway appends."""

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from simulation import model, stand_ins
from turnwire_contracts.event_kinds import VERSIONS
from turnwire_contracts.events import Item, Requested
from turnwire_contracts.ids import (
    ConversationId,
    OwnerId,
    ResponseId,
    TenantId,
    new_response_id,
)

TENANT: Final = TenantId("acme")
CROWD: Final = TenantId("crowd")
"""A tenant that asks for much at once."""
OWNER: Final = OwnerId("ada")
CONVERSATION: Final = ConversationId("conv_" + "0" * 32)
"""The one that all clients share who make their turns in a conversation."""

_RULES: Final[tuple[Any, ...]] = ("always", "always", {"always": {"tool_names": ["pay"]}})
_ANSWER: Final = "mcp_approval_response"


class Wish(Struct, frozen=True):
    """What a client asks for."""

    kind: str
    """`stream`, `plain` or `background`."""
    tools: bool = False
    screen: bool = False
    forbidden: bool = False
    keyed: bool = False
    leaves_after: int = -1
    """After how many chunks the client leaves for good; -1: it stays."""
    store: bool = True
    approval: Any = "never"
    """Which calls of tools need an approval."""
    conversation: ConversationId | None = None
    tenant: TenantId = TENANT


class Approval(Struct, frozen=True):
    """What a client says to a request for approval."""

    request_id: str
    approve: bool


def wishes(random: Random) -> list[Wish]:
    """Draw a chain of turns."""
    return [
        Wish(
            random.choice(("stream", "stream", "stream", "plain", "background")),
            tools=random.random() < 0.35,
            screen=(screen := random.random() < 0.3),
            forbidden=screen and random.random() < 0.2,
            keyed=random.random() < 0.3,
            leaves_after=random.choice((1, 3)) if random.random() < 0.08 else -1,
        )
        for _ in range(random.choice((1, 1, 2)))
    ]


def with_extras(drawn: Sequence[Wish], extras: str, random: Random) -> list[Wish]:
    """Draw what a schedule has beside: see `schedule.EXTRAS`."""
    in_conversation = "c" in extras and random.random() < 0.8
    changed: list[Wish] = []
    for wish in drawn:
        if "u" in extras and random.random() < 0.4 and wish.kind != "background":
            wish = replace(wish, store=False)  # noqa: PLW2901 -- one after another
        if "a" in extras and random.random() < 0.8:
            wish = replace(wish, tools=True, approval=random.choice(_RULES))  # noqa: PLW2901 -- as above
        if in_conversation:
            wish = replace(wish, conversation=CONVERSATION)  # noqa: PLW2901 -- as above
        changed.append(wish)
    return changed


def of_crowd(random: Random) -> list[Wish]:
    """Draw the turn of one of many clients that come at once."""
    kind = random.choice(("stream", "plain", "plain", "background"))
    return [Wish(kind, keyed=random.random() < 0.3, tenant=CROWD)]


def requested(
    wish: Wish, previous: ResponseId | None, mark: int, approvals: Sequence[Approval] = ()
) -> Requested:
    """Give the event; `mark` is a number that no other turn has."""
    now = stand_ins.now_ms()
    word = model.FORBIDDEN if wish.forbidden else "hello"
    said: list[Item] = [{"type": "message", "role": "user", "content": f"{word} {mark}"}]
    answers: list[Item] = [
        {"type": _ANSWER, "approval_request_id": each.request_id, "approve": each.approve}
        for each in approvals
    ]
    tool = {
        "type": "mcp",
        "server_label": "shop",
        "server_url": "https://shop.example/mcp",
        "require_approval": wish.approval,
    }
    return Requested(
        v=VERSIONS[Requested],
        tenant=wish.tenant,
        response_id=new_response_id(now, mark.to_bytes(10, "big")),
        at=now,
        cause=f"req_{mark}",
        owner=OWNER,
        model="m",
        input=answers or said,
        previous_response_id=None if wish.conversation else previous,
        conversation=wish.conversation,
        params={"tools": [tool]} if wish.tools else {},
        store=wish.store,
        stream=wish.kind == "stream",
        background=wish.kind == "background",
        screen=wish.screen,
        fingerprint=f"body {mark}" if wish.keyed else None,
    )
