"""What the simulated broker answers on `$JS.API`: streams, their messages, consumers."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from simulation.consumers import Consumer
from simulation.loop import EPOCH_S
from simulation.streams import NO_LEADER, Kept, Stream, key_of, seen_by_replica

if TYPE_CHECKING:
    from simulation.broker import Broker

_NO_MESSAGE: Final = 10037
_NO_CONSUMER: Final = 10014
_EXISTS: Final = 10148
_SECOND: Final = 1e9
_FORGOTTEN_AFTER_S: Final = 5.0
_CREATED: Final = "2024-01-01T00:00:00Z"


def acknowledge(broker: "Broker", subject: str, data: bytes) -> None:
    """Take `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.…`."""
    words = subject.split(".")
    consumer = broker.consumers.get(words[3])
    if consumer is None:
        return
    delay = orjson.loads(data[5:])["delay"] / _SECOND if data.startswith(b"-NAK {") else 0.0
    consumer.acknowledge(int(words[5]), data, delay)


def answer(broker: "Broker", subject: str, reply: str, data: bytes) -> None:
    """Answer a question to the broker's API."""
    words = subject.split(".")
    about, verb = words[2], words[3]
    name = words[5] if (about, verb) == ("STREAM", "MSG") else words[4]
    if about == "CONSUMER":
        _consumers(broker, words, reply, data)
    elif about == "DIRECT":
        _direct_get(broker, broker.streams[name], ".".join(words[5:]), reply, data)
    elif verb in ("CREATE", "UPDATE", "INFO"):
        _stream_info(broker, broker.streams.get(name), reply, data)
    elif broker.streams[name].leaderless_until > broker.now:
        if broker.random.random() < 0.5:
            broker.refuse(reply, 503, NO_LEADER, "no leader")
    elif verb == "PURGE":
        purged = broker.streams[name].purge(key_of(orjson.loads(data)["filter"]))
        _say(broker, reply, {"success": True, "purged": purged})
    else:
        _messages(broker, broker.streams[name], words[4], reply, data)


def _say(broker: "Broker", reply: str, told: dict[str, Any]) -> None:
    if reply:
        broker.deliver(reply, "", None, orjson.dumps(told))


def _stream_info(broker: "Broker", stream: Stream | None, reply: str, data: bytes) -> None:
    if stream is not None and stream.leaderless_until > broker.now and broker.clustered:
        broker.refuse(reply, 503, NO_LEADER, "no leader")
        return
    last = stream.last if stream is not None else 0
    config = orjson.loads(data) if data else {"name": stream.name if stream else ""}
    state = {"messages": 0, "bytes": 0, "first_seq": 0, "last_seq": last, "consumer_count": 0}
    _say(broker, reply, {"config": config, "created": _CREATED, "state": state})


def _messages(broker: "Broker", stream: Stream, verb: str, reply: str, data: bytes) -> None:
    """Answer `STREAM.MSG.GET` and `STREAM.MSG.DELETE`, as the stream's leader does."""
    question = orjson.loads(data)
    if verb == "DELETE":
        if stream.erase(question["seq"]):
            _say(broker, reply, {"success": True})
        else:
            broker.refuse(reply, 404, _NO_MESSAGE, "no message found")
        return
    found: Kept | None
    if "last_by_subj" in question:
        found = stream.kept.get(stream.last_of(question["last_by_subj"]))
    else:
        found = next(stream.read(question["next_by_subj"], question["seq"]), None)
    if found is None:
        broker.refuse(reply, 404, _NO_MESSAGE, "no message found")
        return
    body = base64.b64encode(found.data).decode()
    message = {"subject": found.subject, "seq": found.sequence, "data": body, "time": _CREATED}
    _say(broker, reply, {"message": message})


def _direct_get(broker: "Broker", stream: Stream, subject: str, reply: str, data: bytes) -> None:
    """Answer as any node that keeps the stream: it may be behind."""
    if stream.leaderless_until > broker.now and broker.random.random() < 0.5:
        return
    seen = stream.last
    if broker.clustered:
        seen = seen_by_replica(stream, broker.now, broker.random)
    if subject:
        found = stream.kept.get(stream.last_of(subject))
        if found is None or found.sequence > seen:
            broker.deliver(reply, "", {"Status": "404"}, b"")
        else:
            broker.deliver(reply, "", _headers(found), found.data)
        return
    question = orjson.loads(data)
    left = question["batch"]
    for kept in _asked_for(stream, question):
        if kept.sequence > seen or not left:
            break
        left -= 1
        broker.deliver(reply, "", _headers(kept), kept.data)
    status = "404" if left == question["batch"] else "204"
    broker.deliver(reply, "", {"Status": status}, b"")


def _asked_for(stream: Stream, question: dict[str, Any]) -> Iterator[Kept]:
    """Give what follows on a subject, or the last of each subject that some patterns match."""
    if "multi_last" not in question:
        return stream.read(question["next_by_subj"], question["seq"])
    found = [kept for pattern in question["multi_last"] for kept in stream.read(pattern, 0)]
    last = {kept.subject: kept for kept in sorted(found, key=lambda kept: kept.sequence)}
    return iter(sorted(last.values(), key=lambda kept: kept.sequence))


def _headers(kept: Kept) -> dict[str, str]:
    return {"Nats-Sequence": str(kept.sequence), "Nats-Subject": kept.subject}


def _consumers(broker: "Broker", words: list[str], reply: str, data: bytes) -> None:
    verb = words[3]
    if verb == "CREATE":
        _create(broker, broker.streams[words[4]], words[5], reply, orjson.loads(data))
        return
    stream, name = broker.streams[words[-2]], words[-1]
    consumer = broker.consumers.get(name)
    if verb == "MSG":
        if consumer is not None and stream.leaderless_until <= broker.now:
            consumer.pull(reply, orjson.loads(data))
        return
    if consumer is None:
        broker.refuse(reply, 404, _NO_CONSUMER, "consumer not found")
    elif verb == "DELETE":
        del broker.consumers[name]
        _say(broker, reply, {"success": True})
    else:
        _say(broker, reply, _info(broker, consumer))


def _create(
    broker: "Broker", stream: Stream, name: str, reply: str, question: dict[str, Any]
) -> None:
    if stream.leaderless_until > broker.now:
        broker.refuse(reply, 503, NO_LEADER, "no leader")
        return
    config = question["config"]
    known = broker.consumers.get(name)
    if known is not None and question.get("action") == "create":
        if _is_idle(broker, known):
            del broker.consumers[name]
            known = None
        else:
            broker.refuse(reply, 400, _EXISTS, "consumer already exists")
            return
    if known is None:
        known = broker.consumers[name] = Consumer(
            name,
            stream,
            config.get("filter_subject", ">"),
            broker,
            config.get("opt_start_seq", 1),
            config.get("ack_wait", 0) / _SECOND if config.get("ack_policy") != "none" else 0.0,
            config.get("metadata", {}).get("holder", ""),
        )
    _say(broker, reply, _info(broker, known))


def _is_idle(broker: "Broker", consumer: Consumer) -> bool:
    """Tell whether a consumer's reader is gone for so long that the broker forgets it."""
    return broker.now - consumer.last_pull_at > _FORGOTTEN_AFTER_S


def _info(broker: "Broker", consumer: Consumer) -> dict[str, Any]:
    return {
        "name": consumer.name,
        "stream_name": consumer.stream.name,
        "created": _CREATED,
        "ts": datetime.fromtimestamp(EPOCH_S + broker.now, UTC).isoformat(),
        "config": {"name": consumer.name, "metadata": {"holder": consumer.holder}},
        "num_pending": consumer.waiting,
        "num_ack_pending": 0,
    }
