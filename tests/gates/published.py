"""Published projects, as their source distributions hold them, for comparisons with the tools run by hand."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support import git

if TYPE_CHECKING:
    from pathlib import Path

DOWNLOAD_SECONDS = 180


class NotAvailable(Exception):
    """The package index that this machine is configured for does not have the project, or does not answer."""


@dataclass(frozen=True)
class Published:
    """One release, and how a person calls the tools on it."""

    name: str
    requirement: str
    mypy: tuple[str, ...]
    """What a person gives to `mypy --strict`: nothing where the configuration says it."""
    packages: tuple[str, ...]
    root: str

    @property
    def build_args(self) -> tuple[str, ...]:
        """The `gates.build.args` with which the build gate checks the same: it finds the packages by itself."""
        return tuple(place for place in self.mypy if place not in self.packages)


CLICK = Published("click", "click==8.5.1", (), ("src/click",), "src")
STARLETTE = Published("starlette", "starlette==1.10.0", ("starlette", "tests"), ("starlette",), ".")
"""Its own script (``scripts/check``) has mypy check the tests too, half of its 71 files."""
ATTRS = Published("attrs", "attrs==26.1.0", ("src/attr", "src/attrs"), ("src/attr", "src/attrs"), "src")
PROJECTS = (CLICK, STARLETTE, ATTRS)


def unpacked(project: Published, folder: Path) -> Path:
    """Download a source distribution into an existing folder and return it as a repository with one commit.

    Raises `NotAvailable`.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", project.name]
    try:
        done = subprocess.run(
            [*command, "--dest", str(folder), project.requirement],
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotAvailable("the package index does not answer") from None
    if done.returncode:
        raise NotAvailable(f"{project.requirement} cannot be downloaded: {done.stderr.strip().splitlines()[-1]}")
    (folder / "unpacked").mkdir()
    archive = next(folder.glob("*.tar.gz"))
    subprocess.run(["/bin/tar", "-xzf", str(archive), "-C", str(folder / "unpacked")], check=True)
    repository = next((folder / "unpacked").iterdir())
    git(repository, "init", "--quiet")
    git(repository, "add", "--all", "--force")
    git(repository, "commit", "--quiet", "--message", "Published")
    return repository
