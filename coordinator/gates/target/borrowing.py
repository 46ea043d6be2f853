"""Putting pytest and coverage, as the coordinator has them, where a project's environment lacks them: no network."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import sys
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from coordinator.gates.files import read_regular, write_below

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TEST_TOOLS = ("pytest", "iniconfig", "packaging", "pluggy", "pygments", "coverage")
"""What running tests under coverage takes: pytest with what it requires on Linux from Python 3.11 on, and coverage."""

SITE = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
"""Where packages lie in an environment that our own interpreter made."""

FILE_LIMIT = 64 * 1024 * 1024


def normal_name(name: str) -> str:
    """Return a distribution's name as the packaging standards normalise it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def missing_tools(installed: Mapping[str, str]) -> tuple[str, ...]:
    """Return what to put beside an environment, by normalised names: an installed pytest has its own requirements."""
    if "pytest" not in installed:
        return tuple(name for name in TEST_TOOLS if name not in installed)
    return () if "coverage" in installed else ("coverage",)


def lend(names: Iterable[str], cache: Path) -> tuple[Path, dict[str, str]]:
    """Return a folder in `cache` with distributions of the coordinator, made if it is not there, and their versions."""
    versions = {name: importlib.metadata.version(name) for name in sorted(names)}
    stamp = "-".join(f"{name}-{version}" for name, version in versions.items())
    folder = cache / f"tools-{sys.implementation.cache_tag}-{stamp}"
    if not folder.is_dir():
        cache.mkdir(mode=0o755, parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix="tools-", dir=cache))
        fresh.chmod(0o755)
        borrow(versions, fresh)
        try:
            fresh.rename(folder)
        except OSError:  # another run was faster
            shutil.rmtree(fresh)
    return folder, versions


def borrow(names: Iterable[str], folder: Path, below: str = ".") -> None:
    """Copy distributions of the coordinator's own environment below a folder; nothing there is replaced.

    `below` is where importable packages lie, like a ``site-packages``; no link on the way there is followed. Scripts
    are left out. Raises `importlib.metadata.PackageNotFoundError` for one that the coordinator itself lacks.
    """
    for name in names:
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or ():
            relative = PurePosixPath(below, file)
            if ".." in relative.parts or "__pycache__" in relative.parts or (folder / relative).exists():
                continue
            data = read_regular(Path(str(distribution.locate_file(file))), FILE_LIMIT)
            if data is not None:
                write_below(folder, str(relative), data)


def add_script(folder: Path, final: Path, name: str, module: str, function: str = "main") -> None:
    """Add a command to an environment in `folder`, to be used in `final`, that calls a function of a module."""
    text = f"#!{final / 'bin' / 'python'}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"
    write_below(folder, f"bin/{name}", text.encode(), 0o755)
