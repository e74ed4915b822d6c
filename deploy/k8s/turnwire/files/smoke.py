"""Makes one turn and reads it back; exit code 0 if both answers are the same response.

Reads SMOKE_URL (the API, ending in /v1), SMOKE_API_KEY and SMOKE_MODEL (empty: the first one that
the deployment lists). Standard library only: it runs in any image with Python.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from typing import Any

_TIMEOUT_S = 300
_PROMPT = "Say hello in one sentence."


def main() -> int:
    """Ask, read again, compare; gives the exit code."""
    model = os.environ.get("SMOKE_MODEL") or _call("GET", "/models")["data"][0]["id"]
    made = _call("POST", "/responses", {"model": model, "input": _PROMPT})
    if made["status"] not in {"completed", "incomplete"}:
        print(f"the turn ended as {made['status']}: {made.get('error')}")
        return 1
    read = _call("GET", f"/responses/{made['id']}")
    if read != made:
        print("what was read is not what was answered:", made, read, sep="\n")
        return 1
    print(f"{made['id']}: {made['status']}, and read back")
    return 0


def _call(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("SMOKE_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(  # noqa: S310 -- the operator's own address
        os.environ["SMOKE_URL"] + path,
        None if body is None else json.dumps(body).encode(),
        headers,
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        print(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}")
        sys.exit(1)
    except OSError as error:
        print(f"{method} {path}: {error}")
        sys.exit(1)


if __name__ == "__main__":
    sys.exit(main())
