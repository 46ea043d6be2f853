"""What a command may reach."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from coordinator.sandbox.protocol import Network
from tests.sandbox.support import sh

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.sandbox.confined import ConfinedSandbox
    from coordinator.sandbox.protocol import Sandbox


@pytest.fixture(name="port")
def serve() -> Iterator[int]:
    """Listen on the loopback of the machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(name="holding")
def need_namespaces(sandbox: ConfinedSandbox) -> ConfinedSandbox:
    """Give the sandbox where this machine can hold the network."""
    if not sandbox.means.holds_network:
        pytest.skip("network namespaces need root with CAP_SYS_ADMIN")
    return sandbox


def test_an_open_network_reaches_the_machine(sandbox: Sandbox, port: int) -> None:
    assert sh(sandbox, f"exec 3<>/dev/tcp/127.0.0.1/{port}").ok


@pytest.mark.parametrize("network", [Network.NONE, Network.LOOPBACK])
def test_a_held_network_does_not_reach_the_machine(holding: Sandbox, port: int, network: Network) -> None:
    assert not sh(holding, f"exec 3<>/dev/tcp/127.0.0.1/{port}", network=network).ok


def test_loopback_serves_the_command_itself(holding: Sandbox) -> None:
    ping = "ip link show lo 2>/dev/null | grep -q UP || grep -q . /proc/net/if_inet6 || exec 3<>/dev/udp/127.0.0.1/9"
    assert sh(holding, ping, network=Network.LOOPBACK).ok
    assert not sh(holding, "exec 3<>/dev/udp/127.0.0.1/9", network=Network.NONE).ok
    assert sh(holding, "exec 3<>/dev/udp/127.0.0.1/9", network=Network.LOOPBACK).ok


def test_no_interface_but_loopback_is_left(holding: Sandbox) -> None:
    outside = os.readlink("/proc/self/ns/net")  # noqa: PTH115  (the target is no path)
    result = sh(holding, "readlink /proc/self/ns/net; tail -n +3 /proc/net/dev", network=Network.NONE)
    inside, *devices = result.stdout.decode().splitlines()
    assert inside != outside
    assert [device.split(":")[0].strip() for device in devices if not device.strip().startswith(("sit", "tunl"))] == [
        "lo"
    ]
