"""Standard error as the place of log lines: one that cannot be written never harms what it tells.

A full disk, a closed terminal or a pipe without a reader makes a write fail. The line is dropped
and counted, and the first that can be written again is preceded by how many were lost.
"""

import io
import os
import threading
from typing import Final

import orjson

_LOST: Final = "log lines lost"


class LogStream(io.TextIOBase):
    """A text file of whole lines without a buffer: what failed is not tried again at the end."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor`: an open file; it stays open."""
        super().__init__()
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._lost = 0
        self._torn = False

    def write(self, text: str, /) -> int:
        """Write a line, or drop it; gives the length of `text` either way."""
        line = text.encode(errors="backslashreplace")
        with self._lock:
            if self._lost:
                lost = orjson.dumps({"event": _LOST, "level": "warning", "lines": self._lost})
                if self._whole(lost + b"\n"):
                    self._lost = 0
            if self._lost or not self._whole(line):
                self._lost += 1
        return len(text)

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def _whole(self, line: bytes) -> bool:
        """Write one line in a line of its own; whether that worked."""
        left = b"\n" + line if self._torn else line
        try:
            while left:
                written = os.write(self._descriptor, left)
                left = left[written:]
                self._torn = bool(left)
        except OSError:
            return False
        return True
