"""The sandboxes of a command, what they need to see, and what is kept between runs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured
from coordinator.gates.cache.kept_files import KeptFiles
from coordinator.gates.cache.result_cache import Caches, ResultCache
from coordinator.gates.integrity.base_records import BaseRecords
from coordinator.gates.target.environment import existing_environment, paths_to_show
from coordinator.gates.target.preparing import EnvironmentKeeper, early_stamp
from coordinator.sandbox.environment import (
    SYSTEM_PATH,
    interpreter_paths,
    rust_toolchains,
    search_path_of,
    select_passthrough,
)
from coordinator.sandbox.opening import open_sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coordinator.environment import Environment
    from coordinator.sandbox.confined import ConfinedSandbox


def cache_folder(environment: Environment) -> Path:
    """Return where prepared environments are kept between runs.

    A root coordinator's home is closed to the uid that runs the commands, so it keeps them outside.
    """
    if environment.tool_cache is not None:
        return environment.tool_cache / "coordinator-environments"
    if os.geteuid() == 0:
        return Path("/var/cache/coordinator")
    return Path.home() / ".cache" / "coordinator" / "environments"


def make_folder(folder: Path, what: str, mend: str) -> None:
    """Make a folder with its parents, if it is not there. Raises `Misconfigured`, which names it and says what for."""
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"The folder {folder} for {what} cannot be made ({error.strerror})", mend=mend) from None


class Confinement:
    """Opens the sandboxes of a run, with everything that commands need to see."""

    def __init__(
        self, environment: Environment, environ: Mapping[str, str], checkout: Path | None, *, cache: Path
    ) -> None:
        """`checkout` is the one of a person, whose virtual environment may serve; None in a runner."""
        self.cache = cache
        make_folder(cache, "prepared environments", "Set RUNNER_TOOL_CACHE to a folder that you can write to")
        active = environment.virtual_env if checkout is not None else None
        self._active = active
        found = existing_environment(active, checkout)
        own = paths_to_show(found[0]) if found else ()
        self._visible = tuple(dict.fromkeys((*interpreter_paths(), self.cache, *own)))
        self._search_path = (*SYSTEM_PATH, *search_path_of(environ))
        self._passthrough = select_passthrough(environ) | rust_toolchains(environ, closed_home=os.geteuid() == 0)
        uv = shutil.which("uv", path=environ.get("PATH"))
        self._uv = Path(uv) if uv else None

    def open_sandbox(self) -> ConfinedSandbox:
        """Open one sandbox; to be closed by the caller."""
        visible = (*self._visible, self._uv) if self._uv else self._visible
        return open_sandbox(visible=visible, search_path=self._search_path, passthrough=self._passthrough)

    def keeper(self, sandbox: ConfinedSandbox, setup: tuple[str, ...] | None) -> EnvironmentKeeper:
        """Return what finds or prepares the target's environment."""
        return EnvironmentKeeper(
            sandbox,
            self.cache,
            active=self._active,
            setup=setup,
            uv=self._uv,
            reach=sandbox.check_reachable,
            search_path=search_path_of(sandbox.environment),
        )

    def stamp(self, checkout: Path, setup: tuple[str, ...] | None) -> str | None:
        """Return what names the environment of a person's checkout, before a sandbox is open: see `early_stamp`."""
        return early_stamp(self._active, checkout, setup, self._uv)

    def caches(self, sandbox: ConfinedSandbox | None) -> Caches:
        """Return what may be kept between runs whose commands run in this sandbox.

        A verdict and mypy's cache decide about later verdicts, so no confined command may be able to write them. That
        is so where commands have a uid of their own; for mypy's cache also where they cannot see the name of its
        working copy among the processes. None stands for a person's own command on the person's own machine: what runs
        there as the same uid could change the coordinator itself as well.
        """
        apart = sandbox is None or sandbox.means.uid is not None
        hidden = sandbox is None or (apart and sandbox.means.hides_processes)
        files = KeptFiles(self.cache / "results") if apart else None
        records = BaseRecords(KeptFiles(self.cache / "base-tests") if apart else None)
        return Caches(ResultCache(files), self.cache / "mypy" if hidden else None, self._confinement(), records)

    def _confinement(self) -> str:
        passed = hashlib.sha256(json.dumps(sorted(self._passthrough.items())).encode()).hexdigest()
        return f"{'root' if os.geteuid() == 0 else 'own uid'} {passed}"
