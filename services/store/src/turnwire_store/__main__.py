"""Runs the store, or with `rebuild` builds its views anew beside those that serve."""

import gc
import sys

# There is no garbage in what is imported: a sixth of a start went into looking for it.
gc.disable()

from turnwire_chassis.run import run_service
from turnwire_store.app import serve
from turnwire_store.rebuild import rebuild
from turnwire_store.settings import StoreSettings

_USAGE = "usage: python -m turnwire_store [rebuild]\n"
_BAD_USAGE = 2


def main() -> None:
    """Run what the command line asks for."""
    match sys.argv[1:]:
        case []:
            run_service("store", StoreSettings, serve)
        case ["rebuild"]:
            run_service("store-rebuild", StoreSettings, rebuild)
        case _:
            sys.stderr.write(_USAGE)
            sys.exit(_BAD_USAGE)


if __name__ == "__main__":
    main()
