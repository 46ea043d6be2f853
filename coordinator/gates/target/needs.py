"""What has to be installed before a project's tests can run, read from the project's own files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.gates.tables import Table, read_ini, read_toml, subtable, text, texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

TESTING = ("test", "tests", "testing")
TYPING = ("typing", "types", "typecheck", "type-check", "mypy-stubs")
DEVELOPING = ("dev", "develop", "development")

REQUIREMENT_FILES = (
    ("requirements-test.txt", "requirements-tests.txt", "requirements_test.txt", "requirements_tests.txt",
     "test-requirements.txt", "test_requirements.txt", "requirements/test.txt", "requirements/tests.txt",
     "requirements/testing.txt", "tests/requirements.txt"),
    ("requirements-dev.txt", "requirements_dev.txt", "dev-requirements.txt", "dev_requirements.txt",
     "requirements/dev.txt", "requirements/development.txt"),
)  # fmt: skip
"""Of the first row that has any, all that exist are installed."""

DEFINING = (
    "pyproject.toml", "setup.py", "setup.cfg", "Pipfile.lock", "poetry.lock", "pdm.lock", "uv.lock", "pylock.toml",
    "MANIFEST.in", "PKG-INFO", "requirements.txt", *REQUIREMENT_FILES[0], *REQUIREMENT_FILES[1],
)  # fmt: skip
"""Files that an environment is made from; when one changes, another environment is prepared."""

NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")


@dataclass(frozen=True, slots=True)
class Needs:
    """What to hand to an installer."""

    project: bool
    """Whether the project itself can be installed."""
    extras: tuple[str, ...] = ()
    """Of the project."""
    requirements: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """Requirement files, relative to the project."""
    has_dependencies: bool = False
    """Whether the project names any of its own."""

    @property
    def others(self) -> bool:
        """Whether anything but the project itself has to come from somewhere."""
        return bool(self.extras or self.requirements or self.files or self.has_dependencies)

    def arguments(self) -> tuple[str, ...]:
        """Return the command line for ``pip install`` or ``uv pip install`` in the project's folder."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        files = [part for name in self.files for part in ("-r", name)]
        return ((f".{extras}",) if self.project else ()) + (*self.requirements, *files)


def find_needs(folder: Path) -> Needs:
    """Read what the project in `folder` needs for its tests and its type check."""
    metadata, setup = read_toml(folder, "pyproject.toml"), read_ini(folder, "setup.cfg")
    project, poetry = subtable(metadata, "project"), subtable(metadata, "tool", "poetry")
    groups = _groups(metadata)
    extras = {
        **subtable(project, "optional-dependencies"),
        **subtable(poetry, "extras"),
        **setup.get("options.extras_require", {}),
    }
    chosen = _chosen(groups)
    name = _normal(text(project.get("name")) or text(poetry.get("name")) or setup.get("metadata", {}).get("name", ""))
    requirements, own_extras = _without_self([item for group in chosen for item in groups[group]], name)
    installable = bool(project or poetry or "metadata" in setup or (folder / "setup.py").is_file())
    dependencies = bool(
        texts(project.get("dependencies"))
        or "dependencies" in texts(project.get("dynamic"))
        or set(subtable(poetry, "dependencies")) - {"python"}
        or setup.get("options", {}).get("install_requires")
        or ((folder / "setup.py").is_file() and not project)
    )
    files = _requirement_files(folder, first=not (installable and dependencies))
    wanted = dict.fromkeys((*_chosen(extras), *own_extras)) if installable else {}
    return Needs(installable, tuple(wanted), requirements, files, dependencies)


def _chosen(named: Mapping[str, object]) -> tuple[str, ...]:
    """Return the names for testing and for typing; those for development where one of the two is missing."""
    by_name = {_normal(name): name for name in named}
    testing = [by_name[name] for name in TESTING if name in by_name]
    typing = [by_name[name] for name in TYPING if name in by_name]
    developing = [] if testing and typing else [by_name[name] for name in DEVELOPING if name in by_name]
    return (*testing, *typing, *developing)


def _groups(metadata: Table) -> dict[str, tuple[str, ...]]:
    """Return the dependency groups (PEP 735) and what the tools had before them, with includes resolved."""
    tool = subtable(metadata, "tool")
    raw = {_normal(name): entries for name, entries in subtable(metadata, "dependency-groups").items()}
    groups = {name: tuple(dict.fromkeys(_resolved(name, raw, ()))) for name in raw}
    for name, entries in subtable(tool, "pdm", "dev-dependencies").items():
        groups.setdefault(name, texts(entries))
    for name, table in subtable(tool, "poetry", "group").items():
        dependencies = subtable(table, "dependencies") if isinstance(table, dict) else {}
        groups.setdefault(name, tuple(_from_poetry(dependencies)))
    old = [*_from_poetry(subtable(tool, "poetry", "dev-dependencies"))]
    old += texts(subtable(tool, "uv").get("dev-dependencies"))
    if old:
        groups.setdefault("dev", tuple(old))
    for name in ("default", "hatch-test", "test"):
        environment = subtable(tool, "hatch", "envs", name)
        extra = (*texts(environment.get("dependencies")), *texts(environment.get("extra-dependencies")))
        if extra:
            groups["test"] = (*groups.get("test", ()), *extra)
    return groups


def _resolved(name: str, raw: Mapping[str, object], above: tuple[str, ...]) -> Iterable[str]:
    entries = raw.get(name)
    if name in above or not isinstance(entries, list):
        return
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict) and isinstance(entry.get("include-group"), str):
            yield from _resolved(_normal(entry["include-group"]), raw, (*above, name))


def _from_poetry(dependencies: Mapping[str, object]) -> Iterable[str]:
    """Yield requirements for Poetry's table; its ``^1.2`` becomes the lower bound.

    What has no version comes from a path or a repository: an index may hold something else by that name.
    """
    for name, constraint in dependencies.items():
        version = constraint.get("version") if isinstance(constraint, dict) else constraint
        if name == "python" or not isinstance(version, str):
            continue
        extras = texts(constraint.get("extras")) if isinstance(constraint, dict) else ()
        bounds = re.sub(r"^[\^~](?=\d)", ">=", version.strip())
        exact = f"=={bounds}" if re.match(r"\d", bounds) else bounds
        yield f"{name}{f'[{chr(44).join(extras)}]' if extras else ''}{'' if exact == '*' else exact}"


def _without_self(requirements: Iterable[str], name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split off what refers to the project itself: ``name[full]`` is an extra of it, not something to fetch."""
    others: list[str] = []
    extras: list[str] = []
    for requirement in requirements:
        match = NAME.match(requirement)
        if match is not None and name and _normal(match[1]) == name:
            extras.extend(part.strip() for part in (match[2] or "").split(",") if part.strip())
        else:
            others.append(requirement)
    return tuple(dict.fromkeys(others)), tuple(dict.fromkeys(extras))


def _requirement_files(folder: Path, *, first: bool) -> tuple[str, ...]:
    """Return the requirement files to install; ``requirements.txt`` only when nothing else names the dependencies."""
    rows = [[name for name in row if _is_file(folder, name)] for row in REQUIREMENT_FILES]
    chosen = next((row for row in rows if row), [])
    general = ["requirements.txt"] if first and _is_file(folder, "requirements.txt") else []
    return (*general, *chosen)


def _is_file(folder: Path, name: str) -> bool:
    return (folder / name).is_file() and not (folder / name).is_symlink()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
