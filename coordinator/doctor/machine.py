"""The machine: what has to be installed, where there is room, and what is kept."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.doctor.examining import Examination
from coordinator.doctor.models import Finding, Group, bad, doubtful, good
from coordinator.install import OLDEST_PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.environment import Environment
    from coordinator.workspace.git import Git

OLDEST_GIT = (2, 31)
"""The first one that takes a secret by ``GIT_CONFIG_COUNT`` (git's release notes of 2.31)."""
LITTLE_ROOM = 1 << 30
"""Bytes. A prepared environment with the tools of the gates has some 200 MB; clones and exports come on top."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the checks of the machine are told."""

    environment: Environment
    git: Git
    search_path: str
    """PATH."""
    python: tuple[int, ...]
    """Version of the interpreter that runs the coordinator."""
    little_room: int = LITTLE_ROOM


def machine_examinations(machine: Machine) -> Iterator[Examination]:
    """Give the checks that need nothing but this machine."""
    looks = {
        "python": machine_python,
        "git": machine_git,
        "tools": machine_tools,
        "temporary folder": machine_temporary_folder,
        "tool cache": machine_tool_cache,
    }
    for name, look in looks.items():
        yield Examination(Group.MACHINE, name, partial(look, machine))


def machine_python(machine: Machine) -> Iterator[Finding]:
    """See whether this interpreter is new enough."""
    version = ".".join(map(str, machine.python))
    if machine.python[:2] < OLDEST_PYTHON:
        yield bad(f"{version} is too old", "Install Python 3.11 or newer")
    else:
        yield good(f"{version} ({sys.executable})")


def machine_git(machine: Machine) -> Iterator[Finding]:
    """See whether there is git, and whether it is new enough."""
    answer = machine.git.run("--version").decode(errors="replace").strip()
    numbers = re.search(r"(\d+)\.(\d+)", answer)
    if numbers is None:
        yield doubtful(f"its version is not known: it says {answer[:80]!r}", "Use git 2.31 or newer")
    elif (int(numbers[1]), int(numbers[2])) < OLDEST_GIT:
        yield bad(f"{answer} is too old", "Install git 2.31 or newer")
    else:
        yield good(answer)


def machine_tools(machine: Machine) -> Iterator[Finding]:
    """See whether there is a shell; what installs packages is only named."""
    if shutil.which("sh", path=machine.search_path) is None:
        yield bad("there is no sh on the PATH", "Install it on the runner, or put it on its PATH")
        return
    uv = shutil.which("uv", path=machine.search_path)
    yield good(f"sh; packages are installed with {f'uv ({uv})' if uv else 'pip'}")


def machine_temporary_folder(machine: Machine) -> Iterator[Finding]:
    """See whether something can be written for the time of a run, and how much."""
    folder = machine.environment.temp_folder or Path(tempfile.gettempdir())
    mend = "Set RUNNER_TEMP or TMPDIR to a folder that you can write to"
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"room")
            file.flush()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield bad(f"{folder} cannot be written ({error.strerror})", mend)
        return
    if free < machine.little_room:
        yield doubtful(f"{folder} has only {_megabytes(free)} free", "Free some 1,000 MB, or use another disk")
    else:
        yield good(f"{folder}, {_megabytes(free)} free")


def machine_tool_cache(machine: Machine) -> Iterator[Finding]:
    """See whether what is installed for one job is there for the next."""
    folder = machine.environment.tool_cache
    if folder is None and not machine.environment.in_runner:
        yield good("none: outside a runner, environments are kept in a folder of the user's")
    elif folder is None:
        mend = "Let the runner set RUNNER_TOOL_CACHE to a folder that it keeps"
        yield doubtful("RUNNER_TOOL_CACHE is not set, so each job may have to install everything again", mend)
    elif not _can_be_written(folder):
        mend = "Make it writable for the user who runs the jobs"
        yield bad(f"RUNNER_TOOL_CACHE ({folder}) cannot be written", mend)
    elif not (folder.is_dir() and any(folder.iterdir())):
        mend = "Let the runner keep it between jobs (Gitea's runner: tool_cache_mode: shared), unless this is the first"
        yield doubtful(f"RUNNER_TOOL_CACHE ({folder}) is empty, so each job may have to install everything", mend)
    else:
        yield good(f"{folder} holds something, so it seems to be kept")


def _can_be_written(folder: Path) -> bool:
    """Whether files can be made in the folder, or the folder in the nearest one that there is."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _megabytes(size: int) -> str:
    return f"{size // 1_000_000:,} MB"
