"""Preparing an environment from a project's own files, once, and keeping it."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured
from coordinator.gates.evidence import one_line
from coordinator.gates.files import read_below, take_back, text_below, write_below
from coordinator.gates.target.borrowing import SITE, TEST_TOOLS, add_script, borrow, missing_tools
from coordinator.gates.target.environment import (
    TargetEnvironment,
    describe_environment,
    existing_environment,
    paths_to_show,
    probe,
)
from coordinator.gates.target.environment_stamp import environment_stamp
from coordinator.gates.target.installing import Installer
from coordinator.gates.target.needs import DEFINING
from coordinator.gates.tree import remove_folder
from coordinator.sandbox.environment import SYSTEM_PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from coordinator.sandbox.protocol import Sandbox

NOTES = "coordinator-notes.txt"
"""File in a prepared environment: one line each about what could not be done as usual."""


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
    lends_pip: bool = field(default_factory=lambda: importlib.util.find_spec("pip") is not None)
    """Whether the coordinator has a pip to copy; else ``ensurepip`` is asked, which Debian splits off."""

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

    def without_python(self) -> TargetEnvironment:
        """Return what stands for the environment of a project that is not in Python: nothing is prepared for it."""
        return TargetEnvironment(
            python=Path(sys.executable),
            origin="none, as it is not in Python",
            version=sys.version_info[:2],
            distributions={},
            site=Path(sys.prefix),
            path_entries=self._path_entries(),
            is_own=False,
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
        defined = [f"{name} {hashlib.sha256(read_below(source, name) or b'').hexdigest()}" for name in DEFINING]
        return hashlib.sha256("\n".join([*_own_parts(self.setup, self.uv), *defined]).encode()).hexdigest()[:20]

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
            installer = Installer(self.sandbox, self.setup, self.uv, self.search_path, self.minutes, self.lends_pip)
            installer.create(built)
            notes = installer.install(built, work / "project")
            missing = missing_tools(probe(built / "bin" / "python", self.sandbox).distributions)
            remove_folder(fresh)
            _copy(built, fresh, folder)
            _complete(fresh, folder, missing)
            write_below(fresh, NOTES, "\n".join(notes).encode())
            fresh.rename(folder)
        finally:
            remove_folder(work)
            remove_folder(fresh)


def early_stamp(
    active: Path | None, checkout: Path | None, setup: tuple[str, ...] | None, uv: Path | None
) -> str | None:
    """Return what names the installed distributions of a project's environment before it is prepared.

    The parameters are those of an `EnvironmentKeeper`. An environment that is prepared from the project's own files
    depends on these, so the judged tree has to stand beside the stamp. None when nothing short names them all.
    """
    found = existing_environment(active, checkout)
    if found is not None:
        return environment_stamp(found[0], checkout)
    return hashlib.sha256("\n".join(_own_parts(setup, uv)).encode()).hexdigest()


def _own_parts(setup: tuple[str, ...] | None, uv: Path | None) -> list[str]:
    """Return what of an environment does not come from the project's files."""
    parts = [sys.version, str(Path(sys.executable).resolve()), repr(setup), str(uv is not None)]
    return parts + [f"{name} {importlib.metadata.version(name)}" for name in TEST_TOOLS]


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
            add_script(folder, final, name, module)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file, so that two runs do not prepare one environment at once."""
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
