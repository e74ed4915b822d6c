"""What `turnwire doctor` finds at the broker: who we are to it, its streams and consumers."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.js.api import ConsumerConfig, StreamConfig

from turnwire_chassis.administration.dead_letters import read_letters
from turnwire_chassis.broker import connect, denied, disconnect, server_version
from turnwire_chassis.broker_access.access import Access
from turnwire_chassis.broker_access.refusals import Refusals
from turnwire_chassis.broker_authorization.rights import User
from turnwire_chassis.broker_times import moment
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream import api
from turnwire_chassis.jetstream.topology import TURN_LEASE_S, streams, turn_consumer
from turnwire_contracts import subjects
from turnwire_contracts.queues import QUEUES
from turnwire_dev.commands.checks import CheckFailed, CheckPassed, Finding

_CHECK: Final = "broker"
_CONNECT_S: Final = 3.0
_ANSWER_S: Final = 2.0
_OLDEST: Final = (2, 12)
_LEAST_PAYLOAD: Final = 1024 * 1024
_SKEW_S: Final = 1.0
_NO_STREAM: Final = 10059
_NO_CONSUMER: Final = 10014
_OFF: Final = frozenset({10039, 10076})
"""JetStream is not enabled for the account, or at all."""

_OF_STREAMS: Final = (
    *("subjects", "retention", "discard", "storage", "max_age", "max_bytes"),
    *("max_msgs_per_subject", "allow_direct", "deny_delete"),
)
_OF_SERVICES: Final = frozenset({(subjects.OUTPUT_STREAM, "max_bytes")})
"""What a setting of the services decides, which is not known here."""
_OF_CONSUMERS: Final = ("ack_policy", "filter_subject", "max_deliver")

_SETTLED: Final = frozenset({"gone", "projected"})
"""What came of a retry, where nothing waits for an operator any more."""

_RIGHTS: Final = "Give the user `operator` the rights that `turnwire broker-config` prints."
_RESTART: Final = "Restart an orchestrator or a store: they make and mend streams when they start."


@dataclass(frozen=True, slots=True)
class Place:
    """A broker, and who we are there."""

    url: str
    access: Access
    replicas: int


@asynccontextmanager
async def entered(place: Place) -> AsyncGenerator[Client | Finding | None]:
    """Connect; gives a finding where the broker does not know us, nothing where it is away."""
    refusals = Refusals()
    try:
        async with asyncio.timeout(_CONNECT_S):
            client = await connect(place.url, User.OPERATOR, access=place.access, refusals=refusals)
    except TimeoutError:
        # That it does not answer at all is found by another check.
        yield (
            None
            if refusals.unknown_user is None
            else CheckFailed(
                _CHECK,
                f"{refusals.unknown_user}",
                "Set TURNWIRE_NATS_NKEY_SEED_FILE to the seed of the user `operator`, and give the "
                "broker what `turnwire broker-config` prints.",
            )
        )
        return
    except OSError as error:
        yield CheckFailed(
            _CHECK,
            f"what proves to it who we are cannot be read: {error}",
            "Restart turnwire up, which makes it, or take it from a backup.",
        )
        return
    try:
        yield client
    finally:
        await disconnect(client)


async def check_streams(client: Client, place: Place, now: Callable[[], datetime]) -> list[Finding]:
    """Check the server, and what it keeps; stops where nothing more can be told."""
    findings = [*_server(client)]
    first = await _info(client, api.stream_info(subjects.TURNS_STREAM))
    if isinstance(first, CheckFailed):
        return [*findings, first]
    findings += _clock(first, now())
    for expected in streams(place.replicas):
        name = expected.name or ""
        answer = await _info(client, api.stream_info(name))
        findings += _stream(name, expected, answer)
    if first.get("state", {}).get("last_seq"):
        for queue in QUEUES:
            name, consumer = queue.consumer, turn_consumer(queue, TURN_LEASE_S)
            answer = await _info(client, api.consumer_info(subjects.TURNS_STREAM, name))
            findings += _consumer(name, consumer, answer)
    if not any(isinstance(each, CheckFailed) for each in findings):
        findings.append(CheckPassed("streams", "all are there, as they should be"))
    return findings


async def check_dead_letters(client: Client) -> Finding:
    """Check that no dead letter waits for an operator."""
    try:
        letters = await read_letters(client)
    except LogUnavailableError as error:
        return CheckFailed("dead letters", str(error), _RESTART)
    waiting = [
        each for each in letters if each.retried is None or each.retried.result not in _SETTLED
    ]
    if not waiting:
        return CheckPassed("dead letters", "there are none")
    newest = waiting[-1].said
    return CheckFailed(
        "dead letters",
        f"{len(waiting)} entries of the log have no effect on the views, the newest "
        f"{newest.subject} ({newest.reason})",
        "See them with: turnwire dead list; then turnwire dead retry or drop.",
    )


def _server(client: Client) -> list[Finding]:
    version = server_version(client)
    found: list[Finding] = []
    if version < _OLDEST:
        running, oldest = ".".join(map(str, version)), ".".join(map(str, _OLDEST))
        found.append(
            CheckFailed(_CHECK, f"nats-server {running} is too old", f"Use {oldest} or newer.")
        )
    if client.max_payload < _LEAST_PAYLOAD:
        found.append(
            CheckFailed(
                _CHECK,
                f"max_payload is {client.max_payload} bytes, so requests of that size are refused",
                "Set max_payload: 8MB in the configuration of nats-server.",
            )
        )
    return found


def _clock(info: dict[str, Any], now: datetime) -> list[Finding]:
    text = str(info.get("ts", ""))
    if not text:
        return []
    skew = (now - moment(text)).total_seconds()
    if abs(skew) <= _SKEW_S:
        return []
    which = "ahead of" if skew > 0 else "behind"
    return [
        CheckFailed(
            "clock",
            f"this machine's clock is {abs(skew):.1f} s {which} the broker's, so limits and "
            "retention are judged wrongly",
            "Have both follow a time server (NTP).",
        )
    ]


def _stream(
    name: str, expected: StreamConfig, answer: dict[str, Any] | CheckFailed
) -> list[Finding]:
    if isinstance(answer, CheckFailed):
        return [answer]
    if _code(answer) == _NO_STREAM:
        return [CheckFailed("streams", f"{name} is missing", _RESTART)]
    declared, config = expected.as_dict(), answer["config"]
    wrong = [
        f"{key} is {config.get(key)!r} and not {declared[key]!r}"
        for key in _OF_STREAMS
        if declared.get(key) is not None
        and (name, key) not in _OF_SERVICES
        and not _same(declared[key], config.get(key))
    ]
    if config.get("num_replicas", 1) < (expected.num_replicas or 1):
        kept = config.get("num_replicas", 1)
        wrong.append(f"{kept} nodes keep it and not {expected.num_replicas}")
    if not wrong:
        return []
    return [CheckFailed("streams", f"{name}: {'; '.join(wrong)}", _RESTART)]


def _consumer(
    name: str, expected: ConsumerConfig, answer: dict[str, Any] | CheckFailed
) -> list[Finding]:
    if isinstance(answer, CheckFailed):
        return [answer]
    if _code(answer) in (_NO_CONSUMER, _NO_STREAM):
        text = f"the consumer {name} is missing, so nothing drives turns"
        return [CheckFailed("consumers", text, "Start or restart an orchestrator: it makes it.")]
    declared, config = expected.as_dict(), answer["config"]
    wrong = [
        f"{key} is {config.get(key)!r} and not {declared[key]!r}"
        for key in _OF_CONSUMERS
        if not _same(declared[key], config.get(key))
    ]
    if not wrong:
        return []
    way_out = "Stop the orchestrators, delete it (nats consumer rm TURNS), and start them again."
    return [CheckFailed("consumers", f"{name}: {'; '.join(wrong)}", way_out)]


def _same(declared: Any, found: Any) -> bool:
    return (declared or None) == (found or None) or (declared, found) == (-1, None)


async def _info(client: Client, subject: str) -> dict[str, Any] | CheckFailed:
    """Ask the broker about something; gives its answer, or why there is none."""
    try:
        reply = await client.request(subject, b"", timeout=_ANSWER_S)
    except NoRespondersError:
        return CheckFailed(
            _CHECK,
            "it has no JetStream, so nothing can be kept",
            "Put jetstream { store_dir: … } into the configuration of nats-server.",
        )
    except (NatsError, TimeoutError):
        if (refused := denied(client)) is not None:
            return CheckFailed(_CHECK, refused, _RIGHTS)
        return CheckFailed(_CHECK, f"no answer to {subject}", "Does a majority of its nodes run?")
    answer = json.loads(reply.data)
    if _code(answer) in _OFF:
        return CheckFailed(
            _CHECK,
            "JetStream is off for this account",
            "Enable it for the account in the configuration of nats-server.",
        )
    return answer


def _code(answer: dict[str, Any]) -> int | None:
    return answer.get("error", {}).get("err_code")
