"""What Kubernetes and Docker put into an environment about services beside us is no setting."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_chassis.setting_names import SETTING_NAMES, is_service_link
from turnwire_chassis.settings import ServiceSettings, SettingsError, load, refuse_misspelt
from turnwire_dev.settings import RunnerSettings


def kubernetes(service: str, address: str, port: int, protocol: str = "tcp") -> dict[str, str]:
    """Give what a kubelet tells of a Service with one port that is named `http`."""
    name = service.upper().replace("-", "_")
    host = f"[{address}]" if ":" in address else address
    url = f"{protocol}://{host}:{port}"
    one = f"{name}_PORT_{port}_{protocol.upper()}"
    return {
        f"{name}_SERVICE_HOST": address,
        f"{name}_SERVICE_PORT": str(port),
        f"{name}_SERVICE_PORT_HTTP": str(port),
        f"{name}_PORT": url,
        one: url,
        f"{one}_PROTO": protocol,
        f"{one}_PORT": str(port),
        f"{one}_ADDR": address,
    }


SERVICES = ["", "-nats", "-health", "-mongodb", "-gateway", "-nats-headless", "-tool-runner", "-1"]
POD = {
    name: value
    for number, service in enumerate(SERVICES)
    for name, value in kubernetes(f"turnwire{service}", f"10.0.0.{number}", 8080 + number).items()
}
LINKED = {
    **kubernetes("turnwire-health", "fd00::7", 53, "udp"),
    "TURNWIRE_NATS_NAME": "/web/turnwire-nats",
    "TURNWIRE_NATS_ENV_NATS_SERVER": "2.12.0",
    "TURNWIRE_ENV_TURNWIRE_PORT": "8080",
}

dns_labels = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
addresses = st.ip_addresses().map(str)
ports = st.integers(1, 65535)
protocols = st.sampled_from(["tcp", "udp", "sctp"])


@given(dns_labels, addresses, ports, protocols)
def test_no_service_in_the_namespace_is_a_setting(
    label: str, address: str, port: int, protocol: str
) -> None:
    told = kubernetes(f"turnwire-{label}", address, port, protocol)
    refuse_misspelt(told)
    assert all(is_service_link(name, value) for name, value in told.items())


@given(
    st.sampled_from(sorted(SETTING_NAMES)), st.sampled_from(["8080", "0", "info", "/a/b", "x:1"])
)
def test_no_setting_is_taken_for_a_link(name: str, value: str) -> None:
    assert not is_service_link(name, value)


@pytest.mark.parametrize("links", [POD, LINKED])
def test_settings_beside_links_are_as_without_them(
    monkeypatch: pytest.MonkeyPatch, links: dict[str, str]
) -> None:
    for name in [name for name in os.environ if name.startswith("TURNWIRE")]:
        monkeypatch.delenv(name)
    plain = load(ServiceSettings), load(RunnerSettings)
    for name, value in links.items():
        monkeypatch.setenv(name, value)
    assert (load(ServiceSettings), load(RunnerSettings)) == plain


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("TURNWIRE_HEALTH_PORT", "http://10.0.0.7:8080", "^TURNWIRE_HEALTH_PORT: "),
        ("TURNWIRE_HEALTH_PORT", "eighty", "^TURNWIRE_HEALTH_PORT: "),
        ("TURNWIRE_HEALTH_PORTS", "8080", "Did you mean TURNWIRE_HEALTH_PORT"),
        ("TURNWIRE_NATS_PORT", "4222", "Did you mean TURNWIRE_"),
        ("TURNWIRE_HEALTH_HOSTS", "10.0.0.7", "Did you mean TURNWIRE_HEALTH_HOST"),
        ("TURNWIRE_NATS_URI", "tcp://10.0.0.7:4222", "Did you mean TURNWIRE_NATS_URL"),
    ],
)
def test_what_is_no_link_is_still_found(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=complaint):
        load(ServiceSettings)


@pytest.mark.process
@pytest.mark.parametrize("service", ["gateway", "orchestrator", "guard", "tool_runner"])
async def test_a_service_starts_in_such_a_pod(service: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"turnwire_{service}"),
        env={
            **{name: value for name, value in os.environ.items() if "TURNWIRE" not in name},
            **POD,
            **LINKED,
            "TURNWIRE_NATS_URL": "nats://127.0.0.1:9",
            "TURNWIRE_BACKEND_URL": "http://127.0.0.1:9/v1",
        },
        stderr=PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(30):
            assert b"service starts" in await process.stderr.readline()
    finally:
        process.kill()
        await process.communicate()
