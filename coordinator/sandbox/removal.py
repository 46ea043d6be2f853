"""Deleting what confined commands left, whatever it looks like."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_TOOLS = "/usr/bin:/bin"


def remove_tree(folder: Path) -> None:
    """Delete a folder, also one with closed folders in it or nested so deep that Python's own walk gives up.

    Symbolic links are removed, never followed, also where `folder` itself has become one: ``chmod -R`` would go to
    where it leads. What resists stays: nothing of a run depends on it.
    """
    if folder.is_symlink():
        with suppress(OSError):
            folder.unlink()
        return
    try:
        shutil.rmtree(folder)
    except (OSError, RecursionError):
        for command in (("chmod", "-R", "u+rwx"), ("rm", "-rf")):
            # Both walk with descriptors, so that neither depth nor a path beyond PATH_MAX stops them.
            subprocess.run(
                ["/usr/bin/env", f"PATH={_TOOLS}", *command, "--", str(folder)],
                env={},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
