"""What the backend has seen: requests, counters, and waits for facts about them."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request as it arrived. Header names are lower case; `connection` numbers sockets."""

    body: Mapping[str, Any]
    headers: Mapping[str, str]
    connection: int
    path: str = "/v1/responses"


@dataclass(slots=True)
class Counters:
    """Numbers since the start or the last reset."""

    requests: int = 0
    streams: int = 0
    bytes_in: int = 0
    tokens_out: int = 0
    disconnects: int = 0
    in_flight: int = 0
    max_in_flight: int = 0


class Recorder:
    """Counts and keeps what happens, and wakes those who wait for it."""

    def __init__(self, keep: int | None = None) -> None:
        """Keep the last `keep` requests; None keeps all."""
        self.requests: deque[RecordedRequest] = deque(maxlen=keep)
        self.counters = Counters()
        self._waits: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    def began(self, request: RecordedRequest, size: int) -> None:
        """Note a request whose body has arrived."""
        counters = self.counters
        counters.requests += 1
        counters.bytes_in += size
        counters.streams += bool(request.body.get("stream"))
        counters.in_flight += 1
        counters.max_in_flight = max(counters.max_in_flight, counters.in_flight)
        self.requests.append(request)
        self.changed()

    def ended(self, tokens: int, *, left: bool) -> None:
        """Note the end of an answer; `left`: the client went away before it."""
        self.counters.in_flight -= 1
        self.counters.tokens_out += tokens
        self.counters.disconnects += left
        self.changed()

    def reset(self) -> None:
        """Forget everything but what is in flight."""
        self.requests.clear()
        self.counters = Counters(in_flight=self.counters.in_flight)

    def changed(self) -> None:
        """Wake those whose fact has come true."""
        if self._waits:
            for fact, future in self._waits:
                if fact() and not future.done():
                    future.set_result(None)

    async def until(self, fact: Callable[[], bool], what: str, within: float) -> None:
        """Wait for a fact; TimeoutError says which one did not come true in so many seconds."""
        if fact():
            return
        wait = (fact, asyncio.get_running_loop().create_future())
        self._waits.append(wait)
        try:
            await asyncio.wait_for(wait[1], within)
        except TimeoutError:
            msg = f"the backend did not see {what} within {within} s: {self.counters}"
            raise TimeoutError(msg) from None
        finally:
            self._waits.remove(wait)
