"""Which folders of a project are its packages: what the build and the coverage gate look at.

The build backend's own table decides where there is one; else the layout does: ``src/``, then packages at the top,
then modules at the top. Nothing of the project is executed for this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.gates.tables import read_ini, read_toml, subtable, text
from coordinator.gates.target.backends import declared_places

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NOT_PACKAGES = frozenset({
    "test", "tests", "testing", "doc", "docs", "example", "examples", "sample", "samples", "benchmark", "benchmarks",
    "bench", "script", "scripts", "tool", "tools", "util", "ci", "build", "dist", "site", "venv", "env", "node_modules",
    "tasks", "fixtures", "typing-examples", "changelog", "changelog.d", "requirements",
})  # fmt: skip
"""Folders at the top of a project that are never its package, whatever they hold."""

NOT_MODULES = frozenset({
    "setup", "conftest", "noxfile", "tasks", "dodo", "fabfile", "versioneer", "hatch_build", "manage", "wsgi",
    "sitecustomize", "usercustomize", "build", "__init__",
})  # fmt: skip
"""Modules at the top of a project that serve its development."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The project's own code, relative to the checkout, ``/``-separated."""

    places: tuple[str, ...]
    """Package folders and module files, e.g. ``src/click`` or ``tool.py``; sorted."""
    roots: tuple[str, ...]
    """Folders that go on the module search path, e.g. ``src`` or ``.``; sorted."""

    @property
    def names(self) -> tuple[str, ...]:
        """The top-level module names, sorted."""
        relative = (_below_root(place, self.roots) for place in self.places)
        return tuple(sorted({place.split("/", 1)[0].removesuffix(".py") for place in relative}))


def find_sources(folder: Path) -> Sources:
    """Find the packages of the project in `folder`. Empty `places` when it has no Python code of its own."""
    metadata = read_toml(folder, "pyproject.toml")
    found = declared_places(folder, metadata, read_ini(folder, "setup.cfg"))
    places = found.places or _by_layout(folder, project_names(folder))
    roots = found.roots or _roots_of(places)
    return Sources(tuple(sorted(set(places))), tuple(sorted(set(roots))))


def project_names(folder: Path) -> tuple[str, ...]:
    """Return the module names that the project's own name suggests, most likely first."""
    metadata = read_toml(folder, "pyproject.toml")
    name = (
        text(subtable(metadata, "project").get("name"))
        or text(subtable(metadata, "tool", "poetry").get("name"))
        or text(read_ini(folder, "setup.cfg").get("metadata", {}).get("name"))
    )
    plain = re.sub(r"[-.]+", "_", name)
    return tuple(dict.fromkeys((plain, plain.lower()))) if name else ()


def _by_layout(folder: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    source = folder / "src"
    if source.is_dir() and not source.is_symlink() and not (source / "__init__.py").exists():
        inside = (*_packages(source, namespace=True), *_modules(source))
        if inside:
            return tuple(f"src/{place}" for place in inside)
    packages = tuple(_packages(folder, namespace=False))
    modules = tuple(_modules(folder))
    named = [place for place in (*packages, *modules) if place.removesuffix(".py") in names]
    if named:
        return tuple(named)
    namespaces = [place for place in _packages(folder, namespace=True) if place in names]
    return packages or tuple(namespaces) or modules


def _packages(folder: Path, *, namespace: bool) -> Iterable[str]:
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not path.is_dir() or path.name in NOT_PACKAGES or not path.name.isidentifier():
            continue
        if (path / "__init__.py").is_file() or (namespace and next(path.rglob("*.py"), None)):
            yield path.name


def _modules(folder: Path) -> Iterable[str]:
    for path in sorted(folder.glob("*.py")):
        name = path.stem
        test = name.startswith("test_") or name.endswith("_test")
        if name.isidentifier() and not test and name not in NOT_MODULES and path.is_file() and not path.is_symlink():
            yield path.name


def _roots_of(places: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(place.rpartition("/")[0] or "." for place in places))


def _below_root(place: str, roots: Iterable[str]) -> str:
    for root in sorted(roots, key=len, reverse=True):
        if place.startswith(f"{root}/"):
            return place.removeprefix(f"{root}/")
    return place
