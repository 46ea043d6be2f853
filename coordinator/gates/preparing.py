"""Preparing an environment from a project's own files, once, and keeping it."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured, Unreachable
from coordinator.gates.borrowing import TEST_TOOLS, borrow, missing_tools
from coordinator.gates.environment import (
    TargetEnvironment,
    describe_environment,
    existing_environment,
    paths_to_show,
    probe,
)
from coordinator.gates.evidence import Cleaner, last_lines, one_line
from coordinator.gates.files import read_below, take_back, text_below, write_below
from coordinator.gates.needs import DEFINING, Needs, find_needs
from coordinator.gates.tree import remove_folder
from coordinator.sandbox.environment import SYSTEM_PATH
from coordinator.sandbox.protocol import Command, Limits, Network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from coordinator.sandbox.protocol import CommandResult, Sandbox

NOTES = "coordinator-notes.txt"
"""File in a prepared environment: one line each about what could not be done as usual."""

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

SITE = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
"""Where packages lie in an environment that our own interpreter made."""

PIP = ("-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--no-warn-script-location")


@dataclass(frozen=True, slots=True)
class EnvironmentKeeper:
    """Finds the environment for a project, or prepares one in `cache` with the network open and without secrets."""

    sandbox: Sandbox
    cache: Path
    """Folder of prepared environments: confined commands have to be able to reach it. A few hundred MB each."""
    active: Path | None = None
    """Value of ``VIRTUAL_ENV``."""
    setup: tuple[str, ...] | None = None
    """Shell commands that prepare the project instead of what its files say."""
    uv: Path | None = None
    """The ``uv`` command, if there is one."""
    reach: Callable[[Path], None] | None = None
    """Makes a path usable for confined commands, or says what is in the way; the sandbox's `check_reachable`."""
    search_path: tuple[Path, ...] = SYSTEM_PATH
    minutes: float = 30.0
    """Wall time of one command of the set-up."""

    def environment_for(self, source: Path, checkout: Path | None = None) -> TargetEnvironment:
        """Return the environment for the project whose files are exported to `source`.

        `checkout` is a person's own checkout, where ``.venv`` or ``venv`` may lie; None for a checkout that an agent
        wrote in. Raises `Misconfigured` when the project's environment cannot be set up, `Unreachable` when that is
        for want of a network.
        """
        entries = self._path_entries()
        found = existing_environment(self.active, checkout)
        if found is not None:
            for path in paths_to_show(found[0]):
                self._reach(path)
            environment = describe_environment(*found, self.sandbox, self.cache, entries)
            for path in environment.module_folders:
                self._reach(path)
            return environment
        folder = self._prepared(source)
        self._reach(folder)
        probed = probe(folder / "bin" / "python", self.sandbox)
        return TargetEnvironment(
            python=folder / "bin" / "python",
            origin="prepared",
            version=probed.version,
            distributions=probed.distributions,
            site=probed.site,
            path_entries=entries,
            notes=tuple((text_below(folder, NOTES) or "").splitlines()),
        )

    def _reach(self, path: Path) -> None:
        if self.reach is not None:
            self.reach(path)

    def _path_entries(self) -> tuple[Path, ...]:
        """Return what follows on PATH: the coordinator's own mypy and ruff are there for an agent that wants them."""
        return (*self.search_path, Path(sys.executable).parent)

    def _prepared(self, source: Path) -> Path:
        self.cache.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder = self.cache / f"environment-{self._key(source)}"
        with _locked(folder.with_suffix(".lock")):
            if not folder.is_dir():
                self._prepare(source, folder)
        return folder

    def _key(self, source: Path) -> str:
        """Return what tells one environment from another."""
        digest = hashlib.sha256()
        parts = [sys.version, str(Path(sys.executable).resolve()), repr(self.setup), str(self.uv is not None)]
        parts += [f"{name} {importlib.metadata.version(name)}" for name in TEST_TOOLS]
        parts += [f"{name} {hashlib.sha256(read_below(source, name) or b'').hexdigest()}" for name in DEFINING]
        digest.update("\n".join(parts).encode())
        return digest.hexdigest()[:20]

    def _prepare(self, source: Path, folder: Path) -> None:
        """Build in a folder of the sandbox, then put a copy that only we can write into the cache.

        The copy is renamed into place in the end: one that was interrupted is never used.
        """
        work = self.sandbox.make_folder("setup")
        fresh = folder.with_suffix(".new")
        try:
            shutil.copytree(source, work / "project", symlinks=True)
            self.sandbox.give(work)
            built = work / "environment"
            self._create(built)
            notes = self._install(built, work / "project")
            missing = missing_tools(probe(built / "bin" / "python", self.sandbox).distributions)
            remove_folder(fresh)
            _copy(built, fresh, folder)
            _complete(fresh, folder, missing)
            write_below(fresh, NOTES, "\n".join(notes).encode())
            fresh.rename(folder)
        finally:
            remove_folder(work)
            remove_folder(fresh)

    def _create(self, folder: Path) -> None:
        self._run((sys.executable, "-I", "-m", "venv", "--without-pip", str(folder)), folder, folder.parent)
        if self.uv is not None and self.setup is None:
            return
        if importlib.util.find_spec("pip") is None:
            self._run((str(folder / "bin" / "python"), "-I", "-m", "ensurepip"), folder, folder)
            return
        # The coordinator's own pip is copied: the standard library's would need ensurepip, which Debian splits off.
        borrow(("pip",), folder, SITE)
        _add_script(folder, folder, "pip", "pip._internal.cli.main")
        self.sandbox.give(folder)

    def _install(self, folder: Path, project: Path) -> list[str]:
        if self.setup is not None:
            for command in self.setup:
                self._run(("/bin/sh", "-c", command), folder, project, what=f"`{one_line(command, 80)}`")
            return []
        needs = find_needs(project)
        if not needs.others:
            return self._install_alone(needs, folder, project)
        argv = (*self._installer(folder), *needs.arguments(), "pytest", "coverage")
        self._run(argv, folder, project, what="The installation")
        return []

    def _install_alone(self, needs: Needs, folder: Path, project: Path) -> list[str]:
        """Install a project that needs nothing else: nice to have, since its sources win anyhow, so it may fail."""
        if not needs.project:
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
    """Return the last thing that a failed step said, on one line."""
    if result.timed_out:
        return "it reached its time limit"
    output = cleaner.clean(result.stdout.decode("utf-8", errors="replace"))
    errors = [line for line in output.splitlines() if re.match(r"\s*(?:ERROR|error|\u00d7|\u2570)", line)]
    return one_line(last_lines("\n".join(errors), 4) or last_lines(output, 4), 600) or "it said nothing"


def _version_variables(project: Path) -> dict[str, str]:
    """Return what gives a version to projects that take theirs from git, by the names of the plugins' documentation."""
    known = re.search(r"(?m)^Version: (\S+)$", text_below(project, "PKG-INFO") or "")
    version = known[1] if known else UNKNOWN_VERSION
    return dict.fromkeys(VERSION_VARIABLES, version)


def _copy(built: Path, fresh: Path, final: Path) -> None:
    """Copy a built environment and let its commands name the interpreter where it is going to be.

    Raises `Misconfigured` when the set-up left something that is neither file, folder nor link.
    """
    try:
        shutil.copytree(built, fresh, symlinks=True)
    except shutil.Error as error:
        raise Misconfigured(
            f"The project's environment could not be prepared: it cannot be copied: {one_line(str(error), 200)}",
            mend="See what the project's installation puts into its environment besides files",
        ) from error
    take_back(fresh)
    old, new = str(built).encode(), str(final).encode()
    for path in (fresh / "bin").iterdir():
        data = read_below(fresh, f"bin/{path.name}")
        if data is not None and old in data:
            write_below(fresh, f"bin/{path.name}", data.replace(old, new), 0o755)


def _complete(folder: Path, final: Path, missing: tuple[str, ...]) -> None:
    """Add what is missing of pytest and coverage from the coordinator's own environment."""
    borrow(missing, folder, SITE)
    for name, module in (("pytest", "pytest"), ("coverage", "coverage.cmdline")):
        if name in missing:
            _add_script(folder, final, name, module)


def _add_script(folder: Path, final: Path, name: str, module: str) -> None:
    """Add a command to an environment in `folder`, to be used in `final`, that calls the `main` of a module."""
    text = f"#!{final / 'bin' / 'python'}\nimport sys\nfrom {module} import main\nsys.exit(main())\n"
    write_below(folder, f"bin/{name}", text.encode(), 0o755)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file, so that two runs do not prepare one environment at once."""
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
