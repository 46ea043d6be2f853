"""The machine: how commands of the agent and of the repository would be confined here, tried from inside."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.doctor.examining import Examination, NotKnown, Once
from coordinator.doctor.models import Finding, Group, State, doubtful, good
from coordinator.sandbox.protocol import Command, Limits
from coordinator.sandbox.selftest import self_test

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coordinator.configuration import Configuration
    from coordinator.sandbox.confined import ConfinedSandbox

DOCKER_SOCKETS = ("/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock")
"""Whoever can talk to one of them is root on the host. Gitea's runner mounts the first into every job container unless
``container.docker_host`` is ``-`` (go-gitea/gitea#24438)."""

_ROOT_MEND = "Let the runner run as root in a container of its own, so that commands get another uid"
_CONNECT = """\
import socket, sys
for path in sys.argv[1:]:
    try:
        socket.socket(socket.AF_UNIX).connect(path)
        print(path)
    except OSError:
        pass
"""


@dataclass(frozen=True, slots=True)
class Confinement:
    """What the checks of the confinement are told."""

    sandbox: Once[ConfinedSandbox]
    secrets: Sequence[str]
    """What no confined command may be able to read."""
    in_runner: bool
    configuration: Once[Configuration]
    uid: int
    """Of the coordinator."""
    sockets: Sequence[str] = DOCKER_SOCKETS
    python: str = sys.executable
    """What tries the sockets."""


def confinement_examinations(confinement: Confinement) -> Iterator[Examination]:
    """Give the checks that run a confined command."""
    looks = {
        "user": confinement_user,
        "sandbox": confinement_means,
        "self-test": confinement_self_test,
        "network": confinement_network,
        "processes": confinement_processes,
        "docker": confinement_docker,
    }
    for name, look in looks.items():
        yield Examination(Group.MACHINE, name, partial(look, confinement))


def confinement_user(confinement: Confinement) -> Iterator[Finding]:
    """Say who runs the coordinator."""
    if confinement.uid == 0:
        yield good("root, so confined commands can get a uid of their own")
    else:
        yield doubtful(f"uid {confinement.uid}, not root: confined commands share it", _ROOT_MEND)


def confinement_means(confinement: Confinement) -> Iterator[Finding]:
    """Open a sandbox as a run does; what stands in the way is the error."""
    sandbox = confinement.sandbox.find()
    if sandbox.means.uid is None:
        yield doubtful(sandbox.description, _ROOT_MEND)
    else:
        yield good(sandbox.description)


def confinement_self_test(confinement: Confinement) -> Iterator[Finding]:
    """Do what a run does before its agent may start; see `coordinator.flows.confinement`."""
    sandbox = confinement.sandbox.needed()
    leak = self_test(sandbox)
    if leak is not None:
        yield Finding(state=State.ERROR, message=leak, mend=_ROOT_MEND)
        return
    leak = self_test(sandbox, confinement.secrets)
    if leak is None:
        yield good("a confined command can read no secret of the coordinator")
    else:
        mend = f"{_ROOT_MEND}, or take the keys out of the shell's environment"
        yield Finding(state=_how_bad(confinement), message=leak, mend=mend)


def confinement_network(confinement: Confinement) -> Iterator[Finding]:
    """See whether commands can be kept from the network."""
    sandbox = confinement.sandbox.needed()
    if sandbox.means.holds_network:
        yield good("confined commands are kept from it where the configuration says so")
    else:
        mend = f"{_ROOT_MEND}, with the right to make namespaces"
        yield doubtful("confined commands cannot be kept from it here, whatever the configuration says", mend)


def confinement_processes(confinement: Confinement) -> Iterator[Finding]:
    """See whether commands see the processes of others."""
    sandbox = confinement.sandbox.needed()
    if sandbox.means.hides_processes:
        yield good("confined commands see none but their own")
    else:
        yield doubtful("confined commands see the command lines of other processes", _ROOT_MEND)


def confinement_docker(confinement: Confinement) -> Iterator[Finding]:
    """Try from inside to connect to a container engine."""
    sandbox = confinement.sandbox.needed()
    argv = (confinement.python, "-I", "-c", _CONNECT, *confinement.sockets)
    result = sandbox.run(Command(argv=argv, cwd=Path("/"), limits=Limits(seconds=30)))
    reached = result.stdout.decode(errors="replace").split()
    if not result.ok:
        yield doubtful("not known: the attempt to connect did not come to its end", "Run doctor again")
    elif reached:
        mend = "Do not mount it into jobs (Gitea's runner: `container.docker_host` set to -), or run as root"
        what = f"a confined command can use {reached[0]}, which makes it root on this machine"
        yield Finding(state=_how_bad(confinement), message=what, mend=mend)
    else:
        yield good("no container engine can be reached by a confined command")


def _how_bad(confinement: Confinement) -> State:
    """Tell a runner, where it is an error, from what a person has accepted."""
    try:
        accepted = confinement.configuration.needed().sandbox.allow_unconfined
    except NotKnown:
        accepted = False
    return State.WARNING if accepted or not confinement.in_runner else State.ERROR
