"""The server: which one it is, whether it is new enough, and what it offers to this token."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from coordinator.doctor.examining import Examination
from coordinator.doctor.models import Finding, Group, bad, doubtful, good

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.doctor.subject import Subject
    from coordinator.forge.models import Facility, Server

OLDEST = {"gitea": (1, 22), "forgejo": (7, 0)}
"""By product. Gitea 1.22 is the oldest on which labels are set by name (go-gitea/gitea#30943); Forgejo 7.0 is the first
release after it went its own way from there. What else differs by version is a facility."""
_NAMES = {"gitea": "Gitea", "forgejo": "Forgejo", "github": "GitHub", "local": "the local forge"}


def server_examinations(subject: Subject) -> Iterator[Examination]:
    """Give the checks of the server."""
    yield Examination(Group.SERVER, "version", partial(server_version, subject))
    yield Examination(Group.SERVER, "facilities", partial(server_facilities, subject))


def server_version(subject: Subject) -> Iterator[Finding]:
    """Reach the server and see which one it is; what stands in the way is the error."""
    server = subject.server.find()
    name = _NAMES[server.product]
    oldest = OLDEST.get(server.product)
    numbers = _numbers(server)
    if oldest is None:
        yield good(f"{name} {server.version}".strip())
    elif numbers is None:
        wanted = ".".join(map(str, oldest))
        what = f"{name} says that it is {server.version!r}, so its age is not known"
        yield doubtful(what, f"Make sure that it is {wanted} or newer")
    elif numbers < oldest:
        wanted = ".".join(map(str, oldest))
        yield bad(f"{name} {server.version} is too old", f"Update it to {wanted} or newer")
    else:
        yield good(f"{name} {server.version}")


def _numbers(server: Server) -> tuple[int, int] | None:
    """Return major and minor version: ``1.26.0+dev-12``, ``16.0.0+gitea-1.22.0``; None where it tells none."""
    found = re.match(r"v?(\d+)\.(\d+)", server.version)
    return (int(found[1]), int(found[2])) if found else None


def server_facilities(subject: Subject) -> Iterator[Finding]:
    """Name each thing that servers and tokens differ in."""
    for facility in subject.forge().facilities():
        yield _finding(facility)


def _finding(facility: Facility) -> Finding:
    if facility.available:
        return good("yes", name=facility.name)
    state = "no" if facility.available is False else "cannot be seen beforehand; if not"
    return doubtful(f"{state}: {facility.effect}".rstrip(": "), facility.mend, name=facility.name)
