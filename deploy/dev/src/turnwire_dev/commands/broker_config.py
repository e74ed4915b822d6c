"""`turnwire broker-config`: the users of Turnwire in the configuration of a nats-server."""

from collections.abc import Sequence
from pathlib import Path

import typer

from turnwire_chassis.broker_access.nkey import NoSeedError, is_public_key, public_key
from turnwire_chassis.broker_authorization.rights import User
from turnwire_chassis.broker_authorization.server_config import authorization
from turnwire_cli.exit_codes import BAD_INPUT, FAILED
from turnwire_dev.instance import generated_secrets
from turnwire_dev.screen import Screen


class NoKeyError(Exception):
    """A user cannot be named to the broker; the text says which and why."""


def broker_config(seeds: Path | None, keys: Sequence[str], screen: Screen) -> None:
    """Print the block `authorization`; exit code 2 if a user is without a key."""
    try:
        public_keys = _public_keys(seeds, keys)
    except (NoKeyError, NoSeedError, OSError) as error:
        screen.problem(str(error))
        raise typer.Exit(BAD_INPUT if isinstance(error, NoKeyError) else FAILED) from error
    block = authorization(public_keys)
    screen.result({"nkeys": public_keys, "authorization": block}, *block.splitlines())


def _public_keys(seeds: Path | None, keys: Sequence[str]) -> dict[User, str]:
    named = _named(keys)
    unnamed = [user for user in User if user not in named]
    if unnamed and seeds is None:
        raise NoKeyError(
            f"No key for {', '.join(unnamed)}. Name one with --key {unnamed[0]}=U…, or a folder "
            "with --seeds: what is missing there is made."
        )
    return {**named, **(_made(seeds, unnamed) if seeds else {})}


def _named(keys: Sequence[str]) -> dict[User, str]:
    named: dict[User, str] = {}
    for each in keys:
        name, _, key = each.partition("=")
        if name not in set(User):
            raise NoKeyError(f"--key: {name!r} is none of {', '.join(User)}")
        if not is_public_key(key):
            # It is not quoted: it may be a seed, which is easily confused with a key.
            raise NoKeyError(f"--key: what {name} has is no public key of a user, which is U…")
        named[User(name)] = key
    return named


def _made(folder: Path, users: Sequence[User]) -> dict[User, str]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {user: public_key(generated_secrets.seed(folder / f"{user}.seed")) for user in users}
