"""`python -m turnwire_gateway`."""

from turnwire_chassis.run import run_service
from turnwire_gateway.serving import serve
from turnwire_gateway.settings import GatewaySettings

if __name__ == "__main__":
    run_service("gateway", GatewaySettings, serve)
