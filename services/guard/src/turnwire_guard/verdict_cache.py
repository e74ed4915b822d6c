"""Verdicts that were given before, for the same content under the same policy."""

import hashlib
from collections import OrderedDict

import msgspec

from turnwire_contracts.queries import AskForCheck, Verdict


class VerdictCache:
    """Keeps the verdicts that were asked for last; holds hashes, never content."""

    def __init__(self, entries: int) -> None:
        """`entries`: how many verdicts are kept at most; 0: none."""
        self._entries = entries
        self._verdicts: OrderedDict[bytes, Verdict] = OrderedDict()

    def get(self, question: AskForCheck, version: str) -> Verdict | None:
        """Give the verdict on an equal question under the policy of that version, if it is kept."""
        if not self._entries:
            return None
        key = _key(question, version)
        verdict = self._verdicts.get(key)
        if verdict is not None:
            self._verdicts.move_to_end(key)
        return verdict

    def put(self, question: AskForCheck, version: str, verdict: Verdict) -> None:
        """Keep a verdict; the one that was not asked for longest makes room."""
        if not self._entries:
            return
        self._verdicts[_key(question, version)] = verdict
        while len(self._verdicts) > self._entries:
            self._verdicts.popitem(last=False)


def _key(question: AskForCheck, version: str) -> bytes:
    # All of the question: content, conversation, check type, application and context.
    encoded = msgspec.json.encode((version, question))
    return hashlib.sha256(encoded).digest()
