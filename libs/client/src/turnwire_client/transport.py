"""One request and its answer: what is tried again, and which error says what."""

import random
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import quote, urlsplit

import httpx2

from turnwire_client.errors import ConnectionFailedError, MissingRouteError, RefusedError
from turnwire_client.objects import JSON
from turnwire_client.versions import needed

FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 5.0
_SILENCE_S: Final = 60.0
"""A stream without a byte for so long is opened anew: its connection may have died unheard."""

_TRY_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_SAFE: Final = frozenset({"GET", "DELETE"})
"""Methods that may be repeated: done twice, they have done the same."""


@dataclass(frozen=True, slots=True)
class Sending:
    """One request: its route below the base URL, and what goes with it."""

    method: str
    path: str
    params: dict[str, str] = field(default_factory=dict[str, str])
    body: Any = None
    """Sent as JSON; `None`: nothing."""
    idempotency_key: str = ""
    """What makes a POST one that may be repeated; empty: it is not repeated."""

    @property
    def may_be_repeated(self) -> bool:
        """Whether sending it again does no harm."""
        return self.method in _SAFE or bool(self.idempotency_key)


def in_path(id_: str) -> str:
    """Write an id as one part of a path: whatever it is, it leads to no other route."""
    return quote(id_, safe="", errors="replace").replace(".", "%2E") or "%20"


class Pauses:
    """How long to wait between tries, until patience ends; each longer than the last."""

    def __init__(self, patience_s: float) -> None:
        """`patience_s`: seconds from the first failure on; 0: no second try."""
        self._patience_s = patience_s
        self._until: float | None = None
        self._next_s = 0.0

    def succeeded(self) -> None:
        """Begin anew: there was progress."""
        self._until, self._next_s = None, 0.0

    def wait(self, at_least_s: float = 0.0) -> bool:
        """Wait for the next try; false: patience has ended. `at_least_s`: as the server asks.

        The first wait is none: a connection that broke is made again at once.
        """
        now = time.monotonic()
        self._until = now + self._patience_s if self._until is None else self._until
        # Spread, so that the readers of one dead gateway do not come back all at once.
        pause = max(at_least_s, self._next_s * random.uniform(0.5, 1.0))  # noqa: S311 # nosec B311 - no secret
        if now + pause >= self._until:
            return False
        time.sleep(pause)
        self._next_s = min(max(2 * self._next_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        return True


class Transport:
    """Requests to one server, as one caller."""

    def __init__(self, http: httpx2.Client, retry_s: float) -> None:
        """`http` knows the base URL and the key; `retry_s`: how long a call is tried again."""
        self._http = http
        self._retry_s = retry_s

    def call(self, sending: Sending) -> JSON:
        """Send a request and read its answer. Raises `RefusedError`, `ConnectionFailedError`."""
        pauses = Pauses(self._retry_s if sending.may_be_repeated else 0.0)
        while True:
            try:
                answer = self._http.request(
                    sending.method,
                    sending.path,
                    params=sending.params,
                    json=sending.body,
                    headers=_headers(sending),
                )
            except httpx2.TransportError as error:
                if not pauses.wait():
                    raise self.unreachable(error) from error
                continue
            if answer.is_success:
                return _read(answer)
            if not worth_another_try(answer) or not pauses.wait(retry_after_s(answer)):
                raise refusal(answer, sending)

    @contextmanager
    def events(self, sending: Sending) -> Generator[httpx2.EventSource]:
        """Open a stream of server-sent events; it is read while the context lasts.

        Raises `RefusedError` and the `TransportError`s of httpx2; reading raises the latter.
        """
        with self._http.sse(
            sending.path,
            method=sending.method,
            params=sending.params,
            json=sending.body,
            headers=_headers(sending),
            timeout=_for_streams(self._http.timeout),
            # An event repeats the whole answer; it is as long as the model made it.
            max_event_size=None,
        ) as source:
            if not source.response.is_success:
                source.response.read()
                raise refusal(source.response, sending)
            yield source

    def unreachable(self, error: Exception) -> ConnectionFailedError:
        """Say that the server does not answer."""
        why = str(error) or type(error).__name__
        url = str(self._http.base_url).rstrip("/")
        return ConnectionFailedError(
            f"{url} cannot be reached: {why}. Is Turnwire running there, and is that its address?"
        )


def refusal(answer: httpx2.Response, sending: Sending) -> RefusedError:
    """Read an error of the server; one that is no error of Turnwire keeps its status and text."""
    body = _object(answer)
    said: JSON = body["error"] if isinstance(body.get("error"), dict) else {}
    code = str(said.get("code") or "")
    if code == "unknown_url" or answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        route = f"{sending.method} {urlsplit(str(answer.request.url)).path}"
        version = needed(sending.method, sending.path)
        message = f"This server has no {route}; it needs Turnwire {version} or newer."
        error: RefusedError = MissingRouteError(answer.status_code, message, code)
    else:
        message = str(said.get("message") or answer.text[:200] or answer.reason_phrase)
        error = RefusedError(answer.status_code, message, code)
    error.param = str(said.get("param") or "")
    error.request_id = answer.headers.get("x-request-id", "")
    error.retry_after_s = retry_after_s(answer)
    return error


def worth_another_try(answer: httpx2.Response) -> bool:
    """Tell whether the same request may succeed later. OpenAI: `x-should-retry` decides."""
    said = answer.headers.get("x-should-retry")
    return answer.status_code in _TRY_AGAIN if said is None else said == "true"


def retry_after_s(answer: httpx2.Response) -> float:
    """Give the seconds of `Retry-After`; 0 where it does not say any."""
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdecimal() else 0.0


def _for_streams(timeout: httpx2.Timeout) -> httpx2.Timeout:
    return httpx2.Timeout(
        connect=timeout.connect, read=_SILENCE_S, write=timeout.write, pool=timeout.pool
    )


def _headers(sending: Sending) -> dict[str, str]:
    return {"Idempotency-Key": sending.idempotency_key} if sending.idempotency_key else {}


def _read(answer: httpx2.Response) -> JSON:
    found = _object(answer)
    if not found and answer.content:
        raise RefusedError(
            answer.status_code,
            f"{answer.request.url} answers, but not as Turnwire does. Is the URL right, with /v1?",
        )
    return found


def _object(answer: httpx2.Response) -> JSON:
    """Give the object of an answer; an empty one for anything else."""
    try:
        found: Any = answer.json()
    except ValueError:
        return {}
    return cast("JSON", found) if isinstance(found, dict) else {}
