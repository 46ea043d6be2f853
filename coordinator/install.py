"""Make an environment with the pinned dependencies, or find the one that was made before.

Run as ``python3 -I coordinator/install.py ROOT…`` by the action, before anything is installed: standard library only.
The environment is ``ROOT/coordinator/KEY`` in the first root that can be written; KEY names the lock file and the
interpreter. With ``--dev`` it is the one folder given, and gets the project itself (by a ``.pth`` file) as well.
The last line on standard output is the path of the environment's python.

Exit codes: 2 wrong use, Python too old, or nothing to install with; 4 the installation failed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OLDEST_PYTHON = (3, 11)
PROJECT = Path(__file__).resolve().parent.parent


def main(argv: Sequence[str], environ: Mapping[str, str], version: tuple[int, int] = sys.version_info[:2]) -> int:
    """Run the command and return its exit code."""
    if version < OLDEST_PYTHON:
        found = f"{version[0]}.{version[1]}"
        sys.stderr.write(f"coordinator: error: Python {found} is too old. Use Python 3.11 or newer.\n")
        return 2
    if str(PROJECT) not in sys.path:
        sys.path.insert(0, str(PROJECT))  # `python -I` leaves out the folder of the script
    from coordinator.dependencies import prepare_environment  # noqa: PLC0415  (needs the two checks above)
    from coordinator.errors import CoordinatorError  # noqa: PLC0415  (the same)

    try:
        python = prepare_environment(argv, PROJECT, environ)
    except CoordinatorError as error:
        sys.stderr.write(f"coordinator: error: {error}\n")
        return error.exit_code
    sys.stdout.write(f"{python}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
