"""`turnwire broker-config`: what a broker of one's own is told about Turnwire's users."""

from collections.abc import Sequence
from pathlib import Path

import typer

from turnwire_chassis.broker_access.nkey import NoSeedError, is_public_key, public_key
from turnwire_chassis.broker_access.rights import User
from turnwire_chassis.broker_access.server_config import authorization
from turnwire_dev.claims import made_once
from turnwire_dev.screen import Screen


class NoKeyError(Exception):
    """A user cannot be named to the broker; the text says which and why."""


def broker_config(seeds: Path | None, keys: Sequence[str]) -> None:
    """Print the block `authorization`; exit code 1 if a user is without a key."""
    try:
        public_keys = _public_keys(seeds, keys)
    except (NoKeyError, NoSeedError, OSError) as error:
        Screen().problem(str(error))
        raise typer.Exit(1) from error
    typer.echo(authorization(public_keys), nl=False)


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
            # It is not repeated: whoever confuses the two has put a seed here.
            raise NoKeyError(f"--key: what {name} has is no public key of a user, which is U…")
        named[User(name)] = key
    return named


def _made(folder: Path, users: Sequence[User]) -> dict[User, str]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {user: public_key(made_once.seed(folder / f"{user}.seed")) for user in users}
