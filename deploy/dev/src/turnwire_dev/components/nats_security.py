"""The users of the embedded broker, and the encryption of its files."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from turnwire_chassis.broker_access.nkey import public_key
from turnwire_chassis.broker_authorization.rights import User
from turnwire_dev.instance import generated_secrets
from turnwire_dev.instance.folder import DataFolder

_FINGERPRINT = "encrypted-with"


class LogKeyError(Exception):
    """The log cannot be opened with what is there; the text names the way out."""


@dataclass(frozen=True, slots=True)
class NatsSecurity:
    """Users and encryption of the broker; the defaults are neither, for tests."""

    public_keys: Mapping[User, str] = field(default_factory=dict[User, str])
    """The nkey of each user that may connect, with its rights."""
    log_key: str | None = field(default=None, repr=False)
    """The key that the files are encrypted with; `None`: they are not."""


OPEN = NatsSecurity()


def secure(folder: DataFolder, *, encrypted: bool) -> NatsSecurity:
    """Make the seeds and the key that are missing, and give them.

    Raises `LogKeyError` for a log that is encrypted with another key, and `OSError`.
    """
    seeds = {user: generated_secrets.seed(folder.seed(user)) for user in User}
    public_keys = {user: public_key(seed) for user, seed in seeds.items()}
    return NatsSecurity(public_keys, _log_key(folder) if encrypted else _no_log_key(folder))


def require_log_key(folder: DataFolder, *, encrypted: bool) -> None:
    """Check that the log can be opened with what is there, and change nothing.

    Raises `LogKeyError`, and `OSError`.
    """
    if not encrypted:
        _no_log_key(folder)
        return
    used = _fingerprint(folder)
    if used and not folder.log_key.exists():
        raise LogKeyError(
            f"The log in {folder.nats} is encrypted, and its key {folder.log_key} is gone. Put it "
            "back: without it the log cannot be read. Or begin anew: TURNWIRE_DATA_DIR."
        )
    key = generated_secrets.read_secret(folder.log_key)
    if used and key is not None and used != _print_of(key):
        raise LogKeyError(
            f"The log in {folder.nats} is encrypted with another key than {folder.log_key}. Put "
            "the one back that it was made with."
        )


def _log_key(folder: DataFolder) -> str:
    require_log_key(folder, encrypted=True)
    key = generated_secrets.log_key(folder.log_key)
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
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _print_of(key: str) -> str:
    return hashlib.sha256(key.encode("ascii")).hexdigest()
