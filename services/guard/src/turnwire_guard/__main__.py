"""Runs the guard: `python -m turnwire_guard`."""

import gc

# There is no garbage in what is imported: a sixth of a start went into looking for it.
gc.disable()

from turnwire_chassis.run import run_service
from turnwire_guard.app import SERVICE, serve
from turnwire_guard.settings import GuardSettings

if __name__ == "__main__":
    run_service(SERVICE, GuardSettings, serve)
