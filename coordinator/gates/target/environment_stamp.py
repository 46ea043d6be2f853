"""What is installed in an environment, as a short text that changes when that does.

Only names, sizes and times of what lies at the top of ``site-packages`` are looked at: every installation or removal
shows there, and it takes milliseconds. A file edited by hand inside an installed package does not show.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pydantic import Field, ValidationError

from coordinator.gates.files import text_below
from coordinator.gates.tree import VERSION_FILE
from coordinator.models import Foreign

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_ENTRIES = 50_000
"""Of a checkout: beyond, looking at it costs more than is saved."""

BUILT = (".so", ".pyd")
LEFT_OUT = frozenset({"node_modules", "__pycache__"})


class _Directory(Foreign):
    editable: bool = False


class _DirectUrl(Foreign):
    """``direct_url.json`` of an installed distribution (PyPA specification "Recording the Direct URL Origin")."""

    url: str
    dir_info: _Directory = Field(default_factory=_Directory)


def environment_stamp(environment: Path, checkout: Path | None, *, most: int = MOST_ENTRIES) -> str | None:
    """Return a stamp of the environment in a folder and of what is built in a person's checkout.

    None when it does not say all: the environment uses the system's packages, or another project whose sources can
    change without anything being installed (an editable installation from outside of `checkout`).
    """
    configuration = text_below(environment, "pyvenv.cfg") or ""
    if _uses_system_packages(configuration):
        return None
    digest = hashlib.sha256(f"{environment}\n{configuration}".encode())
    for site in sorted(environment.glob("lib*/python*/site-packages")):
        inside = (environment, *((checkout,) if checkout is not None else ()))
        if any(not _is_below(place, inside) for place in _outside(site)):
            return None
        digest.update("\n".join(_listed(site)).encode())
    built = _built_in(checkout, most) if checkout is not None else []
    if built is None:
        return None
    digest.update("\n".join(built).encode())
    return digest.hexdigest()


def _uses_system_packages(configuration: str) -> bool:
    pairs = (line.partition("=") for line in configuration.splitlines())
    return any(
        key.strip() == "include-system-site-packages" and value.strip().lower() == "true" for key, _, value in pairs
    )


def _listed(folder: Path) -> Iterator[str]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name == "__pycache__":  # Python writes there when a module is imported first
            continue
        status = entry.stat(follow_symlinks=False)
        yield f"{folder}/{entry.name} {status.st_size} {status.st_mtime_ns}"


def _outside(site: Path) -> Iterator[Path]:
    """Yield the folders from which modules are taken besides `site` itself."""
    for path in sorted((*site.glob("*.pth"), *site.glob("*.egg-link"))):
        for line in (text_below(site, path.name) or "").splitlines():
            if line.strip() and not line.startswith(("#", "import ", "import\t")):
                yield site / line.strip()
    for path in sorted(site.glob("*.dist-info/direct_url.json")):
        try:
            origin = _DirectUrl.model_validate_json(text_below(site, path.relative_to(site).as_posix()) or "")
        except ValidationError:
            continue
        if origin.dir_info.editable:
            yield Path(unquote(urlsplit(origin.url).path))


def _is_below(place: Path, folders: Iterable[Path]) -> bool:
    """Say whether a place is below one of the folders, or is none at all: a set-up may install from a scratch copy."""
    resolved = place.resolve()
    return not resolved.exists() or any(resolved.is_relative_to(folder.resolve()) for folder in folders)


def _built_in(checkout: Path, most: int) -> list[str] | None:
    """Return the compiled and version modules of a checkout, which no commit holds; None when it is too large."""
    found: list[str] = []
    seen = 0
    for folder, folders, names in os.walk(checkout):
        folders[:] = sorted(name for name in folders if _may_hold_sources(Path(folder, name)))
        seen += len(folders) + len(names)
        if seen > most:
            return None
        for name in sorted(names):
            if name.endswith(BUILT) or VERSION_FILE.fullmatch(name):
                status = Path(folder, name).stat(follow_symlinks=False)
                found.append(f"{folder}/{name} {status.st_size} {status.st_mtime_ns}")
    return found


def _may_hold_sources(folder: Path) -> bool:
    return not folder.name.startswith(".") and folder.name not in LEFT_OUT and not (folder / "pyvenv.cfg").exists()
