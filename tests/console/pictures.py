"""Takes the pictures of docs/console.md, light and dark: `python -m console.pictures`."""

import asyncio
import sys
import tempfile
from pathlib import Path

from console.rig import BROWSER, house
from console.scenes import play


async def main() -> int:
    """Have a day happen, and take the pictures."""
    if BROWSER is None:
        print("This needs Chromium.")  # noqa: T201 -- to a person
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        async with house(Path(scratch), guarded=True) as running:
            ids = await play(running)
            code, said = await running.run("tests/pictures.ts", also=ids)
    print(said)  # noqa: T201 -- as above
    return code


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
