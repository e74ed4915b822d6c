"""What can go wrong.

TurnwireError
├── ConnectionFailedError    the server cannot be reached, or a stream could not be taken up again
├── WaitTimeoutError         what was waited for has not happened in time
├── StreamRefusedError       a stream told an error in the place of its next event
└── RefusedError             the server answered with an error
    └── MissingRouteError    it has no such route: it is older than what was asked of it
"""


class TurnwireError(Exception):
    """Any error of this package."""


class ConnectionFailedError(TurnwireError):
    """The server cannot be reached, or no longer; the text says where and why."""


class WaitTimeoutError(TurnwireError):
    """What was waited for has not happened in time; it may still happen."""


class StreamRefusedError(TurnwireError):
    """A stream that had begun told an error: the `error` event of OpenAI's streams."""

    def __init__(self, code: str, message: str) -> None:
        """`code` is for programs: one of the codes in docs/operations.md."""
        super().__init__(message)
        self.code = code


class RefusedError(TurnwireError):
    """The server answered with an error; `str()` of it is the server's message."""

    param: str = ""
    """The field that is wrong, as `input[0].role`; empty: none is."""
    request_id: str = ""
    """`x-request-id` of the answer: what the server's logs know the request by."""
    retry_after_s: float = 0.0
    """In how many seconds it may go better; 0: that is not known."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        """`status`: of HTTP; `code`: empty where the answer has none, as that of a proxy."""
        super().__init__(message)
        self.status = status
        self.code = code


class MissingRouteError(RefusedError):
    """The server does not know the route; the text says which Turnwire does."""
