"""The steps that fill a new environment with what a project needs: confined, with the network open, without secrets."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured, Unreachable
from coordinator.gates.evidence import Cleaner, last_lines, one_line, telling_lines
from coordinator.gates.files import text_below
from coordinator.gates.tables import read_toml, subtable
from coordinator.gates.target.borrowing import SITE, add_script, borrow
from coordinator.gates.target.needs import Needs, find_needs
from coordinator.gates.target.static_metadata import write_static_metadata
from coordinator.sandbox.protocol import Command, Limits, Network

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.sandbox.protocol import CommandResult, Sandbox

NO_NETWORK = re.compile(
    r"Temporary failure in name resolution|Name or service not known|Failed to establish a new connection"
    r"|Connection refused|ReadTimeoutError|ConnectTimeoutError|Read timed out|dns error|error sending request"
)
"""How pip and uv say that they reached no index."""

UNKNOWN_VERSION = "9999.0"
"""For a project whose version comes from git, which an export has not: high, so that it meets every lower bound."""

VERSION_VARIABLES = (
    "SETUPTOOLS_SCM_PRETEND_VERSION",
    "PDM_BUILD_SCM_VERSION",
    "PBR_VERSION",
    "POETRY_DYNAMIC_VERSIONING_BYPASS",
    "UV_DYNAMIC_VERSIONING_BYPASS",
)

PIP = ("-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--no-warn-script-location")


@dataclass(frozen=True, slots=True)
class Installer:
    """Makes an environment and installs into it."""

    sandbox: Sandbox
    setup: tuple[str, ...] | None
    """Shell commands instead of what the project's files say."""
    uv: Path | None
    search_path: tuple[Path, ...]
    minutes: float
    """Wall time of one step."""
    lends_pip: bool
    """Whether the coordinator's own pip is copied, instead of asking the standard library for one."""

    def create(self, folder: Path) -> None:
        """Make a virtual environment in a folder whose parent confined commands can write. Raises like `install`."""
        self._run((sys.executable, "-I", "-m", "venv", "--without-pip", str(folder)), folder, folder.parent)
        if self.uv is not None and self.setup is None:
            return
        if not self.lends_pip:
            self._run((str(folder / "bin" / "python"), "-I", "-m", "ensurepip"), folder, folder)
            return
        borrow(("pip",), folder, SITE)
        add_script(folder, folder, "pip", "pip._internal.cli.main")
        self.sandbox.give(folder)

    def install(self, folder: Path, project: Path) -> list[str]:
        """Install what the project in `project`, which confined commands can write, needs into an environment.

        Returns one line for each thing that could not be done as usual. Raises `Misconfigured` when a step fails,
        `Unreachable` when it reached no package index.
        """
        if self.setup is not None:
            for command in self.setup:
                self._run(("/bin/sh", "-c", command), folder, project, what=f"`{one_line(command, 80)}`")
            return []
        needs = find_needs(project)
        if not needs.others:
            return self._install_alone(needs, folder, project)
        argv = (*self._installer(folder), *needs.arguments())
        self._run(argv, folder, project, what="The installation")
        return []

    def _install_alone(self, needs: Needs, folder: Path, project: Path) -> list[str]:
        """Install a project that needs nothing else: nice to have, since its sources win anyhow, so it may fail.

        Where all its metadata stand in ``pyproject.toml`` they are written as they are: no network, nothing to build.
        """
        if not needs.project or write_static_metadata(project, folder):
            return []
        quick = {"PIP_RETRIES": "0", "PIP_TIMEOUT": "10", "UV_HTTP_TIMEOUT": "10"}
        result = self._started((*self._installer(folder), "--no-deps", *needs.arguments()), folder, project, quick)
        if result.ok:
            return []
        reason = _reason(result, Cleaner((project, folder)))
        return [f"the project is used from its sources, it could not be installed: {reason}"]

    def _installer(self, folder: Path) -> tuple[str, ...]:
        python = folder / "bin" / "python"
        if self.uv is not None:
            return (str(self.uv), "pip", "install", "--no-progress", "--python", str(python))
        return (str(python), *PIP)

    def _run(self, argv: tuple[str, ...], folder: Path, cwd: Path, *, what: str = "The virtual environment") -> None:
        """Run one step. Raises `Misconfigured`, or `Unreachable` when it says that there is no network."""
        result = self._started(argv, folder, cwd, {})
        if result.ok:
            return
        reason = _reason(result, Cleaner((cwd, folder)))
        if NO_NETWORK.search(result.stdout.decode("utf-8", errors="replace")):
            raise Unreachable(
                f"The project's environment could not be prepared: {what} reached no package index: {reason}",
                mend="Run again when the index can be reached, or prepare a `.venv` in the checkout",
            )
        raise Misconfigured(
            f"The project's environment could not be prepared: {what} failed: {reason}",
            mend="Mend the project's dependencies, or name the commands that prepare it as `setup` in .coordinator.yml",
        )

    def _started(self, argv: tuple[str, ...], folder: Path, cwd: Path, extra: dict[str, str]) -> CommandResult:
        env = {
            "PATH": os.pathsep.join(str(entry) for entry in (folder / "bin", *self.search_path)),
            "VIRTUAL_ENV": str(folder),
            **_version_variables(cwd),
            **extra,
        }
        limits = Limits(self.minutes * 60)
        return self.sandbox.run(Command(argv, cwd=cwd, limits=limits, env=env, merge_stderr=True, network=Network.OPEN))


def _reason(result: CommandResult, cleaner: Cleaner) -> str:
    """Return what the installers name as errors, else where the reason of another command begins, on one line."""
    if result.timed_out:
        return "it reached its time limit"
    output = cleaner.clean(result.stdout.decode("utf-8", errors="replace"))
    errors = [line for line in output.splitlines() if re.match(r"\s*(?:ERROR|error|\u00d7|\u2570)", line)]
    return one_line(last_lines("\n".join(errors), 4) or telling_lines(output, 4), 600) or "it said nothing"


def _version_variables(project: Path) -> dict[str, str]:
    """Return what gives a version to projects that take theirs from git, by the names of the plugins' documentation.

    Nothing for the others: the variables would also change dependencies that are built from source.
    """
    if subtable(read_toml(project, "pyproject.toml"), "project").get("version"):
        return {}
    known = re.search(r"(?m)^Version: (\S+)$", text_below(project, "PKG-INFO") or "")
    version = known[1] if known else UNKNOWN_VERSION
    return dict.fromkeys(VERSION_VARIABLES, version)
