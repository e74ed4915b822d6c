"""What `turnwire doctor` finds on this machine: secrets, settings, versions, proxies."""

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address, ip_network
from typing import Final

from pydantic_settings import BaseSettings

from turnwire_chassis.settings import SettingsError, load
from turnwire_dev.commands.backups.secret_files import SECRETS
from turnwire_dev.commands.checks import CheckFailed, CheckPassed, Finding
from turnwire_dev.components.nats_security import LogKeyError, require_log_key
from turnwire_dev.instance.callers import AuthenticationMissingError, require_authentication
from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.instance.run_file import Run
from turnwire_dev.settings import RunnerSettings
from turnwire_gateway.settings import GatewaySettings
from turnwire_guard.settings import GuardSettings
from turnwire_orchestrator.settings import OrchestratorSettings
from turnwire_store.settings import StoreSettings
from turnwire_tool_runner.settings import ToolRunnerSettings

_OTHERS: Final = 0o077
_SERVICES: Final[Mapping[str, type[BaseSettings]]] = {
    "gateway": GatewaySettings,
    "orchestrator": OrchestratorSettings,
    "tool-runner": ToolRunnerSettings,
    "guard": GuardSettings,
    "store": StoreSettings,
}
_PACKAGES: Final = (
    *("turnwire-contracts", "turnwire-chassis", "turnwire-gateway", "turnwire-orchestrator"),
    *("turnwire-tool-runner", "turnwire-guard", "turnwire-store", "turnwire-dev"),
)
_PROXIES: Final = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_CHECKED_BY_THEMSELVES: Final = ("TURNWIRE_LIMITS",)
_LOOPBACK: Final = "127.0.0.1"


def check_secrets(folder: DataFolder, settings: RunnerSettings) -> Iterator[Finding]:
    """Check that the secrets of the data folder are there, and that only their owner reads them."""
    paths = [folder.path / each.name for each in SECRETS]
    open_to_others = [each for each in paths if each.exists() and each.stat().st_mode & _OTHERS]
    for path in open_to_others:
        yield CheckFailed(
            "secrets",
            f"{path} can be read by other users (mode {path.stat().st_mode & 0o777:o})",
            f"chmod 600 {path}",
        )
    if settings.nats_url is None:
        try:
            require_log_key(folder, encrypted=settings.encrypt_log)
        except LogKeyError as error:
            yield CheckFailed("secrets", str(error), "A backup has it: turnwire backup.")
    if not open_to_others and folder.path.exists():
        yield CheckPassed("secrets", "only their owner can read them")


def check_service_settings() -> Iterator[Finding]:
    """Check the settings of each service, as it would when it starts."""
    services_by_problem: dict[str, list[str]] = {}
    for service, settings in _SERVICES.items():
        try:
            load(settings, ignore_empty=True)
        except SettingsError as error:
            for problem in str(error).splitlines():
                if any(setting in problem for setting in _CHECKED_BY_THEMSELVES):
                    continue
                services_by_problem.setdefault(problem, []).append(service)
    for problem, services in services_by_problem.items():
        yield CheckFailed(
            f"settings of {', '.join(services)}", problem, "Mend it: docs/settings.md"
        )


async def check_callers(settings: RunnerSettings, folder: DataFolder) -> Iterator[Finding]:
    """Check that an API which others can reach knows who may use it."""
    try:
        await require_authentication(settings, folder)
    except AuthenticationMissingError as error:
        text, _, way_out = str(error).partition(". ")
        return iter([CheckFailed("callers", text, " ".join(way_out.split()))])
    return iter(())


def check_versions(run: Run | None) -> Iterator[Finding]:
    """Check that all packages are of one version, and that what runs is of it."""
    found = {package: _version(package) for package in _PACKAGES}
    if len({*found.values()}) > 1:
        versions = ", ".join(f"{package} {of}" for package, of in found.items())
        yield CheckFailed(
            "versions", f"packages differ: {versions}", "Install one version of all: make setup"
        )
    ours = found["turnwire-dev"]
    if run is not None and run.version and run.version != ours:
        yield CheckFailed(
            "versions",
            f"the Turnwire that runs is {run.version}, and this command is {ours}",
            "Restart it: stop turnwire up, and start it again.",
        )


def check_proxies(settings: RunnerSettings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check that clients on this machine would not send requests for it to a proxy."""
    named = next((name for name in _PROXIES if environment.get(name)), None)
    if named is None:
        return
    host = settings.host if settings.host not in ("0.0.0.0", "::", "") else _LOOPBACK  # noqa: S104 # nosec B104 - named, not bound
    spared = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    if any(_covers(each.strip(), host) for each in spared.split(",")):
        return
    yield CheckFailed(
        "proxies",
        f"{named} is set and NO_PROXY does not name {host}, so clients here ask the proxy for "
        "Turnwire; its services use no proxy themselves",
        f"export NO_PROXY={','.join(filter(None, (spared, host, 'localhost')))}",
    )


def _covers(pattern: str, host: str) -> bool:
    if pattern in ("*", host):
        return True
    try:
        return ip_address(host) in ip_network(pattern, strict=False)
    except ValueError:
        return bool(pattern) and host.endswith(f".{pattern.lstrip('.')}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"
