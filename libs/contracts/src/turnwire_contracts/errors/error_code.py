"""One row of the catalogue of errors."""

from msgspec import Struct

from turnwire_contracts.events import Failure


class ErrorCode(Struct, frozen=True, kw_only=True):
    """All that is known of one code."""

    code: str
    status: int
    """The HTTP status of the answer."""
    type: str
    """`error.type` of OpenAI's envelope."""
    what: str
    """What happened, as docs/operations.md and the OpenAPI document say it."""
    way_out: str = ""
    """What the client or the operator can do; empty: nothing."""
    retryable: bool = False
    """Whether the same request may succeed later, with nothing changed by its sender."""
    turn_exists: bool = False
    """Whether the request's turn was accepted all the same: repeated, the request runs twice."""
    message: str = ""
    """What a client reads, with `{fields}`; empty: it depends on the case, and is always given."""
    param: str | None = None
    """`error.param`, where it is always the same."""
    retry_after_s: int | None = None
    """In how many seconds it may go better, where that is known beforehand."""
    also: tuple[int, ...] = ()
    """Further statuses that it comes with."""
    instead: str = ""
    """Where it is said, if it is not the code of an HTTP answer with a status of ours."""

    @property
    def may_be_repeated(self) -> bool:
        """Whether a client may repeat the request by itself.

        OpenAI: SDKs repeat it after an answer of 5xx, unless that says `x-should-retry: false`.
        """
        return self.retryable and not self.turn_exists

    @property
    def statuses(self) -> tuple[int, ...]:
        """The statuses of HTTP answers with this code."""
        return () if self.instead else (self.status, *self.also)

    def failure(self, message: str = "", param: str | None = None, /, **fields: object) -> Failure:
        """Make an error; `fields` fill the row's message, unless `message` is said instead."""
        return Failure(
            http_status=self.status,
            type=self.type,
            code=self.code,
            message=message or self.message.format(**fields),
            param=param or self.param,
            retry_after_s=self.retry_after_s,
        )
