"""What a set-up made, put into the copy in which one command runs."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from coordinator.gates.files import place_below

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PACKAGES = "node_modules"


def products_of(prepared: Path, source: Path) -> tuple[str, ...]:
    """Return the topmost files, links and folders that a set-up made in `prepared`: those that `source` lacks."""
    return tuple(_products(prepared, source))


def _products(prepared: Path, source: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(prepared, followlinks=False):
        here = Path(folder).relative_to(prepared)
        new = [name for name in sorted((*folders, *names)) if not os.path.lexists(source / here / name)]
        folders[:] = sorted(name for name in folders if name not in new and name != ".git")
        yield from (str(PurePosixPath(here, name)) for name in new if name != ".git")


@dataclass(slots=True)
class Layer:
    """The products of one set-up, on their way into one copy: first `copy`, then hand the copy over, then `link`.

    Installed packages and caches are large and are not written to, so their files are shared as hard links, which stay
    the coordinator's: where commands have another uid they can delete such a link, but not change the file. Everything
    else is copied, as a build may write it once more; so are empty files, which mostly are locks.
    """

    prepared: Path
    """Where the set-up ran. Nobody but the coordinator can write there any more."""
    copy_folder: Path
    names: Sequence[str]
    """From `products_of`. What the copy has there already stays."""
    shared: bool = False
    """Whether everything is a cache."""
    _links: list[tuple[Path, Path]] = field(default_factory=list)

    def copy(self) -> None:
        """Make the folders and what is not shared."""
        for name in self.names:
            place = place_below(self.copy_folder, name)
            if place is not None and not os.path.lexists(place) and place.parent.is_dir():
                self._put(self.prepared / name, place, shared=self.shared or PACKAGES in PurePosixPath(name).parts)

    def link(self) -> None:
        """Add the shared files."""
        for made, place in self._links:
            os.link(made, place, follow_symlinks=False)

    def _put(self, made: Path, place: Path, *, shared: bool) -> None:
        status = made.lstat()
        if stat.S_ISLNK(status.st_mode):
            place.symlink_to(made.readlink())
        elif stat.S_ISDIR(status.st_mode):
            place.mkdir(mode=0o755)
            for name in sorted(os.listdir(made)):  # noqa: PTH208  (thousands of names, without a Path for each)
                self._put(made / name, place / name, shared=shared or name == PACKAGES)
        elif stat.S_ISREG(status.st_mode) and shared and status.st_size:
            self._links.append((made, place))
        elif stat.S_ISREG(status.st_mode):
            shutil.copy(made, place, follow_symlinks=False)
