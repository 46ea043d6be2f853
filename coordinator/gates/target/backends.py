"""What the tables of the build backends say about the packages of a project.

Sources: the reference pages of hatchling (build configuration), setuptools (pyproject and package discovery), flit,
poetry-core, pdm-backend, uv_build and maturin.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from coordinator.gates.files import place_below
from coordinator.gates.tables import Table, subtable, text, texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Declared:
    """Places and roots as in `coordinator.gates.target.packages.Sources`; empty where the backend says nothing."""

    places: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()


def declared_places(folder: Path, metadata: Table, setup: Mapping[str, Mapping[str, str]]) -> Declared:
    """Return what the first backend table that names existing packages says."""
    tool = subtable(metadata, "tool")
    pdm = subtable(tool, "pdm", "build")
    for found in (
        _hatch(subtable(tool, "hatch", "build")),
        _setuptools(folder, subtable(tool, "setuptools")),
        _setup_cfg(setup),
        _flit(folder, tool),
        _poetry(subtable(tool, "poetry")),
        _uv(tool, metadata),
        _by_root(text(pdm.get("package-dir")), texts(pdm.get("includes"))),
        _by_root(text(subtable(tool, "maturin").get("python-source")), ()),
    ):
        places = tuple(dict.fromkeys(place for name in found.places for place in _existing(folder, name)))
        if places:
            return Declared(places, tuple(root for root in found.roots if (folder / root).is_dir()))
        if found.roots and not found.places and (inside := _all_packages(folder, found.roots)):
            return Declared(inside, found.roots)
    return Declared()


def _hatch(build: Table) -> Declared:
    wheel = subtable(build, "targets", "wheel")
    packages = texts(wheel.get("packages") or build.get("packages"))
    only = texts(wheel.get("only-include") or build.get("only-include"))
    sources = wheel.get("sources") or build.get("sources")
    roots = tuple(sources) if isinstance(sources, dict) else texts(sources)
    plain = tuple(place.strip("/") for place in packages or only)
    if packages:
        roots = tuple(str(PurePosixPath(place).parent) for place in plain)
    return Declared(plain, tuple(root.strip("/") or "." for root in roots))


def _setuptools(folder: Path, table: Table) -> Declared:
    roots = subtable(table, "package-dir")
    root = text(roots.get("")) or "."
    find = subtable(table, "packages", "find")
    modules = tuple(_join(root, f"{name.replace('.', '/')}.py") for name in texts(table.get("py-modules")))
    if find:
        places = _found(folder, texts(find.get("where")) or (root,), texts(find.get("include")))
        return Declared((*places, *modules), texts(find.get("where")) or (root,))
    tops = dict.fromkeys(name.split(".")[0] for name in texts(table.get("packages")))
    places = tuple(text(roots.get(name)) or _join(root, name) for name in tops)
    return Declared((*places, *modules), (root,) if places or modules else ())


def _setup_cfg(setup: Mapping[str, Mapping[str, str]]) -> Declared:
    options = setup.get("options", {})
    mapped = re.search(r"(?m)^\s*=\s*(\S+)\s*$", options.get("package_dir", ""))
    root = setup.get("options.packages.find", {}).get("where", "").strip() or (mapped[1] if mapped else ".")
    modules = tuple(_join(root, f"{name}.py") for name in options.get("py_modules", "").split())
    packages = options.get("packages", "").strip()
    if packages.startswith("find"):
        return Declared(modules, (root,)) if modules or root != "." else Declared()
    tops = dict.fromkeys(name.split(".")[0] for name in packages.split())
    places = (*(_join(root, name) for name in tops), *modules)
    return Declared(places, (root,) if places else ())


def _flit(folder: Path, tool: Table) -> Declared:
    name = text(subtable(tool, "flit", "module").get("name")) or text(subtable(tool, "flit", "metadata").get("module"))
    path = name.replace(".", "/")
    places = (f"src/{path}", f"src/{path}.py", path, f"{path}.py") if name else ()
    existing = next((place for place in places if (folder / place).exists()), "")
    return Declared((existing,), ("src" if existing.startswith("src/") else ".",)) if existing else Declared()


def _poetry(table: Table) -> Declared:
    packages = table.get("packages")
    entries = [entry for entry in packages if isinstance(entry, dict)] if isinstance(packages, list) else []
    named = [(text(entry.get("from")) or ".", text(entry.get("include"))) for entry in entries]
    places = tuple(_join(root, name.split("/")[0]) for root, name in named if name)
    return Declared(places, tuple(root for root, _ in named))


def _uv(tool: Table, metadata: Table) -> Declared:
    table = subtable(tool, "uv", "build-backend")
    if not table:
        return Declared()
    root = text(table.get("module-root")) if "module-root" in table else "src"
    project = re.sub(r"[-.]+", "_", text(subtable(metadata, "project").get("name"))).lower()
    names = texts(table.get("module-name")) or (project,)
    return Declared(tuple(_join(root or ".", name.replace(".", "/")) for name in names), (root or ".",))


def _by_root(root: str, includes: Iterable[str]) -> Declared:
    plain = tuple(name.rstrip("/") for name in includes if "*" not in name)
    if not root and not plain:
        return Declared()
    return Declared(plain, (root or ".",))


def _found(folder: Path, roots: Iterable[str], patterns: tuple[str, ...]) -> tuple[str, ...]:
    wanted = [pattern.split(".")[0] for pattern in patterns]
    found = _all_packages(folder, roots)
    return tuple(place for place in found if not wanted or any(fnmatch(Path(place).name, name) for name in wanted))


def _all_packages(folder: Path, roots: Iterable[str]) -> tuple[str, ...]:
    """Return the folders with an ``__init__.py`` right below the roots, tests apart."""
    return tuple(
        _join(root, path.name)
        for root in roots
        if (folder / root).is_dir()
        for path in sorted((folder / root).iterdir())
        if (path / "__init__.py").is_file() and not path.is_symlink() and path.name not in {"tests", "test", "docs"}
    )


def _existing(folder: Path, place: str) -> Iterable[str]:
    """Yield the places that exist; a folder without Python code, such as one of templates, is none."""
    path = place_below(folder, place)
    if path is None or path.is_symlink():
        return
    if (path.is_file() and path.suffix == ".py") or (path.is_dir() and next(path.rglob("*.py"), None)):
        yield str(PurePosixPath(place))


def _join(root: str, name: str) -> str:
    return str(PurePosixPath(root) / name)
