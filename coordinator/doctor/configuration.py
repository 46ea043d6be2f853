"""The configuration: whether it can be read, and whether the names in it mean what they say."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from coordinator.configuration_file import load_configuration
from coordinator.doctor.examining import Examination
from coordinator.doctor.models import Finding, Group, bad, doubtful, good
from coordinator.sandbox.protocol import Network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from coordinator.doctor.subject import Subject


def configuration_examinations(subject: Subject) -> Iterator[Examination]:
    """Give the checks of the configuration of the base branch."""
    looks: dict[str, Callable[[Subject], Iterator[Finding]]] = {
        "file": configuration_file,
        "base branch": configuration_base_branch,
        "gates": configuration_gates,
        "sandbox": configuration_sandbox,
        "queue": configuration_queue,
    }
    for name, look in looks.items():
        yield Examination(Group.CONFIGURATION, name, partial(look, subject))


def configuration_file(subject: Subject) -> Iterator[Finding]:
    """Read it from the base branch; the line and the nearest key of what is wrong are the error."""
    path, branch = subject.environment.configuration_path, subject.base_branch
    text = subject.configuration_text.find()
    subject.configuration.find()
    yield good(f"there is no {path} on {branch}: all defaults" if text is None else f"{path} on {branch}")


def configuration_base_branch(subject: Subject) -> Iterator[Finding]:
    """See whether the branch that work starts from exists."""
    branch = subject.settings.base_branch or subject.default_branch
    if subject.forge().branch_commit(branch) is None:
        yield bad(
            f"there is no branch {branch}",
            f"Push it, or correct base_branch in {subject.environment.configuration_path}",
        )
    else:
        yield good(branch)


def configuration_gates(subject: Subject) -> Iterator[Finding]:
    """See whether anything is checked at all."""
    gates = subject.configuration.needed().gates
    enabled = {name: getattr(gates, name).enabled for name in type(gates).model_fields if name != "commands"}
    off = [name for name, on in enabled.items() if not on]
    if len(off) == len(enabled) and not gates.commands:
        yield bad("every gate is switched off, so everything is accepted", "Enable at least the gate `test`")
    elif off:
        yield doubtful(f"switched off: {', '.join(off)}", "Enable what the project can have")
    else:
        yield good(", ".join(enabled))


def configuration_sandbox(subject: Subject) -> Iterator[Finding]:
    """Repeat what was opened."""
    sandbox = subject.configuration.needed().sandbox
    path = subject.environment.configuration_path
    if sandbox.allow_unconfined:
        mend = f"Take sandbox.allow_unconfined out of {path} as soon as the runner can confine commands"
        yield doubtful("commands run even where they cannot be confined", mend)
    if sandbox.network is Network.OPEN:
        yield doubtful(
            "commands of the agent may use the network", f"Set sandbox.network to none or loopback in {path}"
        )
    if not sandbox.allow_unconfined and sandbox.network is not Network.OPEN:
        yield good(f"network {sandbox.network}")


def configuration_queue(subject: Subject) -> Iterator[Finding]:
    """Say how many runs work at once."""
    parallel = subject.configuration.needed().queue.parallel
    yield good(f"at most {parallel} run{'' if parallel == 1 else 's'} at once")


def allowed_examinations(subject: Subject) -> Iterator[Examination]:
    """Give the check that needs a server with accounts."""
    yield Examination(Group.CONFIGURATION, "allow", partial(configuration_allow, subject))


def configuration_allow(subject: Subject) -> Iterator[Finding]:
    """See whether each login in the list is somebody: anyone could register a free one."""
    allow = subject.configuration.needed().allow
    logins = [entry for entry in allow if isinstance(entry, str)]
    missing = [login for login in logins if subject.forge().account(login) is None]
    for login in missing:
        what = f"there is no account {login}: whoever registers that name may start runs"
        yield bad(
            what, f"Take it out of `allow` in {subject.environment.configuration_path}, or name the account by id"
        )
    if not missing:
        yield good(", ".join(map(str, allow)) or "nobody beside those who may write")


def checkout_examinations(subject: Subject, checkout: Path) -> Iterator[Examination]:
    """Give the check of the file that lies in a checkout, which may not be committed yet."""
    yield Examination(Group.CONFIGURATION, "checkout", partial(configuration_in_checkout, subject, checkout))


def configuration_in_checkout(subject: Subject, checkout: Path) -> Iterator[Finding]:
    """See whether what a person has written would work, and whether it is in effect."""
    path = subject.environment.configuration_path
    file = checkout / path
    text = file.read_bytes() if file.is_file() else None
    load_configuration(text, file=path)
    if text == subject.configuration_text.needed():
        yield good("the same as on the base branch")
    else:
        what = f"{path} in the checkout is another one than on {subject.base_branch}, which is what counts"
        yield doubtful(what, f"Commit it to {subject.base_branch}")
