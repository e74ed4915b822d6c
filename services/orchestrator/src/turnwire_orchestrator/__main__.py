"""`python -m turnwire_orchestrator`."""

import gc

# There is no garbage in what is imported: a sixth of a start went into looking for it.
gc.disable()

from turnwire_chassis.run import run_service
from turnwire_orchestrator.app import serve
from turnwire_orchestrator.settings import OrchestratorSettings

if __name__ == "__main__":
    run_service("orchestrator", OrchestratorSettings, serve)
