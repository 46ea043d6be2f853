"""Opening a sandbox: choosing by trying what this machine allows."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.sandbox import environment, kernel
from coordinator.sandbox.confined import ConfinedSandbox
from coordinator.sandbox.means import Means
from coordinator.sandbox.reach import Use
from coordinator.sandbox.running import Launcher
from coordinator.sandbox.uid import lease_uid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROCESSES = 4096
"""Processes and threads of all commands of a leased uid together: room for parallel builds, an end to fork bombs."""


def open_sandbox(
    *,
    folder: Path | None = None,
    visible: Sequence[Path] = (),
    search_path: Sequence[Path] = environment.SYSTEM_PATH,
    passthrough: Mapping[str, str] | None = None,
    processes: int = PROCESSES,
    launcher: Launcher | None = None,
) -> ConfinedSandbox:
    """Open the best confinement that this machine allows; close it after use.

    `folder` is the parent of the sandbox's own folder (default: the place for temporary files). `visible` are files
    and folders that commands must be able to read, e.g. `environment.interpreter_paths()`; each is seen to before the
    first command, or `Misconfigured` names it and the mend. `search_path` becomes PATH, less what commands cannot
    read. `passthrough` is added to the environment of every command: see `environment.PASSTHROUGH`.

    As root, commands get a uid of their own. Else they share ours and this process is hidden from them
    (`kernel.hide_process`), but its parent processes are not, nor is the network held back.
    """
    passed = dict(passthrough or {})
    launcher = launcher or Launcher(environment=environment.launcher_environment(passed))
    kernel.become_subreaper()
    is_root = os.geteuid() == 0
    means = Means(None, holds_network=is_root, hides_processes=is_root, processes=processes)
    sandbox = ConfinedSandbox(Path(tempfile.mkdtemp(prefix="coordinator-", dir=folder)), means, launcher)
    try:
        if is_root:
            sandbox.means = replace(means, lease=lease_uid())
        _prepare(sandbox, [*visible, *environment.paths_in(passed)], environment.clean_search_path(search_path))
    except BaseException:
        sandbox.close()
        raise
    sandbox.environment = {**sandbox.environment, **passed}
    return sandbox


def _prepare(sandbox: ConfinedSandbox, visible: Sequence[Path], search_path: Sequence[Path]) -> None:
    sandbox.root.chmod(0o711)
    found = sandbox.reach(dict.fromkeys(visible, Use.READ), search_path)
    if sandbox.means.uid is None:
        kernel.hide_process()
    home, temporary = sandbox.make_folder("home"), sandbox.make_folder("tmp")
    readable = [entry for entry in search_path if entry in found]
    sandbox.environment = environment.base_environment(home, temporary, readable)
