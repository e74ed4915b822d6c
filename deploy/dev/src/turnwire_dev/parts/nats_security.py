"""What the embedded broker is told so that it lets in only us, and writes nothing in the clear."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from turnwire_chassis.broker_access.nkey import public_key
from turnwire_chassis.broker_access.rights import User
from turnwire_dev.claims import made_once
from turnwire_dev.claims.folder import DataFolder

_FINGERPRINT = "encrypted-with"


class LogKeyError(Exception):
    """The log cannot be opened with what is there; the text names the way out."""


@dataclass(frozen=True, slots=True)
class NatsSecurity:
    """Nothing of it: a broker for everybody, in the clear, as some tests want it."""

    public_keys: Mapping[User, str] = field(default_factory=dict[User, str])
    """Who may come in, and is then held to its rights."""
    log_key: str | None = field(default=None, repr=False)
    """What the files are encrypted with."""


OPEN = NatsSecurity()


def secure(folder: DataFolder, *, encrypted: bool) -> NatsSecurity:
    """Make what is missing of seeds and key. Raises `LogKeyError`, OSError."""
    seeds = {user: made_once.seed(folder.seed(user)) for user in User}
    public_keys = {user: public_key(seed) for user, seed in seeds.items()}
    return NatsSecurity(public_keys, _log_key(folder) if encrypted else _no_log_key(folder))


def _log_key(folder: DataFolder) -> str:
    known = _fingerprint(folder)
    if known and not folder.log_key.exists():
        raise LogKeyError(
            f"The log in {folder.nats} is encrypted, and its key {folder.log_key} is gone. Put it "
            "back; without it nobody can read what was said. Or begin anew: TURNWIRE_DATA_DIR."
        )
    key = made_once.log_key(folder.log_key)
    if known not in ("", _print_of(key)):
        raise LogKeyError(
            f"The log in {folder.nats} is encrypted with another key than {folder.log_key}. Put "
            "the one back that it was made with."
        )
    # Before the first byte: a broker with a wrong key leaves out what it cannot read, and would
    # begin an empty log in its place.
    (folder.nats / _FINGERPRINT).write_text(f"{_print_of(key)}\n", encoding="ascii")
    return key


def _no_log_key(folder: DataFolder) -> None:
    if _fingerprint(folder):
        raise LogKeyError(
            f"The log in {folder.nats} is encrypted and cannot be opened without its key. "
            "Leave TURNWIRE_ENCRYPT_LOG out, or begin anew: TURNWIRE_DATA_DIR."
        )


def _fingerprint(folder: DataFolder) -> str:
    try:
        return (folder.nats / _FINGERPRINT).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def _print_of(key: str) -> str:
    return hashlib.sha256(key.encode("ascii")).hexdigest()
