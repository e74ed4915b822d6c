"""Recorded answers of backends, as files tell them (services/orchestrator/tests/dialects)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from scripted_backend import Answer, sends_http
from turnwire_contracts.json_values import JSON, mapping
from turnwire_testing import fast_yaml
from turnwire_testing.packing import PACK

_APIS = ("responses", "chat")
_FIELDS = {"server", "version", "source", "api", "request", "answer", "expect"}
_ANSWER = {"status", "headers", "encode", "body"}
_EXPECT = {"response", "deltas", "error", "counts"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One answer of a backend, and what a client of Turnwire must be told."""

    name: str
    """The file's path in the folder, without its ending."""
    server: str
    apis: tuple[str, ...]
    status: int
    headers: Mapping[str, str]
    body: bytes
    request: JSON = field(default_factory=dict[str, Any])
    """What the client asks for, beside its input."""
    response: JSON = field(default_factory=dict[str, Any])
    """Members that the response has."""
    deltas: list[str] | None = None
    error: JSON | None = None
    """Members of the error, with the HTTP `status` and `retry_after` of a plain answer."""
    counts: JSON = field(default_factory=dict[str, Any])
    """How many `tokens` were too many, and their `limit`."""

    def answer(self, piece: int) -> Answer:
        """Give the answer as bytes, `piece` of them at once (0: all)."""
        size = piece or len(self.body) or 1
        pieces = [self.body[at : at + size] for at in range(0, len(self.body), size)]
        chunks = [b"%x\r\n%b\r\n" % (len(each), each) for each in pieces]
        return sends_http(self._head(), *chunks, b"0\r\n\r\n")

    def _head(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "Transfer-Encoding: chunked", "", ""]).encode()


_REASONS = {200: "OK", 429: "Too Many Requests", 503: "Service Unavailable"}


def exchanges(folder: Path) -> Iterator[Exchange]:
    """Read all files of a folder. Raises `ValueError` naming a file that is not as it should be."""
    for path in sorted(folder.rglob("*.yaml")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        try:
            yield _read(name, fast_yaml.load(path.read_bytes()))
        except (KeyError, TypeError, yaml.YAMLError) as error:
            raise ValueError(f"{path}: {error!r}") from error


def unlike(told: Any, expected: Any, path: str = "") -> list[str]:
    """Give where `told` is not as expected: objects may hold more, a `message` may say more."""
    if isinstance(expected, dict):
        members = mapping(told)
        return [
            fault
            for name, value in cast("JSON", expected).items()
            for fault in unlike(members.get(name), value, f"{path}.{name}")
        ]
    if isinstance(expected, list):
        wanted = cast("list[Any]", expected)
        given = cast("list[Any]", told) if isinstance(told, list) else []
        if len(wanted) != len(given):
            return [f"{path} has {len(given)} members, not {len(wanted)}"]
        pairs = enumerate(zip(given, wanted, strict=True))
        return [fault for at, (a, b) in pairs for fault in unlike(a, b, f"{path}[{at}]")]
    if path.endswith(".message") and isinstance(expected, str):
        return [] if expected in str(told) else [f"{path}: {told!r} lacks {expected!r}"]
    return [] if told == expected else [f"{path}: {told!r} is not {expected!r}"]


def _read(name: str, said: JSON) -> Exchange:
    answer, expect = _known(said, _FIELDS)["answer"], _known(said["expect"], _EXPECT)
    body = _known(answer, _ANSWER)["body"]
    headers = {"Content-Type": "application/json", **answer.get("headers", {})}
    raw = body if isinstance(body, bytes) else body.encode()
    if encoding := answer.get("encode"):
        headers["Content-Encoding"], raw = encoding, PACK[encoding](raw)
    for told in ("server", "version", "source"):
        if not said[told]:
            raise KeyError(told)
    return Exchange(
        name=name,
        server=str(said["server"]),
        apis=_APIS if said["api"] == "any" else (said["api"],),
        status=answer["status"],
        headers=headers,
        body=raw,
        request=said.get("request", {}),
        response=expect.get("response", {}),
        deltas=expect.get("deltas"),
        error=expect.get("error"),
        counts=expect.get("counts", {}),
    )


def _known(fields: JSON, known: set[str]) -> JSON:
    if unknown := fields.keys() - known:
        raise KeyError(f"unknown: {', '.join(sorted(unknown))}")
    return fields
