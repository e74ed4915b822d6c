"""Verdicts that were given before, for the same content under the same policy."""

import hashlib
from collections import OrderedDict

import msgspec

from turnwire_contracts.queries import AskForCheck, Verdict


class VerdictCache:
    """Keeps the verdicts that were asked for last; holds hashes, never content."""

    def __init__(self, entries: int) -> None:
        """Keep at most `entries`; 0 keeps none."""
        self._entries = entries
        self._verdicts: OrderedDict[bytes, Verdict] = OrderedDict()

    def get(self, question: AskForCheck, version: str) -> Verdict | None:
        """Give the verdict on the same question under the same policy."""
        if not self._entries:
            return None
        key = _key(question, version)
        found = self._verdicts.get(key)
        if found is not None:
            self._verdicts.move_to_end(key)
        return found

    def put(self, question: AskForCheck, version: str, verdict: Verdict) -> None:
        """Keep a verdict; the one that was not asked for longest makes room."""
        if not self._entries:
            return
        self._verdicts[_key(question, version)] = verdict
        while len(self._verdicts) > self._entries:
            self._verdicts.popitem(last=False)


def _key(question: AskForCheck, version: str) -> bytes:
    # All of the question: content, conversation, check type, application and context.
    asked = msgspec.json.encode((version, question))
    return hashlib.sha256(asked).digest()
