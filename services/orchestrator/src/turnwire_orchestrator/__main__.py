"""`python -m turnwire_orchestrator`."""

from turnwire_chassis.run import run_service
from turnwire_orchestrator.app import serve
from turnwire_orchestrator.settings import OrchestratorSettings

if __name__ == "__main__":
    run_service("orchestrator", OrchestratorSettings, serve)
