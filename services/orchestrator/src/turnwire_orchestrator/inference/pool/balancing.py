"""Which of the servers of a model gets a sample. Pure.

The one whose cache may hold the beginning of the prompt, unless it has more than its share of work
(consistent hashing with bounded loads, Mirrokni et al. 2018); else the least busy by weight.
"""

from collections.abc import Sequence
from hashlib import blake2b
from math import ceil, log
from typing import Final, Literal

from msgspec import Struct

_SPREAD: Final = 1.25
"""How much more than its share a server may have for the sake of its cache."""

_HASH_BYTES: Final = 6

Readiness = Literal["ready", "failing", "told_to_wait"]
"""`failing`: it failed again and again, and is left alone for a while; `told_to_wait`: it said
itself when to come back."""


class Candidate(Struct, frozen=True):
    """A server of the model that is asked for, as it stands now."""

    name: str
    weight: float = 1.0
    backup: bool = False
    running: int = 0
    """The samples that it works on for this process."""
    readiness: Readiness = "ready"


def pick(
    candidates: Sequence[Candidate], last: str | None, cache_key: str | None, sample: str
) -> Candidate | None:
    """Choose a server; `None`: all have said that they are to be left alone.

    `last` is who answered before, `cache_key` names prompts that begin alike
    (`prompt_cache_key`), `sample` only spreads what is equal otherwise. A server that fails is
    asked when there is no better one: that is how it is found out that it is back.
    """
    able = _most_able(candidates)
    if not able:
        return None
    near = _near(able, last, cache_key)
    if near is not None and near.running < _share(near, able):
        return near
    return min(able, key=lambda each: (each.running / each.weight, -_score(each, sample)))


def _most_able(candidates: Sequence[Candidate]) -> list[Candidate]:
    ready = [each for each in candidates if each.readiness == "ready"]
    first = [each for each in ready if not each.backup]
    return first or ready or [each for each in candidates if each.readiness == "failing"]


def _near(able: Sequence[Candidate], last: str | None, cache_key: str | None) -> Candidate | None:
    named = next((each for each in able if each.name == last), None)
    if named is None and cache_key is not None:
        return max(able, key=lambda each: _score(each, cache_key))
    return named


def _share(one: Candidate, able: Sequence[Candidate]) -> int:
    """Give how many samples it may have, with the one that is to be placed."""
    running = sum(each.running for each in able) + 1
    return ceil(_SPREAD * running * one.weight / sum(each.weight for each in able))


def _score(one: Candidate, key: str) -> float:
    """Score by weighted rendezvous hashing: the server with the highest score for a key has it.

    A server that comes or goes moves only the keys that it gets or had.
    """
    digest = blake2b(f"{one.name}\0{key}".encode(), digest_size=_HASH_BYTES).digest()
    uniform = (int.from_bytes(digest) + 0.5) / 256**_HASH_BYTES
    return -one.weight / log(uniform)
