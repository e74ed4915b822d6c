"""Sessions of the console in memory: the double that tests of them use."""

from turnwire_gateway.errors import unavailable


class MemorySessions:
    """`SessionRecords` in a dict."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self.kept: dict[str, bytes] = {}
        self.lost = False
        """Whether they cannot be read."""

    async def read(self, session_id: str) -> bytes:
        """See `SessionRecords.read`."""
        if self.lost:
            raise unavailable("event_log_unavailable")
        return self.kept.get(session_id, b"")

    async def put(self, session_id: str, sealed: bytes) -> None:
        """See `SessionRecords.put`."""
        self.kept[session_id] = sealed
