"""The routes of responses."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from turnwire_client.errors import WaitTimeoutError
from turnwire_client.objects import ENDED, JSON, LAST_EVENTS, ListPage, present
from turnwire_client.resuming import ResumedStream, StreamKind
from turnwire_client.transport import Sending, Transport, in_path

RESUME_S: Final = 60.0
"""How long a stream that broke is taken up again without any progress."""

_FRAMES: Final = StreamKind("sequence_number", LAST_EVENTS)
_LOG: Final = StreamKind("sequence")
_FIRST_LOOK_S: Final = 0.1
_LONGEST_LOOK_S: Final = 2.0
_MOST: Final = 100


class ResponseRoutes:
    """Responses, and what the log knows of them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, body: JSON, *, idempotency_key: str | None = None) -> JSON:
        """Create a response and give it once it has ended, or at once with `background: true`.

        The key makes a repeated request join the same turn; one is made where none is given, so
        that a connection which breaks never runs a turn twice.
        """
        return self._created("/responses", body, idempotency_key)

    def stream(
        self, body: JSON, *, idempotency_key: str | None = None, patience_s: float = RESUME_S
    ) -> ResumedStream:
        """Create a response and give its events until its end, whatever breaks on the way.

        `patience_s`: for how long a broken stream is taken up again without any progress.
        """
        return self._begun("/responses", body, idempotency_key, patience_s)

    def resume(
        self, response_id: str, *, after: int | None = None, patience_s: float = RESUME_S
    ) -> ResumedStream:
        """Give the events of a response behind number `after`; `None`: from the first on.

        It must have been created with `stream` or `background`; it may have ended.
        """

        def opening(stream: ResumedStream) -> Sending:
            return _joining(
                response_id, after if stream.last_number is None else stream.last_number
            )

        return ResumedStream(self._transport, opening, _FRAMES, patience_s)

    def get(self, response_id: str, **params: object) -> JSON:
        """Give a response as it is now. `params`: query parameters of the route."""
        return self._get(response_id, "", params)

    def wait(
        self,
        response_id: str,
        *,
        timeout_s: float | None = None,
        on_look: Callable[[JSON], None] | None = None,
    ) -> JSON:
        """Wait until a response has ended, and give it; `on_look` hears of each look at it.

        Raises `WaitTimeoutError` after `timeout_s`; `None`: waits as long as it takes.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        pause = _FIRST_LOOK_S
        while (found := self.get(response_id)).get("status") not in ENDED:
            if on_look is not None:
                on_look(found)
            if until is not None and time.monotonic() + pause > until:
                raise WaitTimeoutError(
                    f"{response_id} is {found.get('status')} after {timeout_s:g} s; it goes on."
                )
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_LOOK_S)
        return found

    def cancel(self, response_id: str) -> JSON:
        """Cancel a background response; what is cancelled stays so."""
        path = f"/responses/{in_path(response_id)}/cancel"
        return self._transport.call(Sending("POST", path))

    def delete(self, response_id: str, **params: object) -> JSON:
        """Delete a response; admins can restore it."""
        return self._transport.call(
            Sending("DELETE", f"/responses/{in_path(response_id)}", present(**params))
        )

    def list(self, **params: object) -> ListPage:
        """Give a page of responses, the newest first.

        `params`: `after`, `limit`, `order`, and filters: `status`, `model`, `application`,
        `conversation`, `tool`, `guard`, `error_code`, `created_from`, `created_to`, `background`,
        `owner`, `tenant`, `search` (docs/log_api.md). A page of a search says how far it came in
        `scan`.
        """
        return ListPage.of(self._transport.call(Sending("GET", "/responses", present(**params))))

    def iterate(self, most: int | None = None, **params: object) -> Iterator[JSON]:
        """Give responses page by page, `most` of them at most; `params` as those of `list`."""
        return pages(self.list, most, params)

    def input_items(self, response_id: str, **params: object) -> ListPage:
        """Give a page of what a response was asked."""
        return ListPage.of(self._get(response_id, "/input_items", params))

    def events(self, response_id: str, **params: object) -> Iterator[JSON]:
        """Give the events that the log has of a response now, the oldest first."""
        after = 0
        while True:
            page = self._get(response_id, "/events", {"after": after, "limit": _MOST, **params})
            yield from page["data"]
            if not page["has_more"]:
                return
            after = page["last_sequence"]

    def follow(
        self, response_id: str, *, after: int = 0, patience_s: float = RESUME_S
    ) -> ResumedStream:
        """Give the events of the log behind place `after`, also those to come, until the end."""
        path = f"/responses/{in_path(response_id)}/events"

        def opening(stream: ResumedStream) -> Sending:
            last = stream.last_number or after
            return Sending("GET", path, present(stream=True, after=last or None))

        return ResumedStream(self._transport, opening, _LOG, patience_s)

    def state(self, response_id: str, at: int | None = None) -> JSON:
        """Give the state of the turn after the event at place `at`; `None`: after the last."""
        return self._get(response_id, "/state", {"at": at})

    def timeline(self, response_id: str) -> JSON:
        """Give where the time of a turn went."""
        return self._get(response_id, "/timeline", {})

    def prompt(self, response_id: str, **params: object) -> JSON:
        """Give what the model was really sent."""
        return self._get(response_id, "/prompt", params)

    def fork(self, response_id: str, changes: JSON, *, idempotency_key: str | None = None) -> JSON:
        """Begin a new response at an event of another one, and give it as `create` does.

        `changes`: `at`, the `sequence` of the event, else the newest; and what is to be different
        (docs/branching.md).
        """
        return self._created(f"/responses/{in_path(response_id)}/fork", changes, idempotency_key)

    def stream_fork(
        self, response_id: str, changes: JSON, *, patience_s: float = RESUME_S
    ) -> ResumedStream:
        """Fork as `fork` does, and give the events of the new response until its end."""
        return self._begun(f"/responses/{in_path(response_id)}/fork", changes, None, patience_s)

    def rerun(
        self,
        response_id: str,
        changes: JSON | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> JSON:
        """Ask the same again, with `changes` if any; gives the new response."""
        return self._created(
            f"/responses/{in_path(response_id)}/rerun", changes or {}, idempotency_key
        )

    def stream_rerun(
        self, response_id: str, changes: JSON | None = None, *, patience_s: float = RESUME_S
    ) -> ResumedStream:
        """Rerun as `rerun` does, and give the events of the new response until its end."""
        return self._begun(
            f"/responses/{in_path(response_id)}/rerun", changes or {}, None, patience_s
        )

    def diff(self, response_id: str, other: str) -> JSON:
        """Compare a response with another."""
        return self._get(response_id, "/diff", {"with": other})

    def _created(self, path: str, body: JSON, idempotency_key: str | None) -> JSON:
        key = idempotency_key or new_key()
        return self._transport.call(Sending("POST", path, body=body, idempotency_key=key))

    def _begun(
        self, path: str, body: JSON, idempotency_key: str | None, patience_s: float
    ) -> ResumedStream:
        key = idempotency_key or new_key()

        def opening(stream: ResumedStream) -> Sending:
            if stream.response_id:
                return _joining(stream.response_id, stream.last_number)
            return Sending("POST", path, body={**body, "stream": True}, idempotency_key=key)

        return ResumedStream(self._transport, opening, _FRAMES, patience_s)

    def _get(self, response_id: str, part: str, params: Mapping[str, object]) -> JSON:
        path = f"/responses/{in_path(response_id)}{part}"
        return self._transport.call(Sending("GET", path, present(**params)))


def pages(
    fetch: Callable[..., ListPage], most: int | None, params: Mapping[str, Any]
) -> Iterator[JSON]:
    """Give the objects of a list page by page; `most`: how many at most, `None`: all."""
    left = most
    after = params.get("after")
    while left is None or left > 0:
        limit = _MOST if left is None else min(left, _MOST)
        page = fetch(**{**params, "after": after, "limit": limit})
        yield from page
        left = None if left is None else left - len(page.data)
        # A search stops after so many responses, also where none of them fits.
        scan: JSON = page.answer.get("scan") or {}
        ends = (scan.get("last_scanned_id"), page.answer.get("last_id"))
        after = next((end for end in ends if end), page.answer.get("last_sequence"))
        if not page.has_more or after is None:
            return


def _joining(response_id: str, after: int | None) -> Sending:
    params = present(stream=True, starting_after=after)
    return Sending("GET", f"/responses/{in_path(response_id)}", params)


def new_key() -> str:
    """Make an `Idempotency-Key` that no other request has."""
    return f"turnwire-client-{uuid.uuid4()}"
