"""Sessions that are open already: a handshake costs two to four round trips."""

import asyncio
from collections import OrderedDict
from typing import Protocol

import httpx2

from turnwire_tool_runner.mcp_client.rules import SessionRules
from turnwire_tool_runner.mcp_client.session import Session
from turnwire_tool_runner.tool_servers import Target, TenantServer


class Transports(Protocol):
    """Gives the transport for each server."""

    def to(self, target: Target) -> httpx2.AsyncBaseTransport:
        """Give a transport that connects where this target may lead. Raises ToolServerError."""
        ...


class Sessions:
    """One session for each tenant, server and credentials, for as long as it is used."""

    def __init__(self, transports: Transports, rules: SessionRules) -> None:
        self._transports = transports
        self._rules = rules
        # The one that was used last comes last.
        self._sessions: OrderedDict[TenantServer, Session] = OrderedDict()
        self._closings: dict[Session, asyncio.TimerHandle] = {}
        self._owners: set[asyncio.Task[None]] = set()

    def borrow(self, visit: TenantServer) -> Session:
        """Give the session for a visit, to be given back; it may still have to open.

        Raises ToolServerError.
        """
        session = self._sessions.get(visit)
        if session is None or not session.is_usable:
            session = self._open(visit)
        self._sessions.move_to_end(visit)
        session.users += 1
        self._stay(session)
        return session

    def give_back(self, visit: TenantServer, session: Session) -> None:
        """End one use of a session; without any, it closes after `idle_s` seconds."""
        session.users -= 1
        if session.users:
            return
        if not session.is_usable or not session.is_open:
            self._close(visit, session)
            return
        loop = asyncio.get_running_loop()
        self._closings[session] = loop.call_later(self._rules.idle_s, self._close, visit, session)

    async def aclose(self) -> None:
        """Close all."""
        for visit, session in list(self._sessions.items()):
            self._close(visit, session)
        if self._owners:
            await asyncio.wait(self._owners)

    def end(self) -> None:
        """Cut off what does not close."""
        for owner in self._owners:
            owner.cancel()

    def _open(self, visit: TenantServer) -> Session:
        self._make_room()
        session = Session(visit.target, self._transports.to(visit.target))
        self._owners.add(session.owner)
        session.owner.add_done_callback(self._owners.discard)
        self._sessions[visit] = session
        return session

    def _make_room(self) -> None:
        idle = [visit for visit, session in self._sessions.items() if not session.users]
        for visit in idle[: max(0, len(self._sessions) + 1 - self._rules.most)]:
            self._close(visit, self._sessions[visit])

    def _close(self, visit: TenantServer, session: Session) -> None:
        self._stay(session)
        session.close()
        if self._sessions.get(visit) is session:
            del self._sessions[visit]

    def _stay(self, session: Session) -> None:
        closing = self._closings.pop(session, None)
        if closing is not None:
            closing.cancel()
