"""What an inference server says of itself: its models, and which API it speaks."""

from dataclasses import dataclass

from turnwire_orchestrator.failures import TurnFailedError
from turnwire_orchestrator.inference.backend import HttpBackend
from turnwire_orchestrator.inference.http_client import Timeouts
from turnwire_orchestrator.servers import Server

_CONNECT_S = 3.0


@dataclass(frozen=True, slots=True)
class BackendAnswers:
    """It works; the ids of its models in its own order, and which API is found, and why."""

    models: tuple[str, ...]
    api: str


@dataclass(frozen=True, slots=True)
class BackendFails:
    """It does not; what is wrong, and the way out."""

    problem: str
    way_out: str


async def ask_backend(server: Server, within_s: float = 3.0) -> BackendAnswers | BackendFails:
    """Ask an inference server for its models and API, as the orchestrator does.

    Each answer may take `within_s` seconds; nothing is generated.
    """
    backend = HttpBackend(server, Timeouts(connect_s=_CONNECT_S, idle_s=within_s))
    try:
        await backend.look()
    except TurnFailedError as error:
        return _fails(server.url, error)
    finally:
        await backend.close()
    models = tuple(str(entry.get("id")) for entry in backend.served.entries)
    return BackendAnswers(models, f"{backend.api.value if backend.api else '?'}: {backend.why}")


def _fails(url: str, error: TurnFailedError) -> BackendFails:
    failure = error.failure
    match failure.code:
        case "backend_unavailable" | "backend_timeout":
            problem = f"no answer from {url}: {failure.message}"
            return BackendFails(problem, "Start it, or set TURNWIRE_BACKEND_URL.")
        case "backend_refused_credentials":
            return BackendFails(f"{url}: {failure.message}", "Set TURNWIRE_BACKEND_API_KEY.")
        case _:
            way_out = "TURNWIRE_BACKEND_URL is the base URL, which ends in /v1."
            return BackendFails(f"{url}: {failure.message}", way_out)
